/**
 * `HandleWire`: a wire over libuv's handle itself, without the `net.Socket` that Node puts around it. A `net.Socket` is two streams with their
 * queues and events, for programs that want streams; a transport needs none of that, and pays for it with every line and every connection. See
 * `stream-handle.ts` for the undocumented APIs used and the fallback, docs/performance-notes.md for what it brings.
 *
 * Theory of operation
 *
 * Reading. The handle reads into memory of ours (`read-memory.ts`) and calls `onHandleRead`, which returns where the next read goes. So what was
 * handed on is not read into again, whatever happens meanwhile.
 *
 * Writing. The system takes what fits at once, and then the write is done when the call returns: the request that stands for it was not used, and
 * is kept for the next write of any connection. What does not fit is in flight, with its request and its memory, until the request's
 * `oncomplete`. Memory of the program's is never in flight (`write-now.ts`). A write that fails ends writing; reading goes on.
 *
 * Ending. `end()` shuts our side down after what is in flight. When both sides have ended, or with `destroy()`, the handle is closed, and the
 * last event comes from a later turn of the event loop. The order of the events is that of a `net.Socket`.
 */
import net from "node:net";
import { isList } from "../base/outbox.js";
import { nextTick } from "../base/scheduling.js";
import { ignore } from "../base/thrown.js";
import { makeView } from "../base/views.js";
import { hiddenReset } from "./hidden-reset.js";
import { isPeerGone } from "./peer-gone.js";
import { BULK_BYTES, copyOut, holdBlocks, newBlock, SCRATCH } from "./read-memory.js";
import { type HandleAddress, type HandleRequest, libuvError, type StreamHandle, type StreamHandles, UNUSED } from "./stream-handle.js";
import type { SocketFacts, Wire, WireEvents } from "./wire.js";
import { copyBehind, lengthOf, writeNow } from "./write-now.js";

const WIRE: unique symbol = Symbol("wire");

type WiredHandle = StreamHandle & { [WIRE]?: HandleWire | null };

/** A request with what belongs to it, so that the handlers can be shared by all connections. */
type WiredRequest = HandleRequest & { [WIRE]?: HandleWire; data?: unknown };

/** How many events there have been on all handles: two in a row of one handle may come from one call of the system. */
let events = 0;

/** The request of the next write. */
let spareWrite: WiredRequest | null = null;

/** `ended`: the peer has ended its side, or the wire is closed. */
type ReadState = "paused" | "reading" | "ended";

/** `open`; `ended`: by `end()`; `closing`: the wire closes after the last byte; `failed`: a write failed, nothing more can be sent. */
type WriteState = "open" | "ended" | "closing" | "failed";

export class HandleWire implements Wire {
  readonly #handle: WiredHandle;
  readonly #parts: StreamHandles;
  #events: WireEvents | null = null;
  /** Where the handle reads into; `null` before the first read. */
  #block: Buffer | null = null;
  #holdsBlocks = false;
  /** Which of all events has brought the last data. */
  #lastData = 0;
  #inFlight = 0;
  #readState: ReadState = "paused";
  #writeState: WriteState = "open";
  #shutDown = false;
  #destroyed = false;
  #dropped = false;
  #errored: Error | null = null;

  /** @param handle connected; it belongs to the wire from now on */
  constructor(handle: StreamHandle, parts: StreamHandles) {
    this.#handle = handle;
    this.#parts = parts;
    this.#handle[WIRE] = this;
    handle.onread = onHandleRead;
    events += 1;
  }

  get unsent(): number {
    return this.#inFlight === 0 || this.#destroyed || this.#writeState === "failed" ? 0 : this.#handle.writeQueueSize;
  }

  get dropped(): boolean {
    return this.#dropped;
  }

  get destroyed(): boolean {
    return this.#destroyed;
  }

