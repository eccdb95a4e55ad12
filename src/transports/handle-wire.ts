/**
 * `HandleWire`: a wire over libuv's handle itself, without the `net.Socket` that Node puts around it. A `net.Socket` is two streams with their queues and events, for programs that
 * want streams; a transport needs none of that, and pays for it with every line and every connection. What is undocumented here, and what is used in its place where that is not to be
 * had, is told in `stream-handle.ts`; how much it brings, in docs/performance.md.
 *
 * Theory of operation
 *
 * Reading. The handle reads into memory of ours (`read-memory.ts`) and calls `onHandleRead`.
 *
 * Writing. The system takes what fits at once, and then the write is done when the call returns: the request that stands for it was not used, and is kept for the next
 * write of any connection. What does not fit is in flight, with its request and its memory, until the request's `oncomplete`.
 *
 * Ending. `end()` shuts our side down after what is in flight. When both sides have ended, or with `destroy()`, the handle is closed, and the last event comes from a later turn of the event loop. The order of the events
 * is that of a `net.Socket`.
 */
import net from "node:net";
import { makeView } from "../base/views.js";
import { BULK_BYTES, copyOut, holdBlocks, newBlock, SCRATCH } from "./read-memory.js";
import {
  type HandleAddress,
  type HandleRequest,
  libuvError,
  READ_END,
  READ_NOTHING,
  type StreamHandle,
  type StreamHandles,
  UNUSED,
} from "./stream-handle.js";
import type { SocketFacts, Wire, WireEvents } from "./wire.js";

const WIRE: unique symbol = Symbol("wire");

type WiredHandle = StreamHandle & { [WIRE]?: HandleWire | null };

/** A request with what belongs to it, so that the handlers can be shared by all connections. */
type WiredRequest = HandleRequest & { [WIRE]?: HandleWire; data?: unknown };

/** The request of the next write. */
let spareWrite: WiredRequest | null = null;

export class HandleWire implements Wire {
  readonly #handle: WiredHandle;
  readonly #parts: StreamHandles;
  #events: WireEvents | null = null;
  /** Where the handle reads into; `null` before the first read. */
  #block: Buffer | null = null;
  #holdsBlocks = false;
  #inFlight = 0;
  /** libuv refuses to start what reads. */
  #reading = false;
  #readEnded = false;
  #writeEnded = false;
  #closeWhenSent = false;
  #destroyed = false;
  #dropped = false;
  #errored: Error | null = null;

  /** @param handle connected; it belongs to the wire from now on */
  constructor(handle: StreamHandle, parts: StreamHandles) {
    this.#handle = handle;
    this.#parts = parts;
    this.#handle[WIRE] = this;
    handle.onread = onHandleRead;
  }

  get unsent(): number {
    return this.#inFlight === 0 || this.#destroyed ? 0 : this.#handle.writeQueueSize;
  }

  get dropped(): boolean {
    return this.#dropped;
  }

  get destroyed(): boolean {
    return this.#destroyed;
  }

  get errored(): Error | null {
    return this.#errored;
  }

