/**
 * `StreamWriter`: writing with back-pressure, and the end of a connection. Python's `asyncio.StreamWriter`.
 *
 * It holds no bytes: `write()` hands them to the transport at once, and `drain()` waits for the transport (through the protocol) when too much has
 * piled up there.
 */
import type { Writable } from "node:stream";
import type { NodeStreamOptions } from "../adapters/readable.js";
import { writableStreamOf } from "../adapters/web-streams.js";
import { writableOf } from "../adapters/writable.js";
import { checkError, checkOptions, type Data, type SignalOptions, toBytes, toPieces } from "../base/arguments.js";
import { InvalidStateError } from "../base/errors.js";
import { nextTurn } from "../base/scheduling.js";
import { checkClientSsl, checkServerHostname, checkServerSsl, tlsTimeouts } from "../base/tls-arguments.js";
import { DONE, throwIfAborted, type WaitEnd, waitEnd, waitThroughout } from "../base/waiting.js";
import type { Transport, WriteData } from "../contracts/connection.js";
import type { ExtraInfo } from "../contracts/extra-info.js";
import type { SSLClient, SSLServer, TlsTimeouts } from "../contracts/tls.js";
import type { StreamReader } from "./reader.js";
import { SinkTransport } from "./sink-transport.js";
import type { WriterFlow } from "./writer-flow.js";

/** Turns of the event loop in which a socket tells that it has sent everything: it takes one or two over TLS, some more in Deno. */
const CLOSING_TURNS = 10;

/** Options of `startTls()`. */
export interface StartTlsOptions extends TlsTimeouts {
  /** Whose certificate a client expects. Default: the host it is connected to, `"localhost"` for a Unix socket. `""`: anybody's. */
  readonly serverHostname?: string | undefined;
}

/**
 * Writes bytes and text, and closes the connection.
 *
 * `write()` never waits; follow it with `await writer.drain()` wherever much may be written, so that a slow peer slows the program instead of
 * filling its memory.
 *
 * @example
 * ```ts
 * writer.write("hello\n");
 * await writer.drain();
 * writer.close();
 * await writer.waitClosed();
 * ```
 */
export class StreamWriter implements AsyncDisposable {
  #transport: Transport;
  readonly #protocol: WriterFlow;
  readonly #reader: StreamReader | null;
  #bytesWritten = 0;

  /**
   * Makes a writer on a transport of your own; `openConnection()` and its like give you one.
   *
   * @param transport what is written to
   * @param protocol the transport's protocol, which says when to wait
   * @param reader the other half of the pair: its exception is thrown by `drain()`
   */
  constructor(transport: Transport, protocol: WriterFlow, reader: StreamReader | null = null) {
    this.#transport = transport;
    this.#protocol = protocol;
    this.#reader = reader;
  }

  /**
   * A writer to a Writable of Node or a `WritableStream`: a file, a child's standard input, a compressor. Only here.
   *
   * A chunk counts as buffered until the sink is done with it, so `drain()` and `flush()` wait for a slow one. `writeEof()` and `close()` end the sink after what was
   * written; `abort()` destroys it. If it fails, that is the loss of the connection, with its error. It belongs to the writer from now on.
   *
   * @param sink what to write to
   * @throws TypeError if `sink` is neither, or a `WritableStream` that somebody else writes to
   *
   * @example
   * ```ts
   * const child = spawn("sort");
   * const [reader, writer] = [StreamReader.from(child.stdout), StreamWriter.from(child.stdin)];
   * ```
   */
  static from(sink: Writable | WritableStream<Uint8Array>): StreamWriter {
    const transport = new SinkTransport(sink);
    return new StreamWriter(transport, transport.flow);
  }

  /** The transport underneath. */
  get transport(): Transport {
    return this.#transport;
  }

  /**
   * Sends bytes or text (as UTF-8), without waiting. What is written in one turn of the event loop goes out together, in order. The bytes must not
   * be changed before they are sent. Once the connection is closed or lost, nothing is sent; `drain()` tells.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE` if `data` is neither a `Uint8Array` nor a string
   * @throws InvalidStateError after `writeEof()`
   */
  write(data: WriteData): void {
    const bytes = toBytes("data", data);
    this.#transport.write(bytes);
    this.#bytesWritten += bytes.length;
  }

  /** Sends several pieces, as if they were joined; otherwise like `write()`. */
  writelines(list: Iterable<WriteData>): void {
    const pieces = toPieces(list);
    this.#transport.writelines(pieces);
    for (const piece of pieces) this.#bytesWritten += piece.length;
  }

