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
 * Over TLS, `close()` sends close_notify and waits for the peer's, at most for the shutdown time-out. A side cannot be ended alone.
 *
 * Changing over to TLS. `startTls()` empties the socket, takes our handlers off it, puts what was read ahead back into it, and makes the handshake. A new
 * transport then drives the secured socket, for the same protocol; this one is lost, without the protocol being told.
 *
 * Node: destroys a socket by itself once both sides have ended. asyncio keeps the connection until it is closed, and programs rely on that (they
 * `drain()` after `writeEof()`), so such a connection is *released*, but not lost before `close()` or `abort()`.
 */
import type net from "node:net";
import type { TLSSocket } from "node:tls";
import { show, toBytes, toPieces } from "../base/arguments.js";
import { ConnectionLostError, ConnectionTimeoutError, InvalidStateError, notSentError } from "../base/errors.js";
import { FlowControl } from "../base/flow-control.js";
import { HIGH_WATER_BYTES, TLS_HIGH_WATER_BYTES } from "../base/limits.js";
import { DONE, type WaitEnd, Waiters } from "../base/waiting.js";
import type { Protocol, TlsUpgrade, Transport, WriteBufferLimits, WriteData } from "../contracts/connection.js";
import type { ExtraInfo } from "../contracts/extra-info.js";
import type { SSLClient, SSLServer } from "../contracts/tls.js";
import type { ByteCounts, TransportOwner } from "../contracts/transport-owner.js";
import { now, tellClosed, tellPaused, tellResumed, tellSecured } from "./diagnostics.js";
import { SharedReadSocket } from "./shared-read-socket.js";
import { ClientHandshake, ServerHandshakes } from "./tls-handshake.js";
import { tlsExtraInfo } from "./tls-info.js";

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
  /** The host it was opened to, whose certificate is expected if it changes over to TLS. */
  readonly host?: string | undefined;
  /** Milliseconds that the end of TLS may take; set if and only if the socket is a `tls.TLSSocket`. */
  readonly tlsShutdownTimeout?: number | undefined;
}

export class SocketTransport implements Transport, ByteCounts {
  readonly #socket: DrivenSocket;
  readonly #extraInfo: Readonly<Record<string, unknown>>;
  readonly #owner: TransportOwner | undefined;
  readonly #host: string | undefined;
  readonly #tlsShutdownTimeout: number | undefined;
  readonly #flow: FlowControl;
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
  /** Set while the connection changes over to TLS; aborting it ends the handshake. */
  #upgrade: AbortController | null = null;
  #shutdownTimer: NodeJS.Timeout | undefined;
  #begunAt = now();
  #bytesRead = 0;
  #bytesWritten = 0;
  /** Those who wait for the socket to have written everything. */
  readonly #written: Waiters = new Waiters();
  readonly #onWritten = (error?: Error | null): void => {
    // A socket that is destroyed reports its writes as done, too: they were dropped. Deno: reports the error before it destroys the socket.
    if (error) return;
    if (this.#state === "lost" || this.#socket.destroyed) return;
    if (this.#socket.writableLength === 0) this.#written.wake();
    this.#regulate();
  };

  /** @param socket connected; it belongs to the transport from now on. Nothing happens before `start()`. */
  constructor(socket: net.Socket, options: SocketTransportOptions) {
    this.#socket = socket;
    this.#protocol = options.protocol;
    this.#extraInfo = options.extraInfo;
    this.#owner = options.owner;
    this.#host = options.host;
    this.#tlsShutdownTimeout = options.tlsShutdownTimeout;
    this.#flow = new FlowControl(this.#isTls ? TLS_HIGH_WATER_BYTES : HIGH_WATER_BYTES);
  }

  get #isTls(): boolean {
    return this.#tlsShutdownTimeout !== undefined;
  }

  /** Tells the protocol that the connection stands, then begins to read. */
  start(): void {
    this.#attach();
    this.#call(() => this.#protocol.connectionMade(this));
    this.#beginReading();
  }