  isPeerGone(): boolean {
    return this.#destroyed || isPeerGone(this.#handle);
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
    if (this.#readState !== "paused") return; // libuv refuses to start what reads
    this.#readState = "reading";
    if (this.#block === null) {
      this.#block = SCRATCH;
      this.#handle.useUserBuffer(SCRATCH);
    }
    const error = this.#handle.readStart();
    if (error < 0) this.#break(libuvError(error, "read"));
  }

  pause(): void {
    if (this.#readState !== "reading") return;
    this.#readState = "paused";
    this.#handle.readStop();
  }

  /** After a read; returns where the next one goes, if that changes. */
  handleRead(): Buffer | undefined {
    const result = this.#parts.readResult();
    events += 1;
    if (result.kind === "nothing") return undefined;
    if (result.kind === "data") return this.#takeData(result.count);
    if (this.#destroyed) return undefined;
    if (result.kind === "error") this.#break(this.#parts.readError());
    else this.#endReading();
    return undefined;
  }

  #takeData(count: number): Buffer {
    this.#lastData = events;
    const block = this.#block as Buffer;
    try {
      const chunk = block === SCRATCH ? copyOut(count) : makeView(block, 0, count);
      if (!this.#destroyed) this.#events?.handleData(chunk);
    } catch (error) {
      this.#break(error as Error); // no memory for a copy
    }
    this.#block = this.#nextBlock(count);
    return this.#block;
  }

  /** Never the last one, unless that is SCRATCH: what lay there was handed on. */
  #nextBlock(count: number): Buffer {
    if (this.#destroyed) return SCRATCH;
    const memory = this.#events?.nextMemory() ?? null; // does not throw
    this.#holdsBlocks = holdBlocks(this.#holdsBlocks, memory === null && count >= BULK_BYTES);
    return memory ?? (this.#holdsBlocks ? newBlock() : SCRATCH);
  }

  #endReading(): void {
    // A reset is only hidden in the call that has brought data: no other handle was read in between.
    const error = this.#lastData === events - 1 ? hiddenReset(this.#handle.fd) : null;
    if (error !== null) {
      this.#break(error);
      return;
    }
    this.#readState = "ended";
    this.#events?.handleEnd();
    this.#closeIfEnded();
  }

  // ---- writing -----------------------------------------------------------------------------------------------------------------

  write(data: Uint8Array | readonly Uint8Array[], isForeign: boolean): boolean {
    /* c8 ignore next 4 -- the transport does not write any more then */
    if (this.#destroyed || this.#writeState === "failed") {
      this.#dropped = true;
      return false;
    }
    if (!isForeign) return this.#send(data);
    let taken: number;
    try {
      taken = this.#inFlight === 0 ? writeNow(this.#handle.fd, data) : 0;
    } catch (error) {
      this.#failWriting(error as Error);
      return false;
    }
    if (taken === (isList(data) ? lengthOf(data) : data.length)) return true;
    let rest: Buffer;
    try {
      rest = copyBehind(data, taken);
    } catch (error) {
      this.#dropped = true;
      this.#break(error as Error); // the peer is never to have what follows
      return false;
    }
    return this.#send(rest);
  }

  #send(data: Uint8Array | readonly Uint8Array[]): boolean {
    const handle = this.#handle;
    const request: WiredRequest = (spareWrite ??= new this.#parts.WriteWrap());
    const error = isList(data) ? handle.writev(request, data, true) : handle.writeBuffer(request, data);
    if (error !== 0) {
      this.#failWriting(libuvError(error, "write"));
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
    if (this.#destroyed || this.#writeState === "failed") return;
    if (status < 0) {
      this.#failWriting(libuvError(status, "write"));
      return;
    }
    this.#events?.handleWritten();
    if (this.#writeState === "closing" && this.#inFlight === 0) this.destroy();
  }

  #failWriting(error: Error): void {
    this.#writeState = "failed";
    this.#dropped = true;
    this.#errored ??= error;
    this.#events?.handleWriteError(error);
  }

  end(): void {
    if (this.#destroyed || this.#writeState !== "open") return;
    this.#writeState = "ended";
    const request: WiredRequest = new this.#parts.ShutdownWrap();
    request[WIRE] = this;
    request.oncomplete = onShutdownComplete;
    const error = this.#handle.shutdown(request);
    // Done already; or the peer has gone, and a read or a write is going to tell of it.
    if (error !== 0) nextTick(() => this.handleShutdown());
  }

  handleShutdown(): void {
    this.#shutDown = true;
    this.#closeIfEnded();
  }

  // ---- ending ------------------------------------------------------------------------------------------------------------------

  #closeIfEnded(): void {
    if (this.#readState === "ended" && this.#shutDown) this.destroy();
  }

  /** Reading failed, and with it the connection. */
  #break(error: Error): void {
    if (this.#destroyed) return;
    this.#errored ??= error;
    this.destroy();
    this.#events?.handleError(error);
  }

  close(): void {
    this.pause();
    if (this.#inFlight === 0 || this.#writeState === "failed") this.destroy();
    else this.#writeState = "closing";
  }

  destroy(): void {
    if (this.#destroyed) return;
    this.#setDestroyed();
    if (this.#inFlight > 0) this.#dropped = true;
    this.#handle.close(onHandleClose);
  }

  #setDestroyed(): void {
    this.#destroyed = true;
    this.#readState = "ended";
    this.#holdsBlocks = holdBlocks(this.#holdsBlocks, false);
  }

  handleClose(): void {
    events += 1;
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