  /**
   * Waits while more is buffered than the high-water mark (64 KiB), until it has fallen to the low-water mark (16 KiB). Any number of callers may
   * wait.
   *
   * **If aborted**, only the wait ends: what was written is still sent.
   *
   * @param options `signal` ends the wait
   * @throws the reader's exception, if one was set
   * @throws ConnectionLostError once the connection is gone; after `close()` with nothing left to send, as soon as it is. The socket's own error is the `cause`.
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
    // What most calls find.
    if (options === undefined && this.#protocol.isFlowing && !this.#transport.isClosing() && (this.#reader?.exception() ?? null) === null) {
      return this.#protocol.paced(DONE, this.#bytesWritten);
    }
    return this.#wait(options, (signal) => {
      const exception = this.#reader?.exception() ?? null;
      if (exception !== null && exception !== this.#protocol.lossError) throw exception;
      const isClosing = this.#transport.isClosing(); // first: a transport may notice only then that it is lost
      if (this.#protocol.isFlowing && isClosing) return waitThroughout(signal, (whole) => this.#drainWhileClosing(whole));
      return this.#protocol.drained(signal);
    });
  }

  /** Makes a call that may wait: checks its options, turns what it throws into a rejection, and lets the event loop run now and then. */
  #wait(options: SignalOptions | undefined, call: (signal: WaitEnd | undefined) => Promise<void>): Promise<void> {
    let wait: Promise<void>;
    try {
      checkOptions("options", options);
      wait = call(waitEnd(options));
    } catch (error) {
      wait = Promise.reject(error);
    }
    return this.#protocol.paced(wait, this.#bytesWritten);
  }

  /**
   * CPython gives the loop a turn here, in which the loss is seen if nothing is left to send. A Node socket takes longer to close, so then the loss itself is waited
   * for; and over TLS it takes some turns to tell that it has sent what the system has long taken.
   */
  async #drainWhileClosing(signal: AbortSignal | undefined): Promise<void> {
    for (let turn = 0; turn < CLOSING_TURNS && this.#transport.getWriteBufferSize() > 0; turn += 1) {
      await nextTurn();
      throwIfAborted(signal);
    }
    if (this.#transport.getWriteBufferSize() === 0) await this.#protocol.drainedNever(signal);
    await this.#protocol.drained(signal);
  }

  /**
   * Waits until the system has taken everything that was written: what `drain()` is often taken for. That the peer has received it is another matter, which only its
   * answer tells. After the end of the connection it still tells which of the two it was: all had gone, or not. Only here. Over TLS, what was written in the turn in which
   * `abort()` cuts the connection counts as not sent, though some of it may have gone.
   *
   * **If aborted**, only the wait ends: what was written is still sent.
   *
   * @param options `signal` ends the wait
   * @throws ConnectionLostError if the connection was lost or closed before, with the socket's own error as `cause`
   *
   * @example
   * ```ts
   * writer.write(report);
   * await writer.flush({ signal: AbortSignal.timeout(10_000) });
   * ```
   */
  flush(options?: SignalOptions): Promise<void> {
    return this.#wait(options, (signal) => this.#transport.flushed?.(signal) ?? this.#protocol.drained(signal));
  }

  /** How many bytes have been given to `write()`, text counted as UTF-8. Only here. */
  get bytesWritten(): number {
    return this.#bytesWritten;
  }

  /**
   * Closes the connection at once; what is buffered is dropped. Only here; Python has it on the transport.
   *
   * @param reason what waiting reads, `drain()` and `waitClosed()` reject with (`drain()` as the `cause`); without one it counts as an orderly end
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

  /** Closes the connection: what was written is sent first. Does not wait; see `waitClosed()`. */
  close(): void {
    this.#transport.close();
  }

  /** Whether the connection is closed or closing. */
  isClosing(): boolean {
    return this.#transport.isClosing();
  }

  /**
   * Waits until the connection is closed: call `close()` first.
   *
   * **If aborted**, only the wait ends.
   *
   * @param options `signal` ends the wait
   * @throws the error that ended the connection, if one did
   */
  waitClosed(options?: SignalOptions): Promise<void> {
    return this.#wait(options, (signal) => this.#protocol.closed(signal));
  }

  /**
   * Ends our side of the connection after what was written; the peer reads EOF, and we can still read.
   *
   * @throws InvalidStateError over TLS, where a side cannot be ended alone
   */
  writeEof(): void {
    this.#transport.writeEof();
  }

  /** Whether `writeEof()` is possible: false over TLS. */
  canWriteEof(): boolean {
    return this.#transport.canWriteEof();
  }

  /**
   * Changes the connection over to TLS. The same reader and writer go on; `transport` and the extra info are new. On a server's writer this end is the
   * server, otherwise the client.
   *
   * What was written before is sent first. What the peer sent ahead, unread in the reader, is the beginning of its handshake and goes there. Do not write while this
   * runs. A handshake that fails closes the connection. Wrong arguments, and a state that does not allow it, leave it as it was: open, and in the clear if it was.
   *
   * @param ssl for a client `true`, a `SecureContext` or `tls.ConnectionOptions`; for a server a `SecureContext` or `tls.TlsOptions`
   * @param options `serverHostname`: whose certificate a client expects; default the host it is connected to, `""` for anybody's. `sslHandshakeTimeout`: ms,
   *   default 60,000. `sslShutdownTimeout`: ms that `close()` waits for the peer's close_notify, default 30,000.
   * @throws TypeError for a wrong argument; InvalidStateError if the connection is secured already, or has ended on a side
   * @throws ConnectionTimeoutError if the handshake takes too long; the error of TLS if it fails; ConnectionLostError if the connection is gone
   *
   * @example
   * ```ts
   * writer.write("STARTTLS\r\n");
   * if ((await reader.readline()).toString().startsWith("220")) await writer.startTls(true, { serverHostname: "mail.example" });
   * ```
   */
  async startTls(ssl: SSLClient | SSLServer, options?: StartTlsOptions): Promise<void> {
    checkOptions("options", options);
    const role = this.#protocol.tlsRole;
    const upgrade = {
      role,
      ssl: role === "client" ? checkClientSsl(ssl) : checkServerSsl(ssl),
      serverHostname: checkServerHostname(role, options?.serverHostname),
      ...tlsTimeouts(options),
      takeReadAhead: () => this.#reader?.incoming.queue.takeAll() ?? Buffer.alloc(0),
      onSecured: (transport: Transport) => {
        this.#transport = transport;
        this.#protocol.replaceTransport(transport);
      },
    };
    await this.drain();
    if (this.#transport.startTls === undefined) throw new InvalidStateError("cannot startTls(): this transport does not support it");
    await this.#transport.startTls(upgrade);
  }

  /**
   * This writer as a Writable of `node:stream`, for whatever takes one. Only here.
   *
   * A chunk is done when the system has taken it, so a slow peer slows whoever writes. `end()` ends the writing side after what was written (over TLS, where that
   * is not possible, it closes the connection); what the peer sends can still be read. Destroying the Writable before its end aborts the connection,
   * with its error; a connection that is lost destroys the Writable. Do not write here meanwhile.
   *
   * @param options `highWaterMark`: bytes buffered above the writer's own buffer, default Node's
   * @throws RangeError `ERR_OUT_OF_RANGE` if `highWaterMark` is negative or no integer
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
   * This writer as a `WritableStream`, which takes bytes and text. Only here.
   *
   * A chunk is done when the system has taken it, so a slow peer slows whoever writes. Closing the stream ends the writing side (over TLS, where that is not
   * possible, the connection); what the peer sends can still be read. Aborting it, or writing something that is neither bytes nor text, aborts the connection. A
   * connection that is lost is an error of the stream.
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
   * What the transport knows of the connection, by Python's key.
   *
   * @param name such as `"peername"`
   * @returns `null` if it is not known
   */
  getExtraInfo<Key extends keyof ExtraInfo>(name: Key): ExtraInfo[Key] | null;
  /** The same, with another value than `null` for what is not known. */
  getExtraInfo<Key extends keyof ExtraInfo, Default>(name: Key, defaultValue: Default): ExtraInfo[Key] | Default;
  /** The same, for a key that a transport of your own may have. */
  getExtraInfo(name: string, defaultValue?: unknown): unknown;
  getExtraInfo(name: string, defaultValue: unknown = null): unknown {
    return this.#transport.getExtraInfo(name, defaultValue);
  }

  /**
   * For `await using`: closes and waits. An error that ended the connection is not thrown here, where it would hide the one that ended the
   * block; `drain()` and `waitClosed()` throw it.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.waitClosed().catch(() => {});
  }
}
