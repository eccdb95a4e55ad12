/**
 * `SocketTransport`: asyncio's transport over a connected `net.Socket`. The one file that drives a socket. Python's `_SelectorSocketTransport`.
 *
 * Theory of operation
 *
 * Reading. Each `data` event goes to the protocol as it is. `pauseReading()` pauses the socket, which stops its reads from the system, so that
 * nothing piles up inside Node.
 *
 * Writing. What is written in one turn of the event loop is gathered and given to the socket together when the turn's promises have run: with
 * pipelined messages one system call carries dozens of answers. Whatever reaches FLUSH_BYTES goes at once, and so does everything before the size of the
 * buffer is judged, because a socket that can send takes it all and nobody has to wait. The buffer's size is what is gathered here and what the socket
 * holds.
 *
 * Ending. The life of a connection goes one way: open -> closing -> lost. `closing` means that nothing more is read or accepted for writing; `lost`, that the
 * socket is gone and `connectionLost()` has been called, exactly once, never from within a call of the protocol.
 *   - `close()` flushes and lets the socket end itself after its last byte.
 *   - `abort()` destroys the socket.
 *   - the socket's error, or a protocol method that throws, destroys it with that error.
 *   - the peer's EOF asks the protocol; unless it wants to keep our side open, that is a `close()`.
 * Node: destroys a socket by itself once both sides have ended. asyncio keeps the connection until it is closed, and programs rely on that (they
 * `drain()` after `writeEof()`), so such a connection is *released*, but not lost before `close()` or `abort()`.
 */
import type net from "node:net";
import { type Data, toBytes } from "../base/arguments.js";
import { InvalidStateError } from "../base/errors.js";
import { HIGH_WATER_BYTES } from "../base/limits.js";
import type { ExtraInfo } from "../contracts/extra-info.js";
import type { Protocol } from "../contracts/protocol.js";
import type { Transport, WriteBufferLimits, WriteData } from "../contracts/transport.js";
import type { TransportOwner } from "../contracts/transport-owner.js";
import { FlowControl } from "./flow-control.js";

/** What is gathered in a turn goes to the socket at this size: as much as a pipe or a socket takes at once, and little enough to join by copying. */
const FLUSH_BYTES = 65_536;

const TRANSPORT: unique symbol = Symbol("transport");

/** A socket with its transport, so that the handlers can be shared by all connections. */
type DrivenSocket = net.Socket & { [TRANSPORT]?: SocketTransport };

/** How a `SocketTransport` is made. */
export interface SocketTransportOptions {
  readonly protocol: Protocol;
  readonly extraInfo: Partial<ExtraInfo>;
  /** The server that accepted the connection. */
  readonly owner?: TransportOwner | undefined;
}

export class SocketTransport implements Transport {
  readonly #socket: DrivenSocket;
  readonly #extraInfo: Readonly<Record<string, unknown>>;
  readonly #owner: TransportOwner | undefined;
  readonly #flow: FlowControl = new FlowControl(HIGH_WATER_BYTES);
  #protocol: Protocol;
  #gathered: Uint8Array[] = [];
  #gatheredBytes = 0;
  #flushScheduled = false;
  #readingPaused = false;
  #eofReceived = false;
  #eofWritten = false;
  #state: "open" | "closing" | "lost" = "open";
  #released = false;
  #error: Error | null = null;
  readonly #onWritten = (): void => {
    if (this.#state !== "lost") this.#regulate();
  };

  /** @param socket connected; it belongs to the transport from now on. Nothing happens before `start()`. */
  constructor(socket: net.Socket, options: SocketTransportOptions) {
    this.#socket = socket;
    this.#protocol = options.protocol;
    this.#extraInfo = options.extraInfo;
    this.#owner = options.owner;
  }

