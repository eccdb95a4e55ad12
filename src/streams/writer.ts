/**
 * `StreamWriter`: the writing half of a stream pair: writes, applies backpressure, and closes the connection. Python's
 * `asyncio.StreamWriter`.
 *
 * The writer buffers nothing: `write()` hands the bytes to the transport, and `drain()` waits while the transport's buffer is too full.
 */

import type { Writable } from "node:stream";
import type { NodeStreamOptions } from "../adapters/node-streams.js";
import { writableOf } from "../adapters/node-streams.js";
import { writableStreamOf } from "../adapters/web-streams.js";
import {
  checkClientSsl,
  checkError,
  checkServerHostname,
  checkServerSsl,
  type Data,
  type SignalOptions,
  tlsTimeouts,
  toBytes,
  toPieces,
} from "../base/arguments.js";
import type { NonSharedUint8Array } from "../base/bytes.js";
import { debugMode } from "../base/debug-mode.js";
import { InvalidStateError } from "../base/errors.js";
import { checkKnownOptions, WAIT_OPTIONS } from "../base/known-options.js";
import { nextTurn } from "../base/scheduling.js";
import { type Cancellation, cancellationOf, DONE, throwIfAborted, withOneDeadline } from "../base/waiting.js";
import type { Transport, WriteData } from "../contracts/connection.js";
import type { ExtraInfo, SocketAddress, SSLClient, SSLServer, TransportSocket } from "../contracts/extra-info.js";
import { engineOf } from "./base-reader.js";
import { type FlowControl, flowOf } from "./flow-control.js";
import type { StreamReader } from "./reader.js";
import { SinkTransport } from "./sink-transport.js";
import { START_TLS_OPTIONS, type StartTlsOptions, secureStreams } from "./start-tls.js";
import { watchPair } from "./watched-pair.js";
import type { WriterFlow } from "./writer-flow.js";

/** Turns of the event loop to wait for a socket to report that it has sent everything. Node over TLS needs one or two, Deno a few more. */
const CLOSING_TURNS = 10;

/**
 * Writes bytes and text, and closes the connection.
 *
 * `Address` is the type of the addresses: `string` for a Unix socket, a tuple for TCP.
 *
 * `write()` never waits. Call `await writer.drain()` after it wherever much may be written, so that a slow peer slows the program
 * instead of filling its memory.
 *
 * @example
 * ```ts
 * writer.write("hello\n");
 * await writer.drain();
 * writer.close();
 * await writer.waitClosed();
 * ```
 */
export class StreamWriter<out Address extends SocketAddress = SocketAddress> implements AsyncDisposable {
  #transport: Transport<Address>;
  readonly #flow: WriterFlow;
  readonly #reader: StreamReader | null;
  #bytesWritten = 0;

  /**
   * Makes a writer on a custom transport. `openConnection()` and the other connecting calls return a ready writer.
   *
   * @param transport the transport to write to
   * @param protocol the transport's protocol, which decides when `drain()` waits
   * @param reader the other half of the pair; `drain()` throws its exception
   */
  constructor(transport: Transport<Address>, protocol: FlowControl, reader: StreamReader | null = null) {
    this.#transport = transport;
    this.#flow = flowOf(protocol);
    this.#reader = reader;
    if (debugMode !== null && !(transport instanceof SinkTransport)) watchPair(debugMode, this, transport, protocol, reader);
  }

  /**
   * Makes a writer to a Writable of Node or a `WritableStream`, such as a file, a child's standard input or a compressor. Not in
   * asyncio.
   *
   * A chunk counts as buffered until the sink has processed it, so `drain()` and `flush()` wait for a slow sink. `writeEof()` and
   * `close()` end the sink after the written data; `abort()` destroys it. A failure of the sink counts as the loss of the connection,
   * with the sink's error. The writer owns the sink from now on.
   *
   * @param sink the sink to write to
   * @throws TypeError if `sink` is neither, or is a locked `WritableStream`
   *
   * @example
   * ```ts
   * const child = spawn("sort");
   * const [reader, writer] = [StreamReader.from(child.stdout), StreamWriter.from(child.stdin)];
   * ```
   */
  static from(sink: Writable | WritableStream<NonSharedUint8Array>): StreamWriter {
    const transport = new SinkTransport(sink);
    return new StreamWriter(transport, transport.flow);
  }