  #attach(): void {
    this.#socket[TRANSPORT] = this;
    this.#socket.on("error", onSocketError);
    this.#socket.on("close", onSocketClose);
    this.#owner?.attach(this);
  }

  #beginReading(): void {
    const socket = this.#socket;
    if (socket.destroyed) {
      // It ended before it came to us, and its events are gone.
      this.#error ??= socket.errored ?? null;
      process.nextTick(() => this.#lose());
      return;
    }
    if (this.#state !== "open") return;
    socket.on("end", onSocketEnd);
    if (socket instanceof SharedReadSocket) socket.sink = this;
    else socket.on("data", onSocketData);
    if (socket.readableEnded) this.handleEnd();
    else if (this.#readingPaused) socket.pause();
    else if (socket.isPaused()) socket.resume();
  }

  // ---- reading -----------------------------------------------------------------------------------------------------------------

  /** @internal */
  handleData(chunk: Buffer): void {
    if (this.#state !== "open") return;
    this.#bytesRead += chunk.length;
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
    tellPaused(this, "reading");
  }

  resumeReading(): void {
    if (!this.#readingPaused || this.#state !== "open") return;
    this.#readingPaused = false;
    this.#socket.resume();
    tellResumed(this, "reading");
  }

  isReading(): boolean {
    return this.#state === "open" && !this.#readingPaused;
  }

  // ---- writing -----------------------------------------------------------------------------------------------------------------

  write(data: WriteData): void {
    const bytes = toBytes("data", data);
    if (this.#eofWritten) throw new InvalidStateError("cannot write() after writeEof()");
    if (this.#upgrade !== null) throw new InvalidStateError("cannot write() during startTls()");
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
    const pieces = toPieces(list);
    if (this.#eofWritten) throw new InvalidStateError("cannot writelines() after writeEof()");
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
    this.#bytesWritten += bytes;
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
    this.#call(() => this.#flow.check(this.getWriteBufferSize(), this));
  }

  /** @internal */
  pauseWriting(): void {
    tellPaused(this, "writing");
    this.#protocol.pauseWriting();
  }

  /** @internal */
  resumeWriting(): void {
    tellResumed(this, "writing");
    this.#protocol.resumeWriting();
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

  /** @internal */
  flushed(signal: WaitEnd | undefined): Promise<void> {
    if (this.#released) return DONE; // both sides have ended, so it was sent
    this.#flush();
    if (this.#state === "lost" || this.#socket.destroyed) return Promise.reject(notSentError(this.#error));
    return this.#socket.writableLength === 0 ? DONE : this.#written.wait(signal);
  }

  canWriteEof(): boolean {
    return !this.#isTls;
  }

  writeEof(): void {
    if (this.#isTls) throw new InvalidStateError("cannot writeEof(): over TLS a side cannot be ended alone");
    if (this.#state !== "open" || this.#eofWritten) return;
    this.#flush();
    this.#eofWritten = true;
    this.#socket.end();
  }

  // ---- ending ------------------------------------------------------------------------------------------------------------------

  close(): void {
    if (this.#state !== "open") return;
    this.#state = "closing";
    if (this.#released) process.nextTick(() => this.#lose());
    else if (this.#upgrade !== null) this.#giveUpUpgrade(this.#upgrade);
    else {
      this.#flush();
      if (this.#isTls) this.#shutDownTls();
      else {
        this.#socket.pause();
        this.#socket.destroySoon();
      }
    }
  }

  /** Sends close_notify after what was written, and waits for the peer's, which ends the socket; what comes before it is dropped. */
  #shutDownTls(): void {
    const timeoutMs = this.#tlsShutdownTimeout as number;
    this.#shutdownTimer = setTimeout(() => {
      this.abort(new ConnectionTimeoutError(`the TLS shutdown took longer than ${timeoutMs} ms: the connection was cut`));
    }, timeoutMs);
    this.#socket.resume();
    this.#socket.end();
  }

  abort(reason?: Error): void {
    if (this.#state === "lost") return;
    if (reason !== undefined) this.#error ??= reason;
    this.#gathered = [];
    this.#gatheredBytes = 0;
    if (this.#released) {
      this.close();
      return;
    }
    this.#state = "closing";
    if (this.#upgrade !== null) this.#giveUpUpgrade(this.#upgrade);
    else this.#socket.destroy();
  }

  #giveUpUpgrade(upgrade: AbortController): void {
    upgrade.abort();
    this.#socket.destroy();
  }

  isClosing(): boolean {
    return this.#state !== "open";
  }

  /** @internal */
  handleError(error: Error): void {
    this.#error ??= error;
    if (this.#state === "open") this.#state = "closing";
    // Node: leaves a socket open whose TLS breaks after the handshake.
    this.#socket.destroy();
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
    this.abort(error instanceof Error ? error : new Error(`a protocol threw ${show(error)}`, { cause: error }));
  }

  #lose(during: "connection" | "tls-upgrade" = "connection"): void {
    if (this.#state === "lost") return;
    this.#state = "lost";
    this.#gathered = [];
    this.#gatheredBytes = 0;
    clearTimeout(this.#shutdownTimer);
    this.#written.fail(() => notSentError(this.#error));
    if (!this.#released) this.#owner?.detach(this);
    tellClosed(this, this.#error, during, this.#begunAt);
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

  // ---- changing over to TLS ----------------------------------------------------------------------------------------------------

  /** @internal */
  async startTls(upgrade: TlsUpgrade): Promise<Transport> {
    if (this.#isTls) throw new InvalidStateError("cannot startTls(): the connection is secured by TLS already");
    if (this.#upgrade !== null) throw new InvalidStateError("cannot startTls(): it is under way already");
    if (this.#eofReceived || this.#eofWritten) throw new InvalidStateError("cannot startTls(): one side of the connection has ended");
    if (this.#state !== "open") throw new ConnectionLostError("cannot startTls(): the connection is closed");
    const handshake = this.#handshakeFor(upgrade);
    const controller = new AbortController();
    this.#upgrade = controller;
    const begunAt = now();
    const socket = this.#socket;
    socket.pause();
    this.#flush();
    // The TLS engine writes past what the socket still holds, so the socket has to be empty first.
    try {
      if (socket.writableLength > 0) await this.#written.wait();
      if (this.#state !== "open" || socket.destroyed) throw notSentError(this.#error);
      this.#detach();
      this.#putBack(upgrade.takeReadAhead(), upgrade.role);
      const secured = await handshake.secure(socket, upgrade.sslHandshakeTimeout, controller.signal);
      const successor = this.#handOver(secured, upgrade);
      tellSecured(successor, upgrade.role, begunAt);
      return successor;
    } catch (error) {
      const closed = controller.signal.aborted;
      this.#upgrade = null;
      socket.destroy();
      if (!closed) this.#error ??= error as Error;
      this.#lose("tls-upgrade");
      throw closed ? new ConnectionLostError("cannot startTls(): the connection was closed meanwhile") : error;
    }
  }

  /** Made before anything is touched: it throws if the options do not make TLS. */
  #handshakeFor({ role, ssl, serverHostname }: TlsUpgrade): ClientHandshake | ServerHandshakes {
    if (role === "server") return new ServerHandshakes(ssl as SSLServer);
    // Where no name is known (a Unix socket), Node's own default.
    return new ClientHandshake(ssl as SSLClient, serverHostname ?? this.#host ?? "localhost");
  }

  /**
   * Puts back what was read ahead. For a server that is the beginning of the client's handshake. A server never speaks first in TLS: what a client has unread came in the
   * clear, perhaps from somebody in the middle who wants it to be taken for secured.
   */
  #putBack(readAhead: Buffer, role: TlsUpgrade["role"]): void {
    if (readAhead.length === 0) return;
    if (role === "client") throw new InvalidStateError(`cannot startTls(): ${readAhead.length} bytes that came in the clear were not read`);
    this.#socket.unshift(readAhead);
    this.#bytesRead -= readAhead.length;
  }

  /** Leaves the socket alone, so that TLS can have it. */
  #detach(): void {
    this.#socket.off("data", onSocketData).off("end", onSocketEnd).off("error", onSocketError).off("close", onSocketClose);
    this.#socket.on("error", ignore);
  }

  #handOver(secured: TLSSocket, upgrade: TlsUpgrade): Transport {
    const successor = new SocketTransport(secured, {
      protocol: this.#protocol,
      extraInfo: { ...this.#extraInfo, ...tlsExtraInfo(secured, upgrade.ssl) },
      owner: this.#owner,
      host: this.#host,
      tlsShutdownTimeout: upgrade.sslShutdownTimeout,
    });
    // The counts go on there.
    successor.#begunAt = this.#begunAt;
    successor.#bytesRead = this.#bytesRead;
    successor.#bytesWritten = this.#bytesWritten;
    this.#bytesRead = this.#bytesWritten = 0;
    successor.#attach();
    this.#upgrade = null;
    this.#state = "lost";
    this.#owner?.detach(this);
    upgrade.onSecured(successor);
    if (this.#flow.paused) this.#call(() => this.resumeWriting());
    successor.#beginReading();
    return successor;
  }

  // ---- what is told of it -------------------------------------------------------------------------------------------------------

  /** Bytes received, before encryption. */
  get bytesRead(): number {
    return this.#bytesRead;
  }

  /** Bytes handed to the socket, before encryption. */
  get bytesWritten(): number {
    return this.#bytesWritten;
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

/* c8 ignore next -- only where an error comes in the few turns before the real listener is there */
function ignore(): void {}

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
