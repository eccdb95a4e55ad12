/**
 * `SocketTransport`: asyncio's transport over a connected socket. Python's `_SelectorSocketTransport`. The socket itself is driven by a *wire*: `HandleWire` or `TlsHandleWire`, the fast
 * ones, or `NodeWire`, the documented one.
 *
 * Theory of operation
 *
 * Reading. What the wire reads goes to the protocol as it is. `pauseReading()` stops its reads from the system, so that nothing piles up on the way.
 *
 * Writing. What is written in one turn is gathered (`sending.ts`). Everything goes to the wire before the size of the buffer is judged, because a socket that can send takes it
 * all and nobody has to wait. The buffer's size is what is gathered and what the wire has.
 *
 * Ending. The life of a connection goes one way: open -> closing -> lost. `closing` means that nothing more is read or accepted for writing; `lost`, that the
 * socket is gone and `connectionLost()` has been called, exactly once, never from within a call of the protocol.
 *   - `close()` flushes and lets the wire close itself after its last byte.
 *   - `abort()` closes the wire.
 *   - the wire's error, or a protocol method that throws, closes it with that error.
 *   - the peer's EOF asks the protocol; unless it wants to keep our side open, that is a `close()`.
 * Over TLS, `close()` sends close_notify and waits for the peer's, at most for the shutdown time-out. A side cannot be ended alone.
 *
 * Changing over to TLS. `startTls()` empties the wire, turns it into a `net.Socket`, puts what was read ahead back into it, and makes the handshake (`tls-upgrade.ts`). A new
 * transport then drives the secured socket, for the same protocol; this one is lost, without the protocol being told.
 *
 * Node: destroys a socket by itself once both sides have ended. asyncio keeps the connection until it is closed, and programs rely on that (they
 * `drain()` after `writeEof()`), so such a connection is *released*, but not lost before `close()` or `abort()`.
 */
import type { TLSSocket } from "node:tls";
import { checkError, checkProtocol, toBytes, toPieces } from "../base/arguments.js";
import { ConnectionLostError, ConnectionTimeoutError, InvalidStateError, notSentError } from "../base/errors.js";
import { FlowControl } from "../base/flow-control.js";
import { HIGH_WATER_BYTES, TLS_HIGH_WATER_BYTES } from "../base/limits.js";
import { asError, warnOf } from "../base/thrown.js";
import { DONE, type WaitEnd, Waiters } from "../base/waiting.js";
import type { Protocol, TlsUpgrade, Transport, WriteBufferLimits, WriteData } from "../contracts/connection.js";
import type { ExtraInfo } from "../contracts/extra-info.js";
import type { ByteCounts, TransportOwner } from "../contracts/transport-owner.js";
import { now, tellClosed, tellPaused, tellResumed, tellSecured } from "./diagnostics.js";
import { Sending } from "./sending.js";
import type { ConnectedSocket } from "./socket-info.js";
import { securedWire } from "./tls-handle-wire.js";
import { tlsExtraInfo } from "./tls-info.js";
import { TlsChange } from "./tls-upgrade.js";
import type { Wire, WireEvents } from "./wire.js";

/** How a `SocketTransport` is made. */
export interface SocketTransportOptions {
  readonly protocol: Protocol;
  readonly info: ConnectedSocket;
  /** What is told of its TLS, if it has any. */
  readonly tlsInfo?: Partial<ExtraInfo> | undefined;
  /** The server that accepted the connection. */
  readonly owner?: TransportOwner | undefined;
  /** The host it was opened to, whose certificate is expected if it changes over to TLS. */
  readonly host?: string | undefined;
  /** Milliseconds that the end of TLS may take; set if and only if the wire is over a `tls.TLSSocket`. */
  readonly tlsShutdownTimeout?: number | undefined;
}

export class SocketTransport implements Transport, ByteCounts, WireEvents {
  readonly #wire: Wire;
  readonly #sending: Sending;
  readonly #info: ConnectedSocket;
  readonly #tlsInfo: Readonly<Record<string, unknown>> | undefined;
  readonly #owner: TransportOwner | undefined;
  readonly #host: string | undefined;
  readonly #tlsShutdownTimeout: number | undefined;
  readonly #isTls: boolean;
  /** Made when the buffer first grows beyond the default, or its marks are asked for: by few connections. */
  #flowIfAny: FlowControl | null = null;
  #protocol: Protocol;
  #readingPaused = false;
  #eofReceived = false;
  #eofWritten = false;
  #state: "open" | "closing" | "lost" = "open";
  #released = false;
  #error: Error | null = null;
  /** Set while the connection changes over to TLS. */
  #upgrade: TlsChange | null = null;
  #shutdownTimer: NodeJS.Timeout | undefined;
  #begunAt = now();
  #bytesRead = 0;
  /** Those who wait for the system to have taken everything. */
  #written: Waiters | null = null;

