/**
 * `SocketTransport`: asyncio's transport over a connected socket. Python's `_SelectorSocketTransport`. A *wire* drives the socket itself:
 * `HandleWire` is the fast one, `NodeWire` the documented one. `TransportCore` (`core/transport-core.ts`) keeps the state.
 *
 * Theory of operation
 *
 * Reading. Bytes that the wire reads go to the protocol unchanged. `pauseReading()` stops the wire's reads from the system, so that no
 * bytes accumulate in between.
 *
 * Writing. The writes of one turn are collected (`write-scheduler.ts`). They all go to the wire before the size of the buffer is
 * checked, because a socket that can send accepts everything, and then no caller has to wait. The buffer's size is the number of
 * collected bytes plus the wire's unsent bytes.
 *
 * Ending.
 *   - `close()` flushes the buffer, and the wire closes itself after its last byte.
 *   - `abort()` closes the wire immediately.
 *   - An error of the wire, or an exception from a protocol method, closes the wire with that error.
 *   - A failed write leaves the wire open for reading (state `failing`) until the peer's EOF, an error or `close()`.
 *   - At the peer's EOF, the protocol is asked. Unless it keeps our side open, the transport calls `close()`.
 *
 * TLS. `close()` sends close_notify and waits for the peer's, at most for the shutdown time-out. Half-close is not supported.
 * `UpgradableTransport` (`upgradable.ts`) adds `startTls()`.
 *
 * Node: destroys a socket by itself once both sides have ended. asyncio keeps the connection until it is closed, and programs rely on that
 * (they `drain()` after `writeEof()`). So such a connection is `released`, but not lost before `close()` or `abort()`.
 */

import { checkError, toBytes, toPieces } from "../base/arguments.js";
import type { NonSharedBuffer } from "../base/bytes.js";
import { ConnectionTimeoutError, InvalidStateError } from "../base/errors.js";
import { HIGH_WATER_BYTES, TLS_HIGH_WATER_BYTES } from "../base/limits.js";
import { ownCopy } from "../base/memory.js";
import { nextTick } from "../base/scheduling.js";
import { startTimeout, stopTimeout, type Timeout } from "../base/timeouts.js";
import type { ByteCounts, Protocol, Transport, TransportOwner, WriteData } from "../contracts/connection.js";
import type { ExtraInfo } from "../contracts/extra-info.js";
import { TransportCore } from "../core/transport-core.js";
import { now, publishClosed, publishPaused, publishResumed } from "./diagnostics.js";
import type { ConnectedSocket } from "./socket-info.js";
import type { TlsInfo } from "./tls-info.js";
import type { Wire, WireEvents } from "./wire.js";
import { WriteScheduler } from "./write-scheduler.js";

/** Options of a `SocketTransport`. */
export interface SocketTransportOptions {
  readonly protocol: Protocol;
  readonly info: ConnectedSocket;
  /** The extra info about TLS, if the connection is secured. */
  readonly tlsInfo?: TlsInfo | undefined;
  /** The extra info that a proxy has sent. It stands above that of the socket. */
  readonly proxyInfo?: Partial<ExtraInfo> | undefined;
  /** The server that accepted the connection. */
  readonly owner?: TransportOwner | undefined;
  /** The lifetime and the byte counts that the transport continues; default: they begin now. */
  readonly history?: History | undefined;
  /** The host that the connection was opened to. `startTls()` expects the certificate of this host. */
  readonly host?: string | undefined;
  /** TLS shutdown time-out in milliseconds; set if and only if the wire is over a `tls.TLSSocket`. */
  readonly tlsShutdownTimeout?: number | undefined;
}

/** What is new when another transport drives a connection over TLS. */
export type SecuredFacts = Pick<SocketTransportOptions, "host" | "tlsInfo" | "tlsShutdownTimeout">;

/** What another transport needs to know of a connection when it takes the connection over. */
export interface History extends ByteCounts {
  /** When it began, by `now()`. */
  readonly begunAt: number;
}

export class SocketTransport extends TransportCore implements Transport, ByteCounts, WireEvents {
  readonly #wire: Wire;
  readonly #sending: WriteScheduler;
  readonly #info: ConnectedSocket;
  readonly #tlsInfo: TlsInfo | undefined;
  readonly #proxyInfo: Readonly<Record<string, unknown>> | undefined;
  #owner: TransportOwner | undefined;
  readonly #tlsShutdownTimeout: number | undefined;
  readonly #isTls: boolean;
  #eofReceived = false;
  #eofWritten = false;
  #shutdownTimer: Timeout | undefined;
  readonly #begunAt: number;
  #bytesRead: number;
  /** The protocol whose memory the wire reads into, if any. */
  #memoryOwner: Protocol | null = null;

