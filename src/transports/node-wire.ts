/**
 * `NodeWire`: a wire over a `net.Socket` or a `tls.TLSSocket`, by what Node documents. Works on every runtime, and with any socket.
 *
 * Theory of operation
 *
 * Reading. The socket's 'data' events. Their chunks get memory of their own, where they have not. A paused socket reads on until its own buffer is full; where it breaks
 * then, what lies there is held, with the error behind it, until reading goes on.
 *
 * Writing. The socket takes a write at once (`writableLength` is 0 afterwards), or calls back when it has. A write that fails would destroy the
 * socket, with all that it has received. So `_write()` and `_writev()`, through which every write of a stream goes, are wrapped for this socket: a
 * failure is reported and not passed on. The socket takes its write to be under way for ever, and reading goes on.
 *
 * Node: a write over TLS may never be done, and no event tells of it. The TLS engine sends on its own behalf, too (session tickets, keys, alerts);
 * where that fails, because the peer has vanished, it believes to be still at it, and what is written then waits behind it. To see it: Node 26, a
 * client that leaves as soon as it has sent its part of the handshake, a server that then writes. So once the peer has ended its side, writes that
 * are under way are watched until the peer is known to be gone.
 *
 * Ending. `close()` closes a plain socket after its last byte. Over TLS it ends our side, which sends close_notify, and goes on reading until the
 * peer's end.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type net from "node:net";
import { unpooled } from "../base/memory.js";
import { isList } from "../base/outbox.js";
import { clearTimeout, nextTick, setTimeout } from "../base/scheduling.js";
import { ignore } from "../base/thrown.js";
import { hiddenReset } from "./hidden-reset.js";
import { isPeerGone } from "./peer-gone.js";
import type { SocketFacts, Wire, WireEvents } from "./wire.js";
import { copyBehind } from "./write-now.js";

/** How often writes are watched. The system knows of a peer that is gone after a round trip at the latest. */
const WATCH_MS = 20;

const WIRE: unique symbol = Symbol("wire");

/** A socket with its wire, so that the handlers can be shared by all connections. */
type WiredSocket = net.Socket & { [WIRE]?: NodeWire | undefined };

/** What a socket had received and not delivered when it broke. */
interface Held {
  readonly chunk: Buffer;
  readonly error: Error;
  /** Whether the socket has told of its close meanwhile. */
  isClosed: boolean;
}

type Run = (callback: () => void) => void;

const isBunOrDeno = process.versions["bun"] !== undefined || process.versions["deno"] !== undefined;

/**
 * Runs a callback in the `AsyncLocalStorage` context in which the wire was made.
 *
 * Bun, Deno: call for events of a socket in another context than that in which it was made or accepted, such as that of the call that closes it, or
 * in none.
 */
function contextOfWire(): Run {
  return isBunOrDeno ? AsyncLocalStorage.snapshot() : (callback) => callback();
}

type Done = (error?: Error | null) => void;

export class NodeWire implements Wire {
  readonly #socket: WiredSocket;
  readonly #isTls: boolean;
  readonly #run: Run = contextOfWire();
  #events: WireEvents | null = null;
  #listensForData = false;
  /** Whether the system, as far as is known, has not taken everything. */
  #hasUnsent = false;
  /** As the transport wants it: a socket that has broken does not say. */
  #isPaused = false;
  #held: Held | null = null;
  #readEnded = false;
  #watch: NodeJS.Timeout | undefined;
  #failed = false;
  #dropped = false;
  readonly #onWritten = (error?: Error | null): void => {
    // Deno: reports the error before it destroys the socket. A socket that is destroyed reports its writes as done, too: they were dropped.
    if (!error && !this.#socket.destroyed) this.#setWritten();
  };

