/**
 * `NodeWire`: a wire over a `net.Socket` or a `tls.TLSSocket`, driven by what Node documents. Works on every runtime, and with any socket.
 *
 * Theory of operation
 *
 * Reading. The wire listens to the socket's 'data' events. A chunk that lies in a shared pool is copied to its own memory. A paused socket
 * continues to read until its own buffer is full. If it breaks in that state, the wire holds the buffered data, and the error behind it,
 * until reading resumes.
 *
 * Writing. The socket accepts a write immediately (`writableLength` is 0 afterwards), or calls back once it has accepted it. A failed write
 * would destroy the socket, with all the data that it has received. So the wire guards the socket's writes (`guarded-writes.ts`).
 *
 * Node: a write over TLS may never complete, and no event reports that. The TLS engine also sends on its own behalf (session tickets, keys,
 * alerts). If such a send fails because the peer has vanished, the engine considers it still in progress, and later writes wait behind it.
 * To see it: Node 26, a client that leaves as soon as it has sent its part of the handshake, a server that then writes. So once the peer
 * has ended its side, the wire watches pending writes until the peer is known to be gone.
 *
 * Ending. `close()` closes a plain socket after its last byte. Over TLS it ends our side, which sends close_notify, and continues to read
 * until the peer's EOF. A peer that continues to send is cut off (`late-data.ts`).
 */

import { AsyncLocalStorage } from "node:async_hooks";
import type net from "node:net";
import type { NonSharedBuffer } from "../base/bytes.js";
import { ignore } from "../base/errors.js";
import { unpooled } from "../base/memory.js";
import { nextTick } from "../base/scheduling.js";
import { startTimeout, stopTimeout, type Timeout } from "../base/timeouts.js";
import { forgetGuard, guardWrites, unguardWrites } from "./guarded-writes.js";
import { LateData } from "./late-data.js";
import { hiddenReset, isPeerGone } from "./socket-probes.js";
import { descriptorOf } from "./stream-handle.js";
import type { SocketInfo, Wire, WireEvents } from "./wire.js";
import { isList } from "./write-batch.js";
import { copyBehind } from "./write-now.js";

/** Interval between checks of pending writes, in milliseconds. The system knows that a peer is gone after one round trip at the latest. */
const WATCH_MS = 20;

const WIRE: unique symbol = Symbol("wire");

/** A socket with its wire, so that all connections can share the handlers. */
type WiredSocket = net.Socket & { [WIRE]?: NodeWire | undefined };

/** Data that a socket had received but not delivered when it broke. */
interface Held {
  readonly chunk: NonSharedBuffer;
  readonly error: Error;
  /** Whether the socket has closed in the meantime. */
  isClosed: boolean;
}

type Run = (callback: () => void) => void;

const isBunOrDeno = process.versions["bun"] !== undefined || process.versions["deno"] !== undefined;

/**
 * Returns a function that runs a callback in the `AsyncLocalStorage` context in which the wire was created.
 *
 * Bun, Deno: emit events of a socket in a different context from the one in which it was created or accepted, such as the context of the
 * call that closes it, or in none.
 */
function contextOfWire(): Run {
  return isBunOrDeno ? AsyncLocalStorage.snapshot() : runHere;
}

function runHere(callback: () => void): void {
  callback();
}

export class NodeWire implements Wire {
  readonly #socket: WiredSocket;
  readonly #isTls: boolean;
  readonly #run: Run = contextOfWire();
  #events: WireEvents | null = null;
  #listensForData = false;
  /** Whether the system, as far as the wire knows, has not accepted everything. */
  #hasUnsent = false;
  /** Whether the transport has paused reading. A broken socket does not report that. */
  #isPaused = false;
  #held: Held | null = null;
  #readEnded = false;
  /** Whether `close()` was called. */
  #closing = false;
  /** Over TLS, after `close()`. */
  #late: LateData | null = null;
  #watch: Timeout | undefined;
  #failed = false;
  #dropped = false;
  readonly #onWritten = (error?: Error | null): void => {
    // Deno: reports the error before it destroys the socket. A destroyed socket also reports its writes as done, although they were
    // dropped.
    if (!error && !this.#socket.destroyed) this.setWritten();
  };

  /** @param socket a connected socket, which the wire owns from now on */
  constructor(socket: net.Socket) {
    this.#socket = socket;
    this.#isTls = (socket as { readonly encrypted?: boolean }).encrypted === true;
    socket.on("error", ignore);
    guardWrites(socket, this);
  }