  /** @param wire connected; it belongs to the transport from now on. Nothing happens before `start()`. */
  constructor(wire: Wire, options: SocketTransportOptions) {
    this.#wire = wire;
    this.#sending = new Sending(wire);
    this.#protocol = options.protocol;
    this.#info = options.info;
    this.#tlsInfo = options.tlsInfo;
    this.#owner = options.owner;
    this.#host = options.host;
    this.#tlsShutdownTimeout = options.tlsShutdownTimeout;
    this.#isTls = options.tlsShutdownTimeout !== undefined;
  }

  get #flow(): FlowControl {
    return (this.#flowIfAny ??= new FlowControl(this.#defaultHigh()));
  }

  /** A method and no getter, as each write asks for it: for a private getter V8 calls into C++. */
  #defaultHigh(): number {
    return this.#isTls ? TLS_HIGH_WATER_BYTES : HIGH_WATER_BYTES;
  }

  /** Tells the protocol that the connection stands, then begins to read. */
  start(): void {
    this.#attach();
    this.#call(() => this.#protocol.connectionMade(this));
    this.#beginReading();
  }

  #attach(): void {
    this.#wire.listen(this);
    this.#owner?.attach(this);
  }

  #beginReading(): void {
    const wire = this.#wire;
    if (wire.destroyed) {
      // It ended before it came to us, and its events may be gone.
      this.#error ??= wire.errored;
      process.nextTick(() => this.#lose());
      return;
    }
    if (this.#state !== "open") return;
    if (this.#readingPaused) wire.pause();
    else wire.resume();
  }

  // ---- reading -----------------------------------------------------------------------------------------------------------------

  /** @internal */
  handleData(chunk: Buffer): void {
    if (this.#state !== "open") return;
    this.#bytesRead += chunk.length;
    this.#sending.received();
    try {
      this.#protocol.dataReceived(chunk);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** @internal */
  nextMemory(): Buffer | null {
    return this.#state === "open" ? (this.#protocol.nextMemory?.() ?? null) : null;
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
    this.#wire.pause();
    tellPaused(this, "reading");
  }

  resumeReading(): void {
    if (!this.#readingPaused || this.#state !== "open") return;
    this.#readingPaused = false;
    this.#wire.resume();
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
    if (bytes.length === 0) return;
    if (this.#state !== "open") {
      this.#sending.refuse();
      return;
    }
    this.#sending.write(bytes);
    this.#regulate();
  }

  writelines(list: Iterable<WriteData>): void {
    const pieces = toPieces(list);
    if (this.#eofWritten) throw new InvalidStateError("cannot writelines() after writeEof()");
    for (const piece of pieces) this.write(piece);
  }

  /** @internal */
  handleWritten(): void {
    if (this.#state === "lost" || this.#wire.destroyed) return;
    this.#sending.flush();
    if (this.#wire.unsent === 0) this.#written?.wake();
    this.#regulate();
  }

  #regulate(): void {
    const flow = this.#flowIfAny;
    if (flow === null || !flow.paused) {
      if (this.getWriteBufferSize() <= (flow?.high ?? this.#defaultHigh())) return;
      this.#sending.flush();
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
    return this.#state === "lost" ? 0 : this.#sending.unsent;
  }

  /** @internal */
  flushed(signal: WaitEnd | undefined): Promise<void> {
    this.#sending.flush();
    if (this.#sending.dropped) return Promise.reject(notSentError(this.#error));
    return this.#wire.destroyed || this.#wire.unsent === 0 ? DONE : (this.#written ??= new Waiters()).wait(signal);
  }

  canWriteEof(): boolean {
    return !this.#isTls;
  }

  writeEof(): void {
    if (this.#isTls) throw new InvalidStateError("cannot writeEof(): over TLS a side cannot be ended alone");
    if (this.#state !== "open" || this.#eofWritten) return;
    this.#sending.flush();
    this.#eofWritten = true;
    this.#wire.end();
  }

  // ---- ending ------------------------------------------------------------------------------------------------------------------

  close(): void {
    if (this.#state !== "open") return;
    this.#state = "closing";
    if (this.#released) process.nextTick(() => this.#lose());
    else if (this.#upgrade !== null) this.#upgrade.giveUp(this.#wire);
    else {
      this.#sending.flush();
      if (this.#isTls) this.#shutDownTls();
      else this.#wire.destroySoon();
    }
  }

  /** Sends close_notify after what was written, and waits for the peer's, which ends the socket; what comes before it is dropped. */
  #shutDownTls(): void {
    const timeoutMs = this.#tlsShutdownTimeout as number;
    this.#shutdownTimer = setTimeout(() => {
      this.abort(new ConnectionTimeoutError(`the TLS shutdown took longer than ${timeoutMs} ms: the connection was cut`));
    }, timeoutMs);
    this.#wire.endSecured();
  }

  abort(reason?: Error): void {
    if (reason !== undefined) checkError("reason", reason);
    if (this.#state === "lost") return;
    if (reason !== undefined) this.#error ??= reason;
    this.#sending.drop();
    if (this.#released) {
      this.close();
      return;
    }
    this.#state = "closing";
    if (this.#upgrade !== null) this.#upgrade.giveUp(this.#wire);
    else this.#wire.destroy();
  }

  isClosing(): boolean {
    return this.#state !== "open";
  }

  /** @internal */
  handleError(error: Error): void {
    this.#error ??= error;
    if (this.#state === "open") this.#state = "closing";
    // Node: leaves a socket open whose TLS breaks after the handshake.
    this.#wire.destroy();
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
    this.abort(asError(error, "a protocol threw"));
  }

  #lose(during: "connection" | "tls-upgrade" = "connection"): void {
    if (this.#state === "lost") return;
    this.#state = "lost";
    this.#sending.drop();
    clearTimeout(this.#shutdownTimer);
    this.#written?.fail(() => notSentError(this.#error));
    if (!this.#released) this.#owner?.detach(this);
    tellClosed(this, this.#error, during, this.#begunAt);
    try {
      this.#protocol.connectionLost(this.#error);
    } catch (error) {
      warnOf(error);
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
    const change = new TlsChange(upgrade, this.#host);
    this.#upgrade = change;
    const begunAt = now();
    const wire = this.#wire;
    wire.pause();
    this.#sending.flush();
    // The TLS engine writes past what the wire still has, so that has to be empty first.
    try {
      if (wire.unsent > 0) await (this.#written ??= new Waiters()).wait();
      if (this.#state !== "open" || wire.destroyed) throw notSentError(this.#error);
      const readAhead = upgrade.takeReadAhead();
      this.#bytesRead -= readAhead.length;
      const successor = this.#handOver(await change.secure(wire, readAhead), upgrade);
      tellSecured(successor, upgrade.role, begunAt);
      return successor;
    } catch (error) {
      this.#upgrade = null;
      change.destroy(wire);
      if (!change.givenUp) this.#error ??= error as Error;
      this.#lose("tls-upgrade");
      throw change.givenUp ? new ConnectionLostError("cannot startTls(): the connection was closed meanwhile") : error;
    }
  }

  #handOver(secured: TLSSocket, upgrade: TlsUpgrade): Transport {
    const successor = new SocketTransport(securedWire(secured), {
      protocol: this.#protocol,
      info: this.#info,
      tlsInfo: tlsExtraInfo(secured, upgrade.ssl),
      owner: this.#owner,
      host: this.#host,
      tlsShutdownTimeout: upgrade.sslShutdownTimeout,
    });
    // The counts go on there.
    successor.#begunAt = this.#begunAt;
    successor.#bytesRead = this.#bytesRead;
    successor.#sending.sentBytes = this.#sending.sentBytes;
    this.#bytesRead = this.#sending.sentBytes = 0;
    successor.#attach();
    this.#upgrade = null;
    this.#state = "lost";
    this.#owner?.detach(this);
    upgrade.onSecured(successor);
    if (this.#flowIfAny?.paused === true) this.#call(() => this.resumeWriting());
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
    return this.#sending.sentBytes;
  }

  // ---- protocol and extra info -------------------------------------------------------------------------------------------------

  getExtraInfo<Key extends keyof ExtraInfo>(name: Key): ExtraInfo[Key] | null;
  getExtraInfo<Key extends keyof ExtraInfo, Default>(name: Key, defaultValue: Default): ExtraInfo[Key] | Default;
  getExtraInfo(name: string, defaultValue?: unknown): unknown;
  getExtraInfo(name: string, defaultValue: unknown = null): unknown {
    if (name === "socket") return this.#info;
    if (name === "peername") return this.#info.getpeername();
    if (name === "sockname") return this.#info.getsockname();
    const tlsInfo = this.#tlsInfo;
    return tlsInfo !== undefined && Object.hasOwn(tlsInfo, name) ? tlsInfo[name] : defaultValue;
  }

  setProtocol(protocol: Protocol): void {
    checkProtocol("protocol", protocol);
    this.#protocol = protocol;
    // CPython leaves a paused transport's new protocol in the dark, which then fills the buffer without end.
    if (this.#flowIfAny?.paused === true) this.#call(() => protocol.pauseWriting());
  }

  getProtocol(): Protocol {
    return this.#protocol;
  }
}
