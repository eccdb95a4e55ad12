/**
 * `HandleWire`: a wire directly over libuv's handle, without the `net.Socket` that Node puts around it. A `net.Socket` is two streams with
 * their queues and events. A transport needs none of that, but would pay for it with every line and every connection. See
 * `stream-handle.ts` for the undocumented APIs used and the fallback, and docs/performance-notes.md for the gain.
 *
 * Theory of operation
 *
 * Reading. The handle reads into the library's memory (`read-memory.ts`) and calls `onHandleRead`, which returns the memory for the next
 * read. So memory that was handed on is never read into again, whatever happens in the meantime.
 *
 * Writing. The system immediately accepts as much as fits. If everything fits, the write is done when the call returns. Its request was not
 * used and is kept for the next write of any connection. Data that does not fit is in flight, with its request and its memory, until the
 * request's `oncomplete`. The program's memory is never in flight (`write-now.ts`). A failed write ends writing; reading continues.
 *
 * Ending. `end()` shuts our side down after the data in flight. The handle is closed when both sides have ended, or by `destroy()`. The
 * last event is reported in a later turn of the event loop. The order of the events is that of a `net.Socket`.
 */

import net from "node:net";
import type { NonSharedBuffer } from "../base/bytes.js";
import { ignore } from "../base/errors.js";
import { makeView } from "../base/memory.js";
import { nextTick } from "../base/scheduling.js";
import { BULK_BYTES, copyOut, holdBlocks, newBlock, SCRATCH } from "./read-memory.js";
import { hiddenReset, isPeerGone } from "./socket-probes.js";
import { type HandleAddress, type HandleRequest, libuvError, type NodeInternals, type StreamHandle, UNUSED } from "./stream-handle.js";
import type { SocketInfo, Wire, WireEvents } from "./wire.js";
import { isList } from "./write-batch.js";
import { copyBehind, lengthOf, writeNow } from "./write-now.js";

const WIRE: unique symbol = Symbol("wire");

type WiredHandle = StreamHandle & { [WIRE]?: HandleWire | null };

/** A request with its wire and data, so that all connections can share the handlers. */
type WiredRequest = HandleRequest & { [WIRE]?: HandleWire; data?: unknown };

/** Number of events on all handles. Two consecutive events of one handle may come from one system call. */
let events = 0;

/** An unused request, kept for the next write. */
let spareWrite: WiredRequest | null = null;

/** `ended`: the peer has ended its side, or the wire is closed. */
type ReadState = "paused" | "reading" | "ended";

/** `open`; `ended`: by `end()`; `closing`: the wire closes after the last byte; `failed`: a write failed, nothing more can be sent. */
type WriteState = "open" | "ended" | "closing" | "failed";

export class HandleWire implements Wire {
  readonly #handle: WiredHandle;
  readonly #parts: NodeInternals;
  #events: WireEvents | null = null;
  /** The memory that the handle reads into; `null` before the first read. */
  #block: NonSharedBuffer | null = null;
  #holdsBlocks = false;
  /** Bytes that were put back. */
  #unread: NonSharedBuffer | null = null;
  /** The number of the event that delivered the last data. */
  #lastData = 0;
  #inFlight = 0;
  #readState: ReadState = "paused";
  #writeState: WriteState = "open";
  #shutDown = false;
  #destroyed = false;
  #dropped = false;
  #errored: Error | null = null;

  /** @param handle a connected handle, which the wire owns from now on */
  constructor(handle: StreamHandle, parts: NodeInternals) {
    this.#handle = handle;
    this.#parts = parts;
    this.#handle[WIRE] = this;
    handle.onread = onHandleRead;
    events += 1;
  }

