/**
 * `TlsHandleWire`: a wire over a `tls.TLSSocket` whose handle, Node's TLS engine in C++, is read from and written to directly, past the two streams that the socket is. The socket
 * has made the handshake; it still ends and closes, tells of errors, and is what extra info shows. Where its handle is not as expected, `securedWire()` takes `NodeWire`.
 *
 * Theory of operation
 *
 * Reading. The engine decrypts into memory of ours (`tls-memory.ts`), record by record, and calls `onHandleRead`. It goes on with the records that it has even after `readStop()`: those
 * are held until the wire may read again, and so is the end behind them.
 *
 * Writing. One write at a time: `tls-sending.ts`.
 *
 * Ending. As Node does it over TLS, a side does not end alone: after the peer's end comes ours, behind what was written, and then the socket closes. `endSecured()` is the other way round.
 */
import type net from "node:net";
import type { TLSSocket } from "node:tls";
import { NodeWire } from "./node-wire.js";
import {
  isStreamHandle,
  libuvError,
  READ_END,
  READ_NOTHING,
  type StreamHandle,
  type StreamHandles,
  streamHandles,
} from "./stream-handle.js";
import { TlsMemory } from "./tls-memory.js";
import { TlsSending } from "./tls-sending.js";
import type { SocketFacts, Wire, WireEvents } from "./wire.js";

const WIRE: unique symbol = Symbol("wire");

/** Engine and socket with their wire, so that the handlers can be shared by all connections. */
type WiredHandle = StreamHandle & { [WIRE]?: TlsHandleWire };
type WiredSocket = TLSSocket & { [WIRE]?: TlsHandleWire };

/** A secured socket with what Node does not document: its engine, twice, and the handle underneath. */
interface SecuredSocket {
  _handle?: { _parent?: unknown } | null;
  ssl?: unknown;
}

/** The wire of a socket that has just been secured. */
export function securedWire(socket: TLSSocket): Wire {
  const { _handle: engine, ssl } = socket as SecuredSocket;
  const carrier = engine?._parent;
  const parts = streamHandles();
  const isExpected = parts !== null && engine === ssl && isStreamHandle(engine) && isStreamHandle(carrier);
  const isFresh = !socket.destroyed && !socket.readableEnded && !socket.writableEnded && socket.writableLength === 0;
  return isExpected && isFresh ? new TlsHandleWire(socket, engine, carrier, parts) : new NodeWire(socket);
}

export class TlsHandleWire implements Wire {
  readonly #socket: WiredSocket;
  readonly #handle: WiredHandle;
  readonly #parts: StreamHandles;
  readonly #memory: TlsMemory = new TlsMemory();
  readonly #sending: TlsSending;
  #events: WireEvents | null = null;
  #reading = false;
  /** Whether the engine reads, which it refuses to start twice. */
  #started = false;
  /** What came while the wire did not read. */
  #held: Buffer[] = [];
  #isEndHeld = false;
  #deliveryScheduled = false;
  #readEnded = false;

  /**
   * @param socket secured, with nothing to write; it belongs to the wire from now on
   * @param engine its handle
   * @param carrier the handle underneath
   */
  constructor(socket: TLSSocket, engine: StreamHandle, carrier: StreamHandle, parts: StreamHandles) {
    this.#socket = socket;
    this.#handle = engine;
    this.#parts = parts;
    this.#sending = new TlsSending(socket, engine, carrier, parts, () => this.#events?.handleWritten());
    this.#socket[WIRE] = this;
    this.#handle[WIRE] = this;
    socket.on("error", ignore).on("end", onSocketEnd).on("finish", onSocketFinish).on("close", onSocketClose);
    this.#takeReading();
  }

  #takeReading(): void {
    const handle = this.#handle;
    handle.readStop();
    handle.onread = onHandleRead;
    handle.useUserBuffer(this.#memory.current);
    handle.reading = true; // so that Node does not start it
    const early = this.#socket.read() as Buffer | null;
    if (early !== null) this.#held.push(early);
  }

  get unsent(): number {
    return this.#sending.unsent;
  }

  get dropped(): boolean {
    return this.#socket.destroyed && this.#sending.unsent > 0;
  }

  get destroyed(): boolean {
    return this.#socket.destroyed;
  }

  get errored(): Error | null {
    return this.#socket.errored ?? null;
  }

  get facts(): SocketFacts {
    return this.#socket;
  }

  listen(events: WireEvents): void {
    this.#events = events;
    this.#socket.off("error", ignore).on("error", onSocketError);
  }