  get facts(): SocketFacts {
    return new HandleFacts(this.#handle);
  }

  listen(events: WireEvents): void {
    this.#events = events;
  }

  // ---- reading -----------------------------------------------------------------------------------------------------------------

  resume(): void {
    if (this.#reading || this.#destroyed || this.#readEnded) return;
    this.#reading = true;
    if (this.#block === null) {
      this.#block = SCRATCH;
      this.#handle.useUserBuffer(SCRATCH);
    }
    const error = this.#handle.readStart();
    if (error < 0) this.#fail(libuvError(error, "read"));
  }

  pause(): void {
    if (!this.#reading || this.#destroyed) return;
    this.#reading = false;
    this.#handle.readStop();
  }

  /** After a read; returns where the next one goes, if that changes. */
  handleRead(): Buffer | undefined {
    const count = this.#parts.readResult();
    if (count > 0) return this.#deliver(count);
    if (count === READ_NOTHING || this.#destroyed) return undefined;
    if (count === READ_END) {
      this.#readEnded = true;
      this.#events?.handleEnd();
      this.#closeIfEnded();
    } else this.#fail(this.#parts.readError());
    return undefined;
  }

  #deliver(count: number): Buffer | undefined {
    if (this.#destroyed || this.#events === null) return undefined;
    const block = this.#block as Buffer;
    this.#events.handleData(block === SCRATCH ? copyOut(count) : makeView(block, 0, count));
    if (this.#destroyed) return undefined;
    const memory = this.#events.nextMemory();
    this.#holdsBlocks = holdBlocks(this.#holdsBlocks, memory === null && count >= BULK_BYTES);
    this.#block = memory ?? (this.#holdsBlocks ? newBlock() : SCRATCH);
    return this.#block === block ? undefined : this.#block;
  }

  // ---- writing -----------------------------------------------------------------------------------------------------------------

  write(data: Uint8Array | readonly Uint8Array[]): boolean {
    if (this.#destroyed) return false;
    const handle = this.#handle;
    const request: WiredRequest = (spareWrite ??= new this.#parts.WriteWrap());
    const error = data instanceof Uint8Array ? handle.writeBuffer(request, data) : handle.writev(request, data, true);
    if (error !== 0) {
      this.#dropped = true;
      this.#fail(libuvError(error, "write"));
      return false;
    }
    if (request.getAsyncId() === UNUSED) return true;
    spareWrite = null;
    request[WIRE] = this;
    request.data = data;
    request.oncomplete = onWriteComplete;
    this.#inFlight += 1;
    return false;
  }

  handleSent(status: number): void {
    this.#inFlight -= 1;
    if (this.#destroyed) return;
    if (status < 0) {
      this.#dropped = true;
      this.#fail(libuvError(status, "write"));
    } else {
      this.#events?.handleWritten();
      if (this.#closeWhenSent && this.#inFlight === 0) this.destroy();
    }
  }

  end(): void {
    if (this.#destroyed) return;
    const request: WiredRequest = new this.#parts.ShutdownWrap();
    request[WIRE] = this;
    request.oncomplete = onShutdownComplete;
    const error = this.#handle.shutdown(request);
    // Done already; or the peer has gone, and a read or a write is going to tell of it.
    if (error !== 0) process.nextTick(() => this.handleShutdown());
  }

  handleShutdown(): void {
    this.#writeEnded = true;
    this.#closeIfEnded();
  }

  /* c8 ignore next 3 -- asked only of what carries TLS */
  endSecured(): void {
    this.destroySoon(); // there is no TLS here
  }

  // ---- ending ------------------------------------------------------------------------------------------------------------------

  #closeIfEnded(): void {
    if (this.#readEnded && this.#writeEnded) this.destroy();
  }

  #fail(error: Error): void {
    if (this.#destroyed) return;
    this.#errored = error;
    this.destroy();
    process.nextTick(tellError, this.#events, error);
  }

  destroySoon(): void {
    this.pause();
    if (this.#inFlight === 0) this.destroy();
    else this.#closeWhenSent = true;
  }

  destroy(): void {
    if (this.#destroyed) return;
    this.#setDestroyed();
    if (this.#inFlight > 0) this.#dropped = true;
    this.#handle.close(onHandleClose);
  }

  #setDestroyed(): void {
    this.#destroyed = true;
    this.#holdsBlocks = holdBlocks(this.#holdsBlocks, false);
  }

  handleClose(): void {
    this.#events?.handleClose();
  }

  release(): net.Socket {
    this.pause();
    this.#events = null;
    this.#setDestroyed(); // for us
    this.#handle[WIRE] = null;
    this.#handle.reading = false; // as Node's own code notes it
    return new net.Socket({ handle: this.#handle, allowHalfOpen: true, manualStart: true } as net.SocketConstructorOpts)
      .pause()
      .on("error", ignore);
  }
}

/** What a TCP handle tells of itself. A Unix socket's has no addresses. */
class HandleFacts implements SocketFacts {
  readonly #handle: StreamHandle;
  readonly #local: HandleAddress = {};
  readonly #remote: HandleAddress = {};

  constructor(handle: StreamHandle) {
    this.#handle = handle;
    handle.getsockname?.(this.#local);
    handle.getpeername?.(this.#remote);
  }

  get localAddress(): string | undefined {
    return this.#local.address;
  }
  get localPort(): number | undefined {
    return this.#local.port;
  }
  get remoteAddress(): string | undefined {
    return this.#remote.address;
  }
  get remotePort(): number | undefined {
    return this.#remote.port;
  }

  setNoDelay(noDelay: boolean): void {
    this.#handle.setNoDelay?.(noDelay);
  }

  setKeepAlive(enable: boolean, initialDelay: number): void {
    this.#handle.setKeepAlive?.(enable, Math.trunc(initialDelay / 1000));
  }
}

/* c8 ignore next -- only where an error comes in the few turns before the real listener is there */
function ignore(): void {}

function tellError(events: WireEvents | null, error: Error): void {
  events?.handleError(error);
}

function onHandleRead(this: WiredHandle): Buffer | undefined {
  return this[WIRE]?.handleRead();
}

function onHandleClose(this: WiredHandle): void {
  this[WIRE]?.handleClose();
}

function onWriteComplete(this: WiredRequest, status: number): void {
  this[WIRE]?.handleSent(status);
}

function onShutdownComplete(this: WiredRequest): void {
  this[WIRE]?.handleShutdown();
}