  /** Tells the protocol that the connection stands, then begins to read. */
  start(): void {
    const socket = this.#socket;
    socket[TRANSPORT] = this;
    socket.on("error", onSocketError);
    socket.on("close", onSocketClose);
    this.#owner?.attach(this);
    this.#call(() => this.#protocol.connectionMade(this));
    if (socket.destroyed) {
      // It ended before it came to us, and its events are gone.
      this.#error ??= socket.errored ?? null;
      process.nextTick(() => this.#lose());
      return;
    }
    if (this.#state !== "open") return;
    socket.on("end", onSocketEnd);
    socket.on("data", onSocketData);
    if (socket.readableEnded) this.handleEnd();
    else if (this.#readingPaused) socket.pause();
    else if (socket.isPaused()) socket.resume();
  }

  // ---- reading -----------------------------------------------------------------------------------------------------------------

  /** @internal */
  handleData(chunk: Buffer): void {
    if (this.#state !== "open") return;
    try {
      this.#protocol.dataReceived(chunk);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** @internal */
  handleEnd(): void {
    if (this.#state !== "open" || this.#eofReceived) return;
    this.#eofReceived = true;
    this.#call(() => {
      if (this.#protocol.eofReceived() !== true) this.close();
    });
  }

  pauseReading(): void {
    if (!this.isReading()) return;
    this.#readingPaused = true;
    this.#socket.pause();
  }

  resumeReading(): void {
    if (!this.#readingPaused || this.#state !== "open") return;
    this.#readingPaused = false;
    this.#socket.resume();
  }

  isReading(): boolean {
    return this.#state === "open" && !this.#readingPaused;
  }

  // ---- writing -----------------------------------------------------------------------------------------------------------------

  write(data: WriteData): void {
    const bytes = toBytes("data", data);
    if (this.#eofWritten) throw new InvalidStateError("cannot write() after writeEof()");
    if (bytes.length === 0 || this.#state !== "open") return;
    this.#gathered.push(bytes);
    this.#gatheredBytes += bytes.length;
    if (this.#gatheredBytes >= FLUSH_BYTES) this.#flush();
    else if (!this.#flushScheduled) {
      this.#flushScheduled = true;
      // A tick that is asked for while promises run comes after the last of them.
      process.nextTick(flushGathered, this);
    }
    this.#regulate();
  }

  writelines(list: Iterable<WriteData>): void {
    if (typeof list === "string" || list instanceof Uint8Array) {
      this.write(list);
      return;
    }
    // All are checked before the first is sent.
    const pieces = Array.from(list, (data: Data, index) => toBytes(`list[${index}]`, data));
    for (const piece of pieces) this.write(piece);
  }

  /** @internal */
  flushScheduled(): void {
    this.#flushScheduled = false;
    this.#flush();
  }

  #flush(): void {
    const gathered = this.#gathered;
    if (gathered.length === 0) return;
    const bytes = this.#gatheredBytes;
    this.#gathered = [];
    this.#gatheredBytes = 0;
    const socket = this.#socket;
    if (socket.destroyed) return;
    if (gathered.length === 1) socket.write(gathered[0] as Uint8Array, this.#onWritten);
    else if (bytes <= 2 * FLUSH_BYTES) socket.write(Buffer.concat(gathered, bytes), this.#onWritten);
    else {
      socket.cork();
      for (const piece of gathered) socket.write(piece, this.#onWritten);
      socket.uncork();
    }
  }

  #regulate(): void {
    if (!this.#flow.paused) {
      if (this.getWriteBufferSize() <= this.#flow.high) return;
      this.#flush();
    }
    this.#call(() => this.#flow.check(this.getWriteBufferSize(), this.#protocol));
  }

  setWriteBufferLimits(limits?: WriteBufferLimits): void {
    this.#flow.setLimits(limits);
    this.#regulate();
  }

  getWriteBufferLimits(): [low: number, high: number] {
    return this.#flow.limits;
  }

  getWriteBufferSize(): number {
    return this.#state === "lost" ? 0 : this.#gatheredBytes + this.#socket.writableLength;
  }

  canWriteEof(): boolean {
    return true;
  }

  writeEof(): void {
    if (this.#state !== "open" || this.#eofWritten) return;
    this.#flush();
    this.#eofWritten = true;
    this.#socket.end();
  }

  // ---- ending ------------------------------------------------------------------------------------------------------------------

  close(): void {
    if (this.#state !== "open") return;
    this.#state = "closing";
    if (this.#released) {
      process.nextTick(() => this.#lose());
      return;
    }
    this.#flush();
    this.#socket.pause();
    this.#socket.destroySoon();
  }

  abort(): void {
    if (this.#state === "lost") return;
    this.#gathered = [];
    this.#gatheredBytes = 0;
    if (this.#released) {
      this.close();
      return;
    }
    this.#state = "closing";
    this.#socket.destroy();
  }

  isClosing(): boolean {
    return this.#state !== "open";
  }

  /** @internal */
  handleError(error: Error): void {
    this.#error ??= error;
    if (this.#state === "open") this.#state = "closing";
  }

  /** @internal */
  handleClose(): void {
    if (this.#state === "open" && this.#eofReceived && this.#eofWritten) {
      this.#released = true;
      this.#owner?.detach(this);
    } else this.#lose();
  }

  /** Ends the connection with an error of ours. */
  #fail(error: unknown): void {
    this.#error ??= error instanceof Error ? error : new Error(`a protocol threw ${String(error)}`, { cause: error });
    this.abort();
  }

  #lose(): void {
    if (this.#state === "lost") return;
    this.#state = "lost";
    this.#gathered = [];
    this.#gatheredBytes = 0;
    if (!this.#released) this.#owner?.detach(this);
    try {
      this.#protocol.connectionLost(this.#error);
    } catch (error) {
      // There is nobody left to tell.
      process.emitWarning(error instanceof Error ? error : String(error));
    }
  }

  /** Calls the protocol; what it throws ends the connection. */
  #call(callProtocol: () => void): void {
    try {
      callProtocol();
    } catch (error) {
      this.#fail(error);
    }
  }

  // ---- protocol and extra info -------------------------------------------------------------------------------------------------

  getExtraInfo<Key extends keyof ExtraInfo>(name: Key): ExtraInfo[Key] | null;
  getExtraInfo<Key extends keyof ExtraInfo, Default>(name: Key, defaultValue: Default): ExtraInfo[Key] | Default;
  getExtraInfo(name: string, defaultValue?: unknown): unknown;
  getExtraInfo(name: string, defaultValue: unknown = null): unknown {
    return Object.hasOwn(this.#extraInfo, name) ? this.#extraInfo[name] : defaultValue;
  }

  setProtocol(protocol: Protocol): void {
    this.#protocol = protocol;
    // CPython leaves a paused transport's new protocol in the dark, which then fills the buffer without end.
    if (this.#flow.paused) this.#call(() => protocol.pauseWriting());
  }

  getProtocol(): Protocol {
    return this.#protocol;
  }
}

function flushGathered(transport: SocketTransport): void {
  transport.flushScheduled();
}

function onSocketData(this: DrivenSocket, chunk: Buffer): void {
  this[TRANSPORT]?.handleData(chunk);
}

function onSocketEnd(this: DrivenSocket): void {
  this[TRANSPORT]?.handleEnd();
}

function onSocketError(this: DrivenSocket, error: Error): void {
  this[TRANSPORT]?.handleError(error);
}

function onSocketClose(this: DrivenSocket): void {
  this[TRANSPORT]?.handleClose();
}
