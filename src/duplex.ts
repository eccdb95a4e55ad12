/**
 * `toDuplex()`: combines reader and writer into one Duplex of `node:stream`, for code that expects a socket.
 *
 * It ends like a `net.Socket`. The peer's EOF emits `'end'`, `end()` sends EOF, and the connection is closed after both. `destroy()`
 * aborts it. An error of the connection emits `'error'`, after the data received before it. It has the other methods and properties of a
 * `net.Socket`, too, because clients call them: without `setTimeout()` or `ref()` they would end the process with a TypeError.
 */
import { Duplex } from "node:stream";
import { type NodeStreamOptions, nodeStreamOptions, readChunk, writingMethods } from "./adapters/node-streams.js";
import { checkBoolean, checkFunction, checkInteger, invalidType } from "./base/arguments.js";
import { type KnownOptions, knownOptions } from "./base/known-options.js";
import { clearTimeout, MAX_TIMER_MS, monotonicMs, setTimeout } from "./base/scheduling.js";
import type { SocketAddress, TransportSocket } from "./contracts/extra-info.js";
import { engineOf } from "./streams/base-reader.js";
import { StreamReader } from "./streams/reader.js";
import { Taker } from "./streams/taker.js";
import { StreamWriter } from "./streams/writer.js";
import { MAX_KEEPALIVE_S } from "./transports/socket-info.js";

/** Options of `toDuplex()`. */
export interface DuplexOptions extends NodeStreamOptions {
  /** Whether the writing side stays open after the peer's EOF. Default false, as with `net.Socket`. */
  readonly allowHalfOpen?: boolean | undefined;
}

const DUPLEX_OPTIONS: KnownOptions = knownOptions<DuplexOptions>({ highWaterMark: true, allowHalfOpen: true });

/**
 * Returns a connection as a Duplex, so that clients and servers written for sockets can use it.
 *
 * Backpressure works in both directions: the Duplex reads on demand, and a written chunk completes when the system has accepted it.
 * `end()` ends the writing side, and data from the peer can still be read; over TLS, which has no half-close, `end()` closes the
 * connection. The Duplex owns reader and writer from now on.
 *
 * It also has what clients expect of a `net.Socket`: `setTimeout()`, `setNoDelay()`, `setKeepAlive()`, `ref()`, `unref()`, `destroySoon()`,
 * the addresses and byte counts. `encrypted` is true over TLS.
 *
 * @param reader the reader of the connection
 * @param writer the writer of the connection
 * @param options `allowHalfOpen`: whether the writing side stays open after the peer's EOF, default false; `highWaterMark`: bytes to
 *   buffer in each direction, default Node's
 * @throws TypeError if `reader` is not a `StreamReader` or `writer` not a `StreamWriter`
 *
 * @example
 * ```ts
 * const [reader, writer] = await openUnixConnection("/var/run/docker.sock");
 * http.get({ path: "/version", createConnection: () => toDuplex(reader, writer) }, onResponse);
 * ```
 */
export function toDuplex(reader: StreamReader, writer: StreamWriter, options?: DuplexOptions): Duplex {
  if (!(reader instanceof StreamReader)) throw invalidType("reader", "a StreamReader", reader);
  if (!(writer instanceof StreamWriter)) throw invalidType("writer", "a StreamWriter", writer);
  const nodeOptions = nodeStreamOptions("toDuplex", options, DUPLEX_OPTIONS);
  return new SocketDuplex(reader, writer, {
    ...nodeOptions,
    allowHalfOpen: checkBoolean("allowHalfOpen", options?.allowHalfOpen) ?? false,
  });
}

/** A Duplex with the methods and properties of a `net.Socket` that clients and servers use. */
class SocketDuplex extends Duplex {
  readonly #writer: StreamWriter;
  readonly #taker: Taker;
  #idleTimer: NodeJS.Timeout | undefined;
  #idleMs = 0;
  /** When something was written or received last, by the monotonic clock. */
  #activeAt = 0;
  #received = 0;
  /** How many written bytes were unsent when the timer looked last. */
  #unsent = 0;

  constructor(reader: StreamReader, writer: StreamWriter, options: DuplexOptions) {
    const methods = writingMethods(writer);
    const active = (): void => {
      this.#activeAt = monotonicMs();
    };
    super({
      ...options,
      final: (done) => methods.final(done),
      write(chunk, encoding, done) {
        active();
        methods.write(chunk, encoding, done);
      },
      writev(chunks, done) {
        active();
        methods.writev(chunks, done);
      },
    });
    this.#writer = writer;
    this.#taker = new Taker(engineOf(reader), "toDuplex");
  }