  /** The underlying transport. */
  get transport(): Transport<Address> {
    return this.#transport;
  }

  /**
   * Sends bytes or text (as UTF-8), without waiting. Everything written in one turn of the event loop is sent together, in order. Do
   * not change the bytes before they are sent. After the connection is closed or lost, the data is dropped, and `drain()` rejects.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE` if `data` is neither a `Uint8Array` nor a string
   * @throws InvalidStateError after `writeEof()`
   */
  write(data: WriteData): void {
    const bytes = toBytes("data", data);
    this.#transport.write(bytes);
    this.#bytesWritten += bytes.length;
  }

  /** Sends several pieces as if they were joined; otherwise like `write()`. */
  writelines(list: Iterable<WriteData>): void {
    const pieces = toPieces(list);
    this.#transport.writelines(pieces);
    for (const piece of pieces) this.#bytesWritten += piece.length;
  }

  /**
   * Waits until the write buffer has room. If the buffer has exceeded the high-water mark (64 KiB), the call waits until it has fallen
   * to the low-water mark (16 KiB). Any number of callers may wait.
   *
   * **If aborted**, only the wait ends: what was written is still sent.
   *
   * @param options `signal` ends the wait
   * @throws the reader's exception, if one was set
   * @throws ConnectionLostError if the connection is lost; after `close()` with nothing left to send, as soon as it is closed. The
   *   socket's error is the `cause`.
   *
   * @example
   * ```ts
   * for (const chunk of chunks) {
   *   writer.write(chunk);
   *   await writer.drain({ signal });
   * }
   * ```
   */
  drain(options?: SignalOptions): Promise<void> {
    debugMode?.attended(this.#flow);
    // Fast path: most calls need not wait.
    if (options === undefined && this.#flow.isFlowing && !this.#transport.isClosing() && (this.#reader?.exception() ?? null) === null) {
      return this.#flow.paced(DONE, this.#bytesWritten);
    }
    return this.#wait("drain", options, (signal) => {
      const exception = this.#reader?.exception() ?? null;
      if (exception !== null && exception !== this.#flow.lossError) throw exception;
      const isClosing = this.#transport.isClosing(); // must come first: this call may be what makes the transport notice its loss
      if (this.#flow.isFlowing && isClosing) return withOneDeadline(signal, (whole) => this.#drainWhileClosing(whole));
      return this.#flow.drained(signal);
    });
  }

  /**
   * Runs a call that may wait: checks its options, turns a thrown error into a rejection, and yields to the event loop when the turn's
   * budget is spent.
   */
  #wait(method: string, options: SignalOptions | undefined, call: (signal: Cancellation | undefined) => Promise<void>): Promise<void> {
    debugMode?.attended(this.#flow);
    let wait: Promise<void>;
    try {
      checkKnownOptions(method, options, WAIT_OPTIONS);
      wait = call(cancellationOf(options));
    } catch (error) {
      wait = Promise.reject(error);
    }
    return this.#flow.paced(wait, this.#bytesWritten);
  }

  /**
   * Drains a connection that is closing. If nothing is left to send, waits for the loss itself.
   *
   * CPython: waits one turn of the event loop, which is enough there to see the loss.
   * Node: a socket takes longer to close. Over TLS it takes some turns to report data as sent that the system took long before.
   */
  async #drainWhileClosing(signal: AbortSignal | undefined): Promise<void> {
    for (let turn = 0; turn < CLOSING_TURNS && this.#transport.getWriteBufferSize() > 0; turn += 1) {
      await nextTurn();
      throwIfAborted(signal);
    }
    if (this.#transport.getWriteBufferSize() === 0) await this.#flow.rejectOnceLost(signal);
    await this.#flow.drained(signal);
  }

  /**
   * Waits until the operating system has accepted everything that was written. Not in asyncio. Unlike `drain()`, it waits for an empty
   * buffer. It does not prove that the peer has received the data: only an answer of the peer does.
   *
   * After the connection has ended, the call resolves if everything had been sent, and rejects otherwise. Over TLS, data written in the
   * same turn in which `abort()` cuts the connection counts as not sent, though part of it may have been.
   *
   * **If aborted**, only the wait ends: what was written is still sent.
   *
   * @param options `signal` ends the wait
   * @throws ConnectionLostError if the connection was lost or closed before everything was sent, with the socket's error as `cause`
   *
   * @example
   * ```ts
   * writer.write(report);
   * await writer.flush({ signal: AbortSignal.timeout(10_000) });
   * ```
   */
  flush(options?: SignalOptions): Promise<void> {
    return this.#wait("flush", options, (signal) => this.#transport.flushed?.(signal) ?? this.#flow.drained(signal));
  }

  /** The number of bytes passed to `write()` and `writelines()`; text counts as UTF-8. Not in asyncio. */
  get bytesWritten(): number {
    return this.#bytesWritten;
  }

  /**
   * Closes the connection at once and drops the buffered data. Not on asyncio's writer, only on its transport.
   *
   * @param reason the error that waiting reads, `drain()` (as `cause`) and `waitClosed()` reject with. Without a reason, the end counts
   *   as orderly.
   * @throws TypeError if `reason` is not an `Error`
   *
   * @example
   * ```ts
   * writer.abort(new Error("the client sends nonsense"));
   * ```
   */
  abort(reason?: Error): void {
    if (reason !== undefined) checkError("reason", reason);
    this.#transport.abort(reason);
  }

  /** Closes the connection after sending the written data. Does not wait; see `waitClosed()`. */
  close(): void {
    debugMode?.attended(this.#flow);
    this.#transport.close();
  }

  /** Returns whether the connection is closed or closing. */
  isClosing(): boolean {
    return this.#transport.isClosing();
  }

  /**
   * Waits until the connection is closed. Call `close()` first.
   *
   * **If aborted**, only the wait ends.
   *
   * @throws the error that ended the connection, if one did
   */
  waitClosed(options?: SignalOptions): Promise<void> {
    return this.#wait("waitClosed", options, (signal) => this.#flow.closed(signal));
  }

  /**
   * Ends the writing side after the written data (half-close): the peer reads EOF, and this end can still read.
   *
   * @throws InvalidStateError over TLS, which has no half-close
   */
  writeEof(): void {
    debugMode?.attended(this.#flow);
    this.#transport.writeEof();
  }

  /** Lets the connection keep the process alive, which is the default. Not in asyncio. */
  ref(): this {
    this.#transport.ref?.();
    return this;
  }

  /**
   * Lets the process end although the connection is open. A wait with a time-out, or data that is being sent, still keeps it alive. Not in
   * asyncio.
   */
  unref(): this {
    this.#transport.unref?.();
    return this;
  }

  /** Returns whether `writeEof()` is possible. False over TLS. */
  canWriteEof(): boolean {
    return this.#transport.canWriteEof();
  }

  /**
   * Upgrades the connection to TLS. Reader and writer stay the same; `transport` and the extra info are new. A writer of a server takes
   * the server's role, any other the client's.
   *
   * Data written before is sent first. Unread data in the reader is taken as the beginning of the peer's handshake. Do not write until
   * the call has ended: `write()` throws `InvalidStateError`. A failed handshake closes the connection. A wrong argument, or a state that
   * does not allow TLS, leaves the connection unchanged and open.
   *
   * On a connection that already uses TLS, the new layer runs inside the old one (TLS in TLS). `getExtraInfo("outer_transport")` has the
   * extra info of the old one.
   *
   * **If aborted**, or at a time-out, the connection is closed, and the call rejects with the signal's reason or a `TimeoutError`. A signal
   * that is already aborted leaves the connection unchanged.
   *
   * @param ssl for a client `true`, a `SecureContext` or `tls.ConnectionOptions`; for a server a `SecureContext` or `tls.TlsOptions`
   * @param options `serverHostname`: the name that a client expects in the certificate; default the host it is connected to, `""` for
   *   any name. `sslHandshakeTimeout`: ms for the whole call, default 60,000. `sslShutdownTimeout`: ms that `close()` waits for the
   *   peer's close_notify, default 30,000. `signal` and `timeout` end the call and the connection.
   * @throws TypeError for a wrong argument; InvalidStateError if one side has ended, another `startTls()` is in progress, or while an
   *   adapter of the reader (`toReadable()`, `toWeb()`, `toDuplex()`), a loop over `chunks()`, or a loop over lines or frames that waits
   *   for more may hold plaintext
   * @throws ConnectionTimeoutError if the call takes longer than `sslHandshakeTimeout`; the TLS error if the handshake fails;
   *   ConnectionLostError if the connection is lost
   *
   * @example
   * ```ts
   * writer.write("STARTTLS\r\n");
   * if ((await reader.readline()).toString().startsWith("220")) await writer.startTls(true, { serverHostname: "mail.example" });
   * ```
   */
  async startTls(ssl: SSLClient | SSLServer, options?: StartTlsOptions): Promise<void> {
    checkKnownOptions("startTls", options, START_TLS_OPTIONS);
    const role = this.#flow.tlsRole;
    const request = {
      role,
      ssl: role === "client" ? checkClientSsl(ssl) : checkServerSsl(ssl),
      serverHostname: checkServerHostname(role, options?.serverHostname),
      ...tlsTimeouts(options),
      onSecured: (successor: Transport) => {
        this.#transport = successor as Transport<Address>;
      },
    };
    const end = cancellationOf(options);
    const transport = this.#transport;
    const reader = this.#reader === null ? null : engineOf(this.#reader);
    const exception = (reader ?? this.#flow.engine)?.exception ?? null;
    if (exception !== null && exception !== this.#flow.lossError) throw exception;
    if (transport.startTls === undefined) throw new InvalidStateError("cannot startTls(): this transport does not support it");
    // From this call on, writing is refused, so that no more plaintext is sent.
    await secureStreams(transport, transport.getProtocol(), request, end, { flow: this.#flow, reader });
  }

  /**
   * Returns this writer as a Writable of `node:stream`. Not in asyncio.
   *
   * A chunk completes when the system has accepted it, so backpressure reaches the producer. `end()` ends the writing side after the
   * written data, and the reader can still read; over TLS, which has no half-close, `end()` closes the connection. Destroying the
   * Writable before its end aborts the connection with the Writable's error. A lost connection destroys the Writable. Do not write to
   * the writer while the Writable is in use.
   *
   * @param options `highWaterMark`: bytes to buffer in addition to the transport's buffer, default Node's
   * @throws RangeError `ERR_OUT_OF_RANGE` if `highWaterMark` is negative or not an integer
   *
   * @example
   * ```ts
   * await pipeline(createReadStream("dump"), createGzip(), writer.toWritable());
   * ```
   */
  toWritable(options?: NodeStreamOptions): Writable {
    return writableOf(this, options);
  }

  /**
   * Returns this writer as a `WritableStream` of bytes and text. Not in asyncio.
   *
   * A chunk completes when the system has accepted it, so backpressure reaches the producer. Closing the stream ends the writing side,
   * and the reader can still read; over TLS, which has no half-close, it closes the connection. Aborting the stream, or writing a chunk
   * that is neither bytes nor text, aborts the connection. A lost connection errors the stream.
   *
   * @example
   * ```ts
   * const response = await fetch("https://example.com/");
   * await response.body?.pipeTo(writer.toWeb());
   * ```
   */
  toWeb(): WritableStream<Data> {
    return writableStreamOf(this);
  }

  /**
   * Returns a fact about the connection, by Python's key.
   *
   * @param name such as `"peername"`
   * @returns the value; `null` if it is not known
   */
  getExtraInfo(name: "peername" | "sockname"): Address | null;
  getExtraInfo(name: "socket"): TransportSocket<Address> | null;
  getExtraInfo<Default>(name: "peername" | "sockname", defaultValue: Default): Address | Default;
  getExtraInfo<Key extends keyof ExtraInfo>(name: Key): ExtraInfo[Key] | null;
  getExtraInfo<Key extends keyof ExtraInfo, Default>(name: Key, defaultValue: Default): ExtraInfo[Key] | Default;
  getExtraInfo<Name extends string>(name: string extends Name ? Name : never, defaultValue?: unknown): unknown;
  getExtraInfo(name: string, defaultValue: unknown = null): unknown {
    return this.#transport.getExtraInfo(name, defaultValue);
  }

  /**
   * Closes the connection and waits for its end, for `await using`. An error that ended the connection is not thrown here, because it
   * would hide an error thrown in the block; `drain()` and `waitClosed()` throw it.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.waitClosed().catch(() => {});
  }
}