  /** @param wire a connected wire, which the transport owns from now on. Nothing happens before `start()`. */
  constructor(wire: Wire, options: SocketTransportOptions) {
    const isTls = options.tlsShutdownTimeout !== undefined;
    super(options.protocol, isTls ? TLS_HIGH_WATER_BYTES : HIGH_WATER_BYTES);
    this.#wire = wire;
    this.#sending = new WriteScheduler(wire, this);
    this.#info = options.info;
    this.#tlsInfo = options.tlsInfo;
    this.#proxyInfo = options.proxyInfo;
    this.#owner = options.owner;
    this.#tlsShutdownTimeout = options.tlsShutdownTimeout;
    this.#isTls = isTls;
    const { history } = options;
    this.#begunAt = history?.begunAt ?? now();
    this.#bytesRead = history?.bytesRead ?? 0;
    this.#sending.sentBytes = history?.bytesWritten ?? 0;
  }

  /** Calls the protocol's `connectionMade()`, then starts reading. */
  start(): void {
    this.attach();
    this.call("connectionMade", (protocol) => protocol.connectionMade?.(this));
    this.beginReading();
  }

  protected attach(): void {
    this.#wire.listen(this);
    this.#owner?.attach(this);
  }

  protected beginReading(): void {
    const wire = this.#wire;
    if (wire.destroyed) {
      // The wire ended before the transport received it, and its events may be lost.
      if (wire.errored !== null) this.noteError(wire.errored);
      this.loseSoon();
      return;
    }
    if (!this.delivers) return;
    if (this.readingPaused) wire.pause();
    else wire.resume();
  }

  // ---- reading -----------------------------------------------------------------------------------------------------------------

  /** @internal */
  handleData(chunk: NonSharedBuffer): void {
    if (!this.delivers) return;
    this.#bytesRead += chunk.length;
    this.#sending.received();
    this.deliver(this.#memoryOwner === null ? chunk : this.#ownChunk(chunk, this.#memoryOwner));
  }

  /** Copies a chunk that was read into the memory of a protocol that no longer has the connection. */
  #ownChunk(chunk: NonSharedBuffer, memoryOwner: Protocol): NonSharedBuffer {
    this.#memoryOwner = null;
    return memoryOwner === this.getProtocol() ? chunk : ownCopy(chunk);
  }

  /** @internal */
  nextMemory(): NonSharedBuffer | null {
    if (this.state !== "open") return null;
    const protocol = this.getProtocol();
    const memory = protocol["asyncio-streams:nextMemory"]?.() ?? null;
    this.#memoryOwner = memory === null ? null : protocol;
    return memory;
  }