  override _read(): void {
    readChunk(this.#taker, this);
  }

  override push(chunk: Buffer | null, encoding?: BufferEncoding): boolean {
    this.#activeAt = monotonicMs();
    this.#received += chunk?.length ?? 0;
    return super.push(chunk, encoding);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#idleTimer);
    this.#taker.release();
    if (error === null && this.readableEnded && this.writableFinished) this.#writer.close();
    else this.#writer.abort(error ?? undefined);
    // The error of the connection is `error`, or has already been reported.
    const onClosed = (): void => done(error);
    this.#writer.waitClosed().then(onClosed, onClosed);
  }

  // ---- as of a net.Socket ------------------------------------------------------------------------------------------------------

  readonly connecting: boolean = false;
  readonly pending: boolean = false;

  get #socket(): TransportSocket | null {
    return this.#writer.getExtraInfo("socket");
  }

  get encrypted(): boolean {
    return this.#writer.getExtraInfo("sslcontext") !== null;
  }

  get bytesRead(): number {
    return this.#received;
  }

  get bytesWritten(): number {
    return this.#writer.bytesWritten;
  }

  get readyState(): "open" | "closed" | "readOnly" | "writeOnly" {
    if (this.destroyed) return "closed";
    if (this.readable) return this.writable ? "open" : "readOnly";
    return this.writable ? "writeOnly" : "closed";
  }

  get timeout(): number | undefined {
    return this.#idleMs === 0 ? undefined : this.#idleMs;
  }

  get localAddress(): string | undefined {
    return hostOf(this.#writer.getExtraInfo("sockname"));
  }

  get localPort(): number | undefined {
    return portOf(this.#writer.getExtraInfo("sockname"));
  }

  get localFamily(): string | undefined {
    return familyOf(this.#writer.getExtraInfo("sockname"));
  }

  get remoteAddress(): string | undefined {
    return hostOf(this.#writer.getExtraInfo("peername"));
  }

  get remotePort(): number | undefined {
    return portOf(this.#writer.getExtraInfo("peername"));
  }

  get remoteFamily(): string | undefined {
    return familyOf(this.#writer.getExtraInfo("peername"));
  }

  address(): object {
    const { localAddress, localPort, localFamily } = this;
    return localAddress === undefined ? {} : { address: localAddress, family: localFamily, port: localPort };
  }

  /**
   * Emits `'timeout'` when nothing has been sent or received for `ms` milliseconds. 0 turns it off.
   *
   * Node: takes fractions, and shortens what exceeds the maximum of a timer.
   */
  setTimeout(time: number, onTimeout?: () => void): this {
    const ms = time > 0 && Number.isFinite(time) ? Math.min(Math.ceil(time), MAX_TIMER_MS) : time;
    checkInteger("ms", ms, 0, MAX_TIMER_MS);
    if (onTimeout !== undefined) checkFunction("onTimeout", onTimeout);
    clearTimeout(this.#idleTimer);
    this.#idleMs = ms;
    if (ms === 0) {
      if (onTimeout !== undefined) this.removeListener("timeout", onTimeout);
      return this;
    }
    if (onTimeout !== undefined) this.once("timeout", onTimeout);
    this.#activeAt = monotonicMs();
    this.#unsent = this.#writer.transport.getWriteBufferSize();
    if (!this.destroyed) this.#watchIdle(ms);
    return this;
  }

  /** Node: a socket's time-out does not keep the process alive. A write that makes progress counts as activity. */
  #watchIdle(forMs: number): void {
    this.#idleTimer = setTimeout(() => {
      const unsent = this.#writer.transport.getWriteBufferSize();
      if (unsent !== this.#unsent) this.#activeAt = monotonicMs();
      this.#unsent = unsent;
      const leftMs = this.#activeAt + this.#idleMs - monotonicMs();
      this.#watchIdle(leftMs > 1 ? Math.ceil(leftMs) : this.#idleMs);
      if (leftMs <= 1) this.emit("timeout");
    }, forMs);
    this.#idleTimer.unref();
  }

  setNoDelay(noDelay: unknown = true): this {
    this.#socket?.setNoDelay(Boolean(noDelay));
    return this;
  }

  /** Node: cuts fractions of a second off, and accepts any value. */
  setKeepAlive(enable: unknown = false, initialDelay: unknown = 0): this {
    const seconds = Math.max(0, Math.min(MAX_KEEPALIVE_S, Math.trunc(Number(initialDelay) / 1000) || 0));
    this.#socket?.setKeepAlive(Boolean(enable), seconds * 1000);
    return this;
  }

  ref(): this {
    this.#writer.ref();
    return this;
  }

  unref(): this {
    this.#writer.unref();
    return this;
  }

  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once("finish", () => this.destroy());
  }

  resetAndDestroy(): this {
    this.destroy();
    return this;
  }
}

function hostOf(address: SocketAddress | null): string | undefined {
  return typeof address === "object" && address !== null ? address[0] : undefined;
}

function portOf(address: SocketAddress | null): number | undefined {
  return typeof address === "object" && address !== null ? address[1] : undefined;
}

function familyOf(address: SocketAddress | null): string | undefined {
  const host = hostOf(address);
  if (host === undefined) return undefined;
  return host.includes(":") ? "IPv6" : "IPv4";
}