  get fd(): number {
    return descriptorOf(this.#socket);
  }

  get unsent(): number {
    return this.#hasUnsent && !this.#failed ? this.pendingBytes : 0;
  }

  /** Number of bytes that wait in the socket. */
  protected get pendingBytes(): number {
    return this.#socket.writableLength;
  }

  get dropped(): boolean {
    return this.#dropped || (this.#hasUnsent && this.#socket.destroyed);
  }

  get destroyed(): boolean {
    return this.#socket.destroyed;
  }

  isPeerGone(): boolean {
    return this.#socket.destroyed || isPeerGone((this.#socket as { _handle?: unknown })._handle);
  }

  get errored(): Error | null {
    return this.#socket.errored ?? null;
  }

  get facts(): SocketInfo {
    return this.#socket;
  }

  listen(events: WireEvents): void {
    const isFirst = this.#events === null;
    this.#events = events;
    if (!isFirst) return; // another transport takes the wire over
    this.#socket[WIRE] = this;
    this.#socket.off("error", ignore).on("error", onSocketError).on("close", onSocketClose);
  }

  /** @internal */
  handle(event: (events: WireEvents) => void): void {
    const events = this.#events;
    if (events !== null) this.#run(() => event(events));
  }

  // ---- reading -----------------------------------------------------------------------------------------------------------------

  resume(): void {
    const socket = this.#socket;
    this.#isPaused = false;
    if (this.#held !== null) {
      nextTick(deliverHeld, this);
      return;
    }
    if (!this.#listensForData) {
      this.#listensForData = true;
      socket.on("end", onSocketEnd).on("data", onSocketData);
      if (socket.readableEnded) this.handleEnd();
    }
    if (socket.isPaused()) socket.resume();
  }

  pause(): void {
    this.#isPaused = true;
    this.#socket.pause();
  }

  deliverAll(): void {
    if (!this.#listensForData) {
      this.resume();
      this.pause();
    }
    while (this.#socket.read() !== null); // each read() emits 'data', also if the socket is paused
  }

  unread(chunk: NonSharedBuffer): void {
    this.#socket.unshift(chunk);
  }

  /** @internal */
  handleData(received: NonSharedBuffer): void {
    if (this.#closing) {
      this.#late?.check();
      return;
    }
    const chunk = unpooled(received); // a paused stream joins its buffered chunks in the pool
    if (isBunOrDeno) this.handle((events) => events.handleData(chunk));
    else this.#events?.handleData(chunk);
  }

  /** @internal */
  handleError(error: Error): void {
    const chunk = this.#socket.readableLength > 0 ? (this.#socket.read() as NonSharedBuffer | null) : null;
    if (chunk === null) {
      this.handle((events) => events.handleError(error));
      return;
    }
    this.#held = { chunk, error, isClosed: false };
    this.#failed = true;
    this.handle((events) => events.handleWriteError(error));
    if (!this.#isPaused) this.deliverHeld();
  }

  /** @internal */
  deliverHeld(): void {
    const held = this.#held;
    if (held === null || this.#isPaused) return;
    this.#held = null;
    this.handle((events) => {
      events.handleData(unpooled(held.chunk));
      events.handleError(held.error);
    });
    if (held.isClosed) this.handleClose();
  }

  /** @internal */
  handleEnd(): void {
    // After close() nothing more is delivered. Over TLS, the peer may reset the connection behind its close_notify, because it does not
    // read ours.
    const error = this.#closing ? null : hiddenReset((this.#socket as { _handle?: { fd?: unknown } | null })._handle?.fd);
    this.#readEnded = true;
    this.handle((events) => (error === null ? events.handleEnd() : events.handleError(error)));
    this.#watchWrites();
  }

  // ---- writing -----------------------------------------------------------------------------------------------------------------

  write(data: Uint8Array | readonly Uint8Array[], isForeign: boolean): boolean {
    const socket = this.#socket;
    if (this.#failed || socket.destroyed) {
      this.#dropped = true;
      return false;
    }
    try {
      this.#writePieces(isForeign && !this.#copiesAtOnce() ? copyBehind(data, 0) : data);
    } catch (error) {
      // No memory for a copy: the peer must not receive the bytes that follow.
      this.#dropped = true;
      this.handle((events) => events.handleError(error as Error));
      return false;
    }
    // Bytes that the system accepts immediately are no longer in `writableLength`. Over TLS that never happens.
    this.#hasUnsent ||= this.pendingBytes > 0;
    this.#watchWrites();
    return false; // Node does not document when it releases the memory
  }

  /** Node: the TLS engine has encrypted a write when the call returns, unless the write waits behind another one. */
  #copiesAtOnce(): boolean {
    return this.#isTls && !isBunOrDeno && !this.#hasUnsent;
  }

  /** Writes all pieces with one system call and one callback. */
  #writePieces(data: Uint8Array | readonly Uint8Array[]): void {
    const socket = this.#socket;
    if (!isList(data)) {
      socket.write(data, this.#onWritten);
      return;
    }
    socket.cork();
    data.forEach((piece, index) => {
      if (index < data.length - 1) socket.write(piece);
      else socket.write(piece, this.#onWritten);
    });
    socket.uncork();
  }

  /** The system has accepted some bytes. */
  protected setWritten(): void {
    if (!this.#hasUnsent) return;
    this.#hasUnsent = this.pendingBytes > 0;
    this.handle((events) => events.handleWritten());
  }

  #watchWrites(): void {
    if (!this.#hasUnsent || !this.#readEnded || !this.#isTls || this.#watch !== undefined) return;
    /* c8 ignore next 6 -- Node 26: on other versions and runtimes, all data is sent by then, or has failed */
    const look = (): void => {
      this.#watch = undefined;
      if (this.#failed || !this.#hasUnsent || this.#socket.destroyed) return;
      if (this.isPeerGone()) this.failWriting(Object.assign(new Error("write EPIPE"), { code: "EPIPE", syscall: "write" }));
      else this.#watchWrites();
    };
    this.#watch = startTimeout(WATCH_MS, look);
  }

  /** @internal */
  failWriting(error: Error): void {
    if (this.#failed) return;
    this.#failed = this.#dropped = true;
    // A write that fails after `destroy()` was dropped by it.
    if (!this.#socket.destroyed) this.#events?.handleWriteError(error);
  }

  end(): void {
    this.#socket.end();
  }

  // ---- ending ------------------------------------------------------------------------------------------------------------------

  close(): void {
    const socket = this.#socket;
    this.#closing = true;
    if (this.#failed) socket.destroy();
    else if (this.#isTls) {
      this.resume(); // until the peer's EOF
      if (!this.#readEnded) this.#late = this.#watchLateData();
      socket.end();
    } else {
      socket.pause();
      socket.destroySoon();
    }
  }

  #watchLateData(): LateData {
    const onTooMuch = (error: Error): void => this.handle((events) => events.handleError(error));
    return new LateData(this.#socket, () => this.pendingBytes, onTooMuch);
  }

  destroy(): void {
    const socket = this.#socket;
    // Bun, Deno: report a write some turns after the system has accepted it.
    if (!socket.destroyed && this.pendingBytes === 0) this.#hasUnsent = false;
    socket.destroy();
    this.#dropHeld();
  }

  #dropHeld(): void {
    const isClosed = this.#held?.isClosed === true;
    this.#held = null;
    if (isClosed) nextTick(closeAgain, this);
  }

  /** @internal */
  handleClose(): void {
    stopTimeout(this.#watch);
    this.#late?.stop();
    if (this.#held !== null) {
      this.#held.isClosed = true;
      return;
    }
    this.handle((events) => events.handleClose());
    this.#forget();
  }

  /**
   * Lets go of the transport, after the last event. Node: a closed `TLSSocket` stays in memory until the next full garbage collection.
   * Without this, it would keep the whole connection, and short collections would copy it: a fifth of the cost of a TLS connection.
   */
  #forget(): void {
    this.#events = null;
    this.#socket[WIRE] = undefined;
    forgetGuard(this.#socket);
  }

  /* c8 ignore start -- Bun and Deno: on Node, a wire that changes over to TLS is a HandleWire */
  release(): net.Socket {
    const socket = this.#socket;
    this.#events = null;
    unguardWrites(socket);
    return socket
      .off("data", onSocketData)
      .off("end", onSocketEnd)
      .off("error", onSocketError)
      .off("close", onSocketClose)
      .on("error", ignore);
  }
}
/* c8 ignore stop */

function deliverHeld(wire: NodeWire): void {
  wire.deliverHeld();
}

/** Reports a close that was held back with the data before it. */
function closeAgain(wire: NodeWire): void {
  wire.handleClose();
}

function onSocketData(this: WiredSocket, chunk: NonSharedBuffer): void {
  this[WIRE]?.handleData(chunk);
}

function onSocketEnd(this: WiredSocket): void {
  this[WIRE]?.handleEnd();
}

function onSocketError(this: WiredSocket, error: Error): void {
  this[WIRE]?.handleError(error);
}

function onSocketClose(this: WiredSocket): void {
  this[WIRE]?.handleClose();
}