  get fd(): number {
    return this.#handle.fd ?? -1;
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

  get facts(): SocketInfo {
    return new HandleInfo(this.#handle);
  }

  listen(events: WireEvents): void {
    this.#events = events;
  }

  // ---- reading -----------------------------------------------------------------------------------------------------------------

  resume(): void {
    if (this.#readState !== "paused") return; // libuv refuses to start a handle that is already reading
    this.#readState = "reading";
    if (this.#unread === null) this.#checkStarted(this.#startReading());
    else nextTick(() => this.#deliverUnread());
  }

  #startReading(): number {
    if (this.#block === null) {
      this.#block = SCRATCH;
      this.#handle.useUserBuffer(SCRATCH);
    }
    return this.#handle.readStart();
  }

  #checkStarted(error: number): void {
    if (error < 0) this.#break(libuvError(error, "read"));
  }

  unread(chunk: NonSharedBuffer): void {
    this.#unread = chunk;
  }

  deliverAll(): void {
    const chunk = this.#unread;
    this.#unread = null;
    if (chunk !== null) this.#events?.handleData(chunk);
  }

  #deliverUnread(): void {
    const chunk = this.#unread;
    if (chunk === null || this.#readState !== "reading") return; // paused again
    this.#unread = null;
    const started = this.#startReading(); // first: the receiver may pause
    this.#events?.handleData(chunk);
    this.#checkStarted(started);
  }

  pause(): void {
    if (this.#readState !== "reading") return;
    this.#readState = "paused";
    this.#handle.readStop();
  }

  /** Handles a read; returns the memory for the next read if it changes. */
  handleRead(): NonSharedBuffer | undefined {
    const result = this.#parts.readResult();
    events += 1;
    if (result.kind === "nothing") return undefined;
    if (result.kind === "data") return this.#takeData(result.count);
    if (this.#destroyed) return undefined;
    if (result.kind === "error") this.#break(this.#parts.readError());
    else this.#endReading();
    return undefined;
  }

  #takeData(count: number): NonSharedBuffer {
    this.#lastData = events;
    const block = this.#block as NonSharedBuffer;
    try {
      const chunk = block === SCRATCH ? copyOut(count) : makeView(block, 0, count);
      if (!this.#destroyed) this.#events?.handleData(chunk);
    } catch (error) {
      this.#break(error as Error); // no memory for a copy
    }
    this.#block = this.#nextBlock(count);
    return this.#block;
  }

  /** Returns the memory for the next read. It is never the previous block, which was handed on, unless that is SCRATCH. */
  #nextBlock(count: number): NonSharedBuffer {
    if (this.#destroyed) return SCRATCH;
    const memory = this.#events?.nextMemory() ?? null; // does not throw
    this.#holdsBlocks = holdBlocks(this.#holdsBlocks, memory === null && count >= BULK_BYTES);
    return memory ?? (this.#holdsBlocks ? newBlock() : SCRATCH);
  }

  #endReading(): void {
    // libuv hides a reset only in the call that delivered data. In that case, no other handle was read in between.
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
    /* c8 ignore next 4 -- the transport writes nothing in these states */
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
    let rest: NonSharedBuffer;
    try {
      rest = copyBehind(data, taken);
    } catch (error) {
      this.#dropped = true;
      this.#break(error as Error); // the peer must not receive the bytes that follow
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
    // It is already done; or the peer is gone, and a read or a write will report that.
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

  /** Ends the connection because it cannot be read any more. */
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
    this.#setDestroyed(); // only this wire is destroyed
    this.#handle[WIRE] = null;
    this.#handle.reading = false; // a flag of Node's own code
    const socket = new net.Socket({ handle: this.#handle, allowHalfOpen: true, manualStart: true } as net.SocketConstructorOpts);
    if (this.#unread !== null) socket.unshift(this.#unread);
    return socket.pause().on("error", ignore);
  }
}

/** The socket properties of a TCP handle. The handle of a Unix socket has no addresses. */
class HandleInfo implements SocketInfo {
  readonly #handle: StreamHandle;
  readonly #local: HandleAddress = {};
  readonly #remote: HandleAddress = {};

  constructor(handle: StreamHandle) {
    this.#handle = handle;
    try {
      handle.getsockname?.(this.#local);
      handle.getpeername?.(this.#remote);
      /* c8 ignore next 3 -- a machine that loses a network interface at this moment */
    } catch {
      // Node: throws if the interface of a link-local address no longer exists.
    }
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

  setKeepAlive(enable: boolean, initialDelay: number, interval?: number, count?: number): void {
    this.#handle.setKeepAlive?.(enable, initialDelay / 1000, interval === undefined ? undefined : interval / 1000, count);
  }

  ref(): void {
    this.#handle.ref?.();
  }

  unref(): void {
    this.#handle.unref?.();
  }
}

function onHandleRead(this: WiredHandle): NonSharedBuffer | undefined {
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