  /** @internal */
  handleEnd(): void {
    if (this.state === "failing") this.#wire.destroy(); // everything received has been delivered
    if (this.state !== "open" || this.#eofReceived) return;
    this.#eofReceived = true;
    if (!this.deliverEnd()) this.close();
  }

  pauseReading(): void {
    if (!this.markPaused()) return;
    this.#wire.pause();
    publishPaused(this, "reading");
  }

  resumeReading(): void {
    if (!this.markResumed()) return;
    this.#wire.resume();
    publishResumed(this, "reading");
  }

  // ---- writing -----------------------------------------------------------------------------------------------------------------

  write(data: WriteData): void {
    const bytes = toBytes("data", data);
    if (this.#eofWritten) throw new InvalidStateError("cannot write() after writeEof()");
    if (bytes.length === 0) return;
    if (this.state !== "open") {
      if (this.state === "securing") throw new InvalidStateError("cannot write() during startTls()");
      this.#sending.refuse();
      return;
    }
    this.#sending.write(bytes);
    this.regulate();
  }

  writelines(list: Iterable<WriteData>): void {
    const pieces = toPieces(list);
    if (this.#eofWritten) throw new InvalidStateError("cannot writelines() after writeEof()");
    for (const piece of pieces) this.write(piece);
  }

  /** @internal */
  handleWritten(): void {
    if (this.state === "lost" || this.state === "failing" || this.#wire.destroyed) return;
    this.flush();
    this.#sending.endIfHandedOver();
    if (this.#sending.unsent === 0) this.wakeFlushed();
    this.regulate();
  }

  /** @internal */
  handleWriteError(error: Error): void {
    if (this.state === "open") {
      this.#sending.drop();
      this.failWriting(error);
    } else this.noteError(error);
    // Nothing is left to deliver after the peer's EOF, before the handshake of startTls(), and while close() waits for its last byte.
    if (this.state !== "failing" || this.#eofReceived) this.#wire.destroy();
  }

  /** @param isAll whether to hand over everything, behind the wire's unsent bytes */
  protected override flush(isAll: boolean = false): void {
    if (isAll) this.#sending.flushAll();
    else this.#sending.flush();
  }

  protected override get dropped(): boolean {
    return this.#sending.dropped;
  }

  override pauseWriting(): unknown {
    publishPaused(this, "writing");
    return super.pauseWriting();
  }

  override resumeWriting(): unknown {
    publishResumed(this, "writing");
    return super.resumeWriting();
  }

  getWriteBufferSize(): number {
    return this.state === "lost" || this.state === "failing" ? 0 : this.#sending.unsent;
  }

  canWriteEof(): boolean {
    return !this.#isTls;
  }

  writeEof(): void {
    if (this.#isTls) throw new InvalidStateError("cannot writeEof(): TLS connections do not support half-close");
    if (this.state !== "open" || this.#eofWritten) return;
    this.#eofWritten = true;
    this.#sending.whenHandedOver(() => this.#wire.end());
  }

  // ---- ending ------------------------------------------------------------------------------------------------------------------

  close(): void {
    if (this.state === "open") this.flush(); // which may fail
    switch (this.state) {
      case "open":
        this.moveTo("closing");
        if (this.#isTls) this.#limitShutdown();
        else this.#wire.pause();
        this.#sending.whenHandedOver(() => this.#wire.close());
        break;
      case "securing":
      case "failing": // nothing can be sent any more
      case "released":
        this.abort();
    }
  }

  /** Closes the connection if the peer does not answer close_notify in time. */
  #limitShutdown(): void {
    const timeoutMs = this.#tlsShutdownTimeout as number;
    this.#shutdownTimer = startTimeout(timeoutMs, () => {
      this.abort(new ConnectionTimeoutError(`the TLS shutdown took longer than ${timeoutMs} ms: the connection was cut`));
    });
  }

  abort(reason?: Error): void {
    if (reason !== undefined) checkError("reason", reason);
    const { state } = this;
    if (state === "lost" || state === "replaced") return;
    if (reason !== undefined) this.noteError(reason);
    this.#sending.drop();
    this.moveTo("closing");
    if (state === "released") this.loseSoon();
    else this.cut();
  }

  /** Closes the socket. */
  protected cut(): void {
    this.#wire.destroy();
  }

  /** @internal */
  handleError(error: Error): void {
    this.breakOff(error);
    // Node: leaves the socket open when its TLS breaks after the handshake.
    this.#wire.destroy();
  }

  /** @internal */
  handleClose(): void {
    if (this.state === "open" && this.#eofReceived && this.#eofWritten) {
      this.moveTo("released");
      this.detach();
    } else if (this.state !== "released") this.loseConnection();
  }

  /** Removes the transport from its server. */
  protected detach(): void {
    const owner = this.#owner;
    this.#owner = undefined;
    owner?.detach(this);
  }

  protected override defer(callback: () => void): void {
    nextTick(callback);
  }

  protected override onLost(): void {
    this.#sending.drop();
    stopTimeout(this.#shutdownTimer);
    this.detach();
    publishClosed(this, this.error, this.lostDuring, this.#begunAt);
  }

  /** The phase that a loss is reported for. */
  protected get lostDuring(): "connection" | "tls-upgrade" {
    return "connection";
  }

  // ---- being replaced ----------------------------------------------------------------------------------------------------------

  /** @internal */
  get wire(): Wire {
    return this.#wire;
  }

  protected get isTls(): boolean {
    return this.#isTls;
  }

  /** @internal */
  get ended(): { readonly peer: boolean; readonly ours: boolean } {
    return { peer: this.#eofReceived, ours: this.#eofWritten };
  }

  /** Stops counting bytes that were received and are taken back. */
  protected uncount(bytes: number): void {
    this.#bytesRead -= bytes;
  }

  /** Gives up the connection: returns the options of the transport that takes it over. */
  protected yieldConnection(next: SecuredFacts): SocketTransportOptions {
    const { bytesRead, bytesWritten } = this;
    const history = { begunAt: this.#begunAt, bytesRead, bytesWritten };
    const owner = this.#owner;
    this.#bytesRead = this.#sending.sentBytes = 0; // they count for the successor
    const { host, tlsInfo, tlsShutdownTimeout } = next;
    return {
      protocol: this.getProtocol(),
      info: this.#info,
      tlsInfo,
      proxyInfo: this.#proxyInfo,
      owner,
      host,
      tlsShutdownTimeout,
      history,
    };
  }

  // ---- byte counts -------------------------------------------------------------------------------------------------------------

  /** Number of bytes received, before encryption. */
  get bytesRead(): number {
    return this.#bytesRead;
  }

  /** Number of bytes handed to the socket, before encryption. */
  get bytesWritten(): number {
    return this.#sending.sentBytes;
  }

  // ---- protocol and extra info -------------------------------------------------------------------------------------------------

  getExtraInfo<Key extends keyof ExtraInfo>(name: Key): ExtraInfo[Key] | null;
  getExtraInfo<Key extends keyof ExtraInfo, Default>(name: Key, defaultValue: Default): ExtraInfo[Key] | Default;
  getExtraInfo<Name extends string>(name: string extends Name ? Name : never, defaultValue?: unknown): unknown;
  getExtraInfo(name: string, defaultValue: unknown = null): unknown {
    if (name === "socket") return this.#info;
    const proxyInfo = this.#proxyInfo;
    if (proxyInfo !== undefined && Object.hasOwn(proxyInfo, name)) return proxyInfo[name];
    if (name === "peername") return this.#info.getpeername() ?? defaultValue;
    if (name === "sockname") return this.#info.sockname ?? defaultValue;
    if (name === "peercred") return this.#info.peercred ?? defaultValue;
    return this.#tlsInfo?.get(name) ?? defaultValue;
  }
}