  /** @internal */
  get events(): WireEvents | null {
    return this.#events;
  }

  // ---- reading -----------------------------------------------------------------------------------------------------------------

  resume(): void {
    if (this.#reading || this.#readEnded || this.#socket.destroyed) return;
    this.#reading = true;
    if (this.#held.length === 0 && !this.#isEndHeld) this.#startReading();
    else if (!this.#deliveryScheduled) {
      this.#deliveryScheduled = true;
      process.nextTick(deliverHeld, this);
    }
  }

  #startReading(): void {
    if (this.#started) return;
    this.#started = true;
    const error = this.#handle.readStart();
    if (error < 0) this.#socket.destroy(libuvError(error, "read"));
  }

  pause(): void {
    if (!this.#reading || this.#socket.destroyed) return;
    this.#reading = this.#started = false;
    this.#handle.readStop();
  }

  /** @internal */
  deliverHeld(): void {
    this.#deliveryScheduled = false;
    while (this.#reading && this.#held.length > 0) this.#events?.handleData(this.#held.shift() as Buffer);
    if (!this.#reading || this.#socket.destroyed) return;
    if (this.#isEndHeld) this.#endReading();
    else this.#startReading();
  }

  /** After a read; returns where the next one goes, if that changes. */
  handleRead(): Buffer | undefined {
    const count = this.#parts.readResult();
    if (count > 0) return this.#deliver(count);
    if (count === READ_NOTHING || this.#socket.destroyed) return undefined;
    if (count === READ_END) this.handleEnd();
    else this.#socket.destroy(this.#parts.readError());
    return undefined;
  }

  #deliver(count: number): Buffer | undefined {
    const chunk = this.#memory.take(count);
    if (!this.#mayDeliver()) {
      this.#held.push(chunk);
      return this.#memory.next(count, null);
    }
    this.#events?.handleData(chunk);
    return this.#memory.next(count, this.#events?.nextMemory() ?? null);
  }

  #mayDeliver(): boolean {
    return this.#reading && this.#held.length === 0;
  }

  /** @internal */
  handleEnd(): void {
    if (this.#mayDeliver()) this.#endReading();
    else this.#isEndHeld = true;
  }

  #endReading(): void {
    this.#setReadEnded();
    this.#events?.handleEnd();
    this.#socket.end();
    this.closeIfEnded();
  }

  #setReadEnded(): void {
    this.#isEndHeld = false;
    this.#readEnded = true;
    this.#sending.setPeerEnded();
  }

  // ---- writing -----------------------------------------------------------------------------------------------------------------

  write(data: Uint8Array | readonly Uint8Array[]): boolean {
    if (!this.#socket.destroyed) this.#sending.write(data);
    return false; // today the engine has a copy; nobody promises that
  }

  // ---- ending ------------------------------------------------------------------------------------------------------------------

  /* c8 ignore next 3 -- over TLS a transport does not end one side */
  end(): void {
    this.#socket.end();
  }

  endSecured(): void {
    this.#held = [];
    if (this.#isEndHeld) this.#setReadEnded();
    else this.resume();
    this.#socket.end();
  }

  /** @internal */
  closeIfEnded(): void {
    if (this.#readEnded && this.#socket.writableFinished) this.#socket.destroy();
  }

  /* c8 ignore next 4 -- asked only of what does not carry TLS */
  destroySoon(): void {
    this.pause();
    this.#socket.destroySoon();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** @internal */
  handleClose(): void {
    this.#sending.stop();
    this.#memory.stop();
    this.#events?.handleClose();
  }

  /* c8 ignore next 3 -- what is secured is not secured once more */
  release(): net.Socket {
    return this.#socket;
  }
}

/* c8 ignore next -- only where an error comes in the few turns before the real listener is there */
function ignore(): void {}

function deliverHeld(wire: TlsHandleWire): void {
  wire.deliverHeld();
}

function onHandleRead(this: WiredHandle): Buffer | undefined {
  return this[WIRE]?.handleRead();
}

/** Of what Node had read before the wire was made. */
function onSocketEnd(this: WiredSocket): void {
  this[WIRE]?.handleEnd();
}

function onSocketFinish(this: WiredSocket): void {
  this[WIRE]?.closeIfEnded();
}

function onSocketError(this: WiredSocket, error: Error): void {
  this[WIRE]?.events?.handleError(error);
}

function onSocketClose(this: WiredSocket): void {
  this[WIRE]?.handleClose();
}