  /** @param socket connected; it belongs to the wire from now on */
  constructor(socket: net.Socket) {
    this.#socket = socket;
    this.#isTls = (socket as { readonly encrypted?: boolean }).encrypted === true;
    socket.on("error", ignore);
    wrapWriting(socket, (error) => this.#failWriting(error));
  }

  get unsent(): number {
    return this.#hasUnsent && !this.#failed ? this.#socket.writableLength : 0;
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

  get facts(): SocketFacts {
    return this.#socket;
  }

  listen(events: WireEvents): void {
    this.#events = events;
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

  /** @internal */
  handleData(received: Buffer): void {
    const chunk = unpooled(received); // a stream that was paused joins what it has in the pool
    if (isBunOrDeno) this.handle((events) => events.handleData(chunk));
    else this.#events?.handleData(chunk);
  }

  /** @internal */
  handleError(error: Error): void {
    const chunk = this.#socket.readableLength > 0 ? (this.#socket.read() as Buffer | null) : null;
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
      if (held.isClosed) events.handleClose();
    });
  }

  /** @internal */
  handleEnd(): void {
    const error = hiddenReset((this.#socket as { _handle?: { fd?: unknown } | null })._handle?.fd);
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
      // No memory for a copy: the peer is never to have what follows.
      this.#dropped = true;
      this.handle((events) => events.handleError(error as Error));
      return false;
    }
    // What the system takes at once is counted off at once. Over TLS that never happens.
    this.#hasUnsent ||= socket.writableLength > 0;
    this.#watchWrites();
    return false; // it is not documented when Node lets go of the memory
  }

  /** Node: the TLS engine has encrypted a write when the call returns, unless it waits behind another. */
  #copiesAtOnce(): boolean {
    return this.#isTls && !isBunOrDeno && !this.#hasUnsent;
  }

  /** One system call, and one callback. */
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

  #setWritten(): void {
    if (!this.#hasUnsent) return;
    this.#hasUnsent = this.#socket.writableLength > 0;
    this.handle((events) => events.handleWritten());
  }

  #watchWrites(): void {
    if (!this.#readEnded || !this.#isTls || this.#watch !== undefined) return;
    /* c8 ignore next 6 -- Node 26: elsewhere nothing is left to be sent by then, or it has failed */
    const look = (): void => {
      this.#watch = undefined;
      if (this.#failed || !this.#hasUnsent || this.#socket.destroyed) return;
      if (this.isPeerGone()) this.#failWriting(Object.assign(new Error("write EPIPE"), { code: "EPIPE", syscall: "write" }));
      else this.#watchWrites();
    };
    this.#watch = setTimeout(look, WATCH_MS);
  }

  #failWriting(error: Error): void {
    if (this.#failed) return;
    this.#failed = this.#dropped = true;
    // What fails after our own end was dropped by it.
    if (!this.#socket.destroyed) this.#events?.handleWriteError(error);
  }

  end(): void {
    this.#socket.end();
  }

  // ---- ending ------------------------------------------------------------------------------------------------------------------

  close(): void {
    const socket = this.#socket;
    if (this.#failed) socket.destroy();
    else if (this.#isTls) {
      this.resume(); // until the peer's end
      socket.end();
    } else {
      socket.pause();
      socket.destroySoon();
    }
  }

  destroy(): void {
    const socket = this.#socket;
    // Bun, Deno: tell of a write some turns after the system has taken it.
    if (!socket.destroyed && socket.writableLength === 0) this.#hasUnsent = false;
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
    clearTimeout(this.#watch);
    if (this.#held === null) this.handle((events) => events.handleClose());
    else this.#held.isClosed = true;
  }

  /* c8 ignore start -- Bun and Deno: on Node what is secured later is a HandleWire */
  release(): net.Socket {
    const socket = this.#socket;
    this.#events = null;
    unwrapWriting(socket);
    return socket
      .off("data", onSocketData)
      .off("end", onSocketEnd)
      .off("error", onSocketError)
      .off("close", onSocketClose)
      .on("error", ignore);
  }
}

function unwrapWriting(socket: net.Socket): void {
  for (const method of ["_write", "_writev"] as const) delete (socket as Partial<net.Socket>)[method];
}
/* c8 ignore stop */

/** Reports a write that fails to `onFailure` in place of the stream, which would destroy the socket. */
function wrapWriting(socket: net.Socket, onFailure: (error: Error) => void): void {
  const unlessFailed =
    (done: Done): Done =>
    (error) =>
      error ? onFailure(error) : done();
  const write = socket._write.bind(socket);
  const writev = socket._writev?.bind(socket); // not on every runtime
  socket._write = (chunk: unknown, encoding, done) => write(chunk, encoding, unlessFailed(done));
  if (writev !== undefined) socket._writev = (chunks, done) => writev(chunks, unlessFailed(done));
}

function deliverHeld(wire: NodeWire): void {
  wire.deliverHeld();
}

/** The close that was held with what lay before it. */
function closeAgain(wire: NodeWire): void {
  wire.handleClose();
}

function onSocketData(this: WiredSocket, chunk: Buffer): void {
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
