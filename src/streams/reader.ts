/**
 * `StreamReader`: the reading half of a stream pair. Python's `asyncio.StreamReader`, plus calls that asyncio lacks.
 *
 * `StreamReaderProtocol` feeds the reader of a connection (`feedData`, `feedEof`, `setException`), and one caller at a time reads. See
 * `read-engine.ts` for how a read waits, what an abort leaves behind, and when the transport is paused.
 */
import type { Readable } from "node:stream";
import { type NodeStreamOptions, readableOf } from "../adapters/node-streams.js";
import { readableStreamOf } from "../adapters/web-streams.js";
import {
  checkBoolean,
  checkError,
  checkInteger,
  type Data,
  invalidType,
  invalidValue,
  isBytes,
  type SignalOptions,
} from "../base/arguments.js";
import { LimitOverrunError } from "../base/errors.js";
import { checkKnownOptions, WAIT_OPTIONS } from "../base/known-options.js";
import { checkLimit } from "../base/limits.js";
import { bytesThere, toOwnBytes } from "../base/memory.js";
import { parseSeparators } from "../base/separator-search.js";
import type { Transport } from "../contracts/connection.js";
import {
  exactAttempt,
  intoAttempt,
  iterate,
  LineAttempt,
  LineIterator,
  lineAtHand,
  lineAttempt,
  type MessageTraits,
  messageAttempt,
  peekAttempt,
  restAttempt,
  skipAttempt,
  someAttempt,
  takeNothing,
  withoutNewline,
} from "./attempts.js";
import { inBoundedTime, pullFrom } from "./pulled-source.js";
import { type Attempt, ReadEngine } from "./read-engine.js";
import {
  LINES_OPTIONS,
  type LinesOptions,
  READER_OPTIONS,
  READLINE_OPTIONS,
  READUNTIL_OPTIONS,
  type ReadlineOptions,
  type ReaduntilOptions,
  type StreamReaderOptions,
} from "./reader-options.js";

/** Encodings in which the byte 0x0a is not always a newline. */
const TWO_BYTE_ENCODINGS: ReadonlySet<string> = new Set(["utf16le", "utf-16le", "ucs2", "ucs-2"]);

/** Default size of a chunk of `chunks()`, in bytes: the most that a socket delivers at once. */
const CHUNK_BYTES = 65_536;

/**
 * Reads lines, exact byte counts, data up to a separator, or whatever has arrived.
 *
 * Only one read may wait at a time. Iterating over the reader yields the lines, each with its newline; the reader stays usable after
 * leaving the loop.
 *
 * @example
 * ```ts
 * const [reader, writer] = await openUnixConnection("/run/app.sock");
 * const header = await reader.readexactly(4);
 * const body = await reader.readexactly(header.readUInt32BE());
 * for await (const line of reader) console.log(line.toString());
 * ```
 */
export class StreamReader implements AsyncIterable<Buffer>, AsyncDisposable {
  readonly #limit: number;
  readonly #engine: ReadEngine;
  readonly #lines: LineAttempt;

  /**
   * Makes a reader that is fed by its connection, or by hand in a test.
   *
   * @param options `limit`: the longest line in bytes, default 65,536
   * @throws RangeError `ERR_OUT_OF_RANGE` if `limit` is not a positive integer
   */
  constructor(options?: StreamReaderOptions) {
    checkKnownOptions("new StreamReader", options, READER_OPTIONS);
    this.#limit = checkLimit(options?.limit);
    this.#engine = new ReadEngine(this.#limit);
    this.#lines = new LineAttempt(this.#engine, this.#limit);
  }

  /**
   * Makes a reader for another source: a Readable of Node, a `ReadableStream`, or any async iterable of bytes or text. Not in asyncio.
   *
   * The reader requests data from the source until more than twice the limit is buffered, and again once the buffer has fallen to the
   * limit. The end of the source is the reader's EOF. If the source throws, reads throw the same error after the data received before
   * it. The end of a Duplex's readable side leaves its writable side open.
   *
   * The reader owns the source until `cancel()` releases it. Leaving a loop over the reader pauses the source until the next read
   * waits, so an unread source does not keep the process alive.
   *
   * @param source what to read from
   * @param options `limit`: the longest line in bytes, default 65,536
   * @throws TypeError if `source` is not async iterable
   * @throws RangeError `ERR_OUT_OF_RANGE` if `limit` is not a positive integer
   *
   * @example
   * ```ts
   * const reader = StreamReader.from(process.stdin);
   * for await (const line of reader.lines({ encoding: "utf8" })) console.log(line);
   * ```
   */
  static from(source: AsyncIterable<Data>, options?: StreamReaderOptions): StreamReader {
    checkKnownOptions("StreamReader.from", options, READER_OPTIONS);
    const reader = new StreamReader(options);
    pullFrom(source, reader.#engine);
    return reader;
  }

  // ---- reading, as in Python ---------------------------------------------------------------------------------------------------

  /**
   * Reads up to `n` bytes, as soon as any are available.
   *
   * **If aborted**, nothing is consumed: bytes that a waiting `read()` to EOF has collected go to the next read.
   *
   * @param n the maximum number of bytes. -1 (the default) or any negative number reads everything until EOF; 0 returns an empty
   *   `Buffer` at once.
   * @param options `signal` ends the wait
   * @returns the bytes; an empty `Buffer` at EOF. They may share memory with the received chunk (up to 64 KiB): copy small pieces that
   *   you keep for long.
   * @throws RangeError `ERR_OUT_OF_RANGE` if `n` is not an integer
   * @throws ConcurrentReadError if another read is waiting
   * @throws the error that ended the connection, after the data received before it has been read; `read()` to EOF throws it at once and
   *   keeps the data
   *
   * @example
   * ```ts
   * const some = await reader.read(65_536);
   * const rest = await reader.read();
   * ```
   */
  read(n: number = -1, options?: SignalOptions): Promise<Buffer> {
    const engine = this.#engine;
    const error = refusal(() => checkInteger("n", n, Number.MIN_SAFE_INTEGER));
    if (error !== null) return error;
    if (n === 0) return engine.perform("read", takeNothing, options);
    if (n < 0) return engine.perform("read", restAttempt(engine), options);
    return engine.perform("read", someAttempt(engine, n), options);
  }

  /**
   * Reads one line, including its `"\n"`.
   *
   * **If aborted**, nothing is consumed.
   *
   * @param options `signal` ends the wait; `limit`: the longest line for this call, in bytes, default the reader's limit
   * @returns the line with its newline; at EOF the rest of the data without a newline, or an empty `Buffer`. The line may share memory
   *   with the received chunk (up to 64 KiB): copy short lines that you keep for long.
   * @throws LineTooLongError if the line without its newline is longer than the limit. The line is dropped (through its newline if that
   *   has arrived, otherwise all buffered bytes); `consumed` is the number of bytes dropped.
   * @throws ConcurrentReadError if another read is waiting
   * @throws the error that ended the connection, after the complete lines received before it
   *
   * @example
   * ```ts
   * const line = await reader.readline({ signal: AbortSignal.timeout(5_000) });
   * if (line.length === 0) return; // EOF
   * ```
   */
  readline(options?: ReadlineOptions): Promise<Buffer> {
    if (options === undefined) {
      const line = lineAtHand(this.#engine, this.#limit);
      if (line !== undefined) return Promise.resolve(line);
      return this.#engine.perform("readline", this.#lines);
    }
    try {
      return this.#engine.perform("readline", lineAttempt(this.#engine, this.#messageTraits(options)), options, READLINE_OPTIONS);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Reads exactly `n` bytes. The limit does not apply.
   *
   * **If aborted**, nothing is consumed.
   *
   * @param n the number of bytes
   * @param options `signal` ends the wait
   * @throws RangeError `ERR_OUT_OF_RANGE` if `n` is negative or not an integer
   * @throws IncompleteReadError if the stream ends first; the bytes received are moved from the reader to `partial`
   * @throws ConcurrentReadError if another read is waiting
   * @throws the error that ended the connection; the received data stays in the reader
   *
   * @example
   * ```ts
   * const length = (await reader.readexactly(4)).readUInt32BE();
   * ```
   */
  readexactly(n: number, options?: SignalOptions): Promise<Buffer> {
    const engine = this.#engine;
    const error = refusal(() => checkInteger("n", n, 0));
    if (error !== null) return error;
    if (n === 0) return engine.perform("readexactly", takeNothing, options);
    return engine.perform("readexactly", exactAttempt(engine, n), options);
  }

  /**
   * Reads up to and including a separator, or the first of several separators.
   *
   * **If aborted**, nothing is consumed.
   *
   * @param separator bytes or text, default `"\n"`. In a list, the separator that ends first matches; of those that end at the same
   *   byte, the shortest.
   * @param options `signal` ends the wait; `limit`: the longest message for this call, in bytes; `keepSeparator: false` removes the
   *   separator from the result
   * @returns the data, with its separator unless `keepSeparator` is false
   * @throws TypeError `ERR_INVALID_ARG_VALUE` if a separator or the list is empty
   * @throws IncompleteReadError if the stream ends first; `partial` has the bytes received, `expected` is `null`
   * @throws LimitOverrunError if the data without its separator is longer than the limit. The data stays in the reader; `consumed` is
   *   the number of bytes that can be skipped.
   * @throws ConcurrentReadError if another read is waiting
   * @throws the error that ended the connection; the received data stays in the reader
   *
   * @example
   * ```ts
   * const head = await reader.readuntil("\r\n\r\n");
   * const line = await reader.readuntil(["\r\n", "\n"], { keepSeparator: false });
   * ```
   */
  readuntil(separator: Data | readonly Data[] = "\n", options?: ReaduntilOptions): Promise<Buffer> {
    try {
      const attempt = messageAttempt(this.#engine, parseSeparators(separator), this.#messageTraits(options));
      return this.#engine.perform("readuntil", attempt, options, READUNTIL_OPTIONS);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #messageTraits(options: ReaduntilOptions | undefined): MessageTraits {
    return {
      limit: options?.limit === undefined ? this.#limit : checkLimit(options.limit),
      keepSeparator: checkBoolean("keepSeparator", options?.keepSeparator) ?? true,
    };
  }

  /** Iterates over the lines until EOF. Each line has its newline; the last one may lack it. Leaving the loop consumes nothing more. */
  [Symbol.asyncIterator](): AsyncIterator<Buffer, undefined> {
    return new LineIterator(this.#engine, this.#limit, this.#lines);
  }

  /** True if the stream has ended and everything has been read. */
  atEof(): boolean {
    return this.#engine.eof && this.#engine.queue.length === 0;
  }

  // ---- reading, beyond Python --------------------------------------------------------------------------------------------------

  /** The number of bytes received but not yet read. Not in asyncio. */
  get bufferedLength(): number {
    return this.#engine.queue.length;
  }

  /**
   * Returns the next `n` bytes without consuming them. Not in asyncio.
   *
   * **If aborted**, nothing is consumed.
   *
   * @param n the number of bytes, at most the reader's limit
   * @param options `signal` ends the wait
   * @returns a copy of the bytes; fewer than `n` only at EOF
   * @throws RangeError `ERR_OUT_OF_RANGE` if `n` is negative or not an integer
   * @throws LimitOverrunError if `n` is greater than the limit
   * @throws ConcurrentReadError if another read is waiting
   *
   * @example
   * ```ts
   * const isTls = (await reader.peek(1))[0] === 0x16;
   * ```
   */
  peek(n: number, options?: SignalOptions): Promise<Buffer> {
    const engine = this.#engine;
    const error = refusal(() => {
      if (checkInteger("n", n, 0) > this.#limit) {
        throw new LimitOverrunError(`cannot peek at ${n} bytes: the limit is ${this.#limit}`, engine.queue.length);
      }
    });
    if (error !== null) return error;
    if (n === 0) return engine.perform("peek", takeNothing, options);
    return engine.perform("peek", peekAttempt(engine, n), options);
  }

  /**
   * Reads into the caller's memory, as soon as any bytes are available. Not in asyncio.
   *
   * **If aborted**, nothing is consumed, and nothing is written to `view`.
   *
   * @param view the memory to read into, at least one byte long
   * @param options `signal` ends the wait
   * @returns the number of bytes written to the start of `view`; 0 at EOF
   * @throws TypeError if `view` is not a `Uint8Array`, is empty, or its memory is detached (transferred)
   * @throws ConcurrentReadError if another read is waiting
   *
   * @example
   * ```ts
   * const view = new Uint8Array(1024);
   * for (let count; (count = await reader.readinto(view)) > 0; ) hash.update(view.subarray(0, count));
   * ```
   */
  readinto(view: Uint8Array, options?: SignalOptions): Promise<number> {
    const check = (): void => {
      if (!isBytes(view) || bytesThere(view) === 0)
        throw invalidType("view", "a Uint8Array of at least one byte whose memory is not detached", view);
    };
    const error = refusal(check);
    if (error !== null) return error;
    const attempt = intoAttempt(this.#engine, view);
    const run = (): number | undefined => {
      check(); // `view` may have been detached while the call waited
      return attempt.run();
    };
    return this.#engine.perform("readinto", { run }, options);
  }

  /**
   * Drops the next `n` bytes as they arrive, without collecting them. Not in asyncio.
   *
   * **If aborted**, the bytes dropped so far stay dropped.
   *
   * @param n the number of bytes
   * @param options `signal` ends the wait
   * @returns the number of bytes dropped; fewer than `n` only at EOF
   * @throws RangeError `ERR_OUT_OF_RANGE` if `n` is negative or not an integer
   * @throws ConcurrentReadError if another read is waiting
   *
   * @example
   * ```ts
   * if ((await reader.skip(1_000_000)) < 1_000_000) console.warn("the peer went away");
   * ```
   */
  skip(n: number, options?: SignalOptions): Promise<number> {
    const error = refusal(() => checkInteger("n", n, 0));
    if (error !== null) return error;
    return this.#engine.perform("skip", skipAttempt(this.#engine, n), options);
  }

  /**
   * Puts bytes back at the front of the buffer. Not in asyncio. Also works after EOF.
   *
   * @param data bytes or text. Bytes are kept, not copied: do not change them afterwards.
   * @throws TypeError `ERR_INVALID_ARG_TYPE` if `data` is neither bytes nor text, or its memory is detached (transferred)
   *
   * @example
   * ```ts
   * const command = await reader.readexactly(4);
   * if (command.toString() !== "GET ") reader.unread(command); // not a command for this handler
   * ```
   */
  unread(data: Data): void {
    this.#engine.unread(toOwnBytes("data", data));
  }

  /**
   * Iterates over the lines as text, without their newlines. Not in asyncio. Leaving the loop consumes nothing more.
   *
   * **If aborted**, the iteration throws the signal's reason, and nothing is consumed.
   *
   * @param options `encoding` for strings; `keepSeparator: true` to keep `"\n"` or `"\r\n"`; `limit`; `signal` for the whole iteration
   *
   * @example
   * ```ts
   * for await (const line of reader.lines({ encoding: "utf8" })) console.log(line);
   * ```
   */
  lines(options: LinesOptions & { readonly encoding: BufferEncoding }): AsyncIterableIterator<string, undefined>;
  /** Iterates over the lines as buffers; otherwise the same as with `encoding`. */
  lines(options?: LinesOptions & { readonly encoding?: undefined }): AsyncIterableIterator<Buffer, undefined>;
  lines(options: LinesOptions = {}): AsyncIterableIterator<string | Buffer, undefined> {
    checkKnownOptions("lines", options, LINES_OPTIONS);
    const keepSeparator = checkBoolean("keepSeparator", options.keepSeparator) ?? false;
    const { encoding } = options;
    if (encoding !== undefined && !Buffer.isEncoding(encoding)) throw invalidType("encoding", "an encoding that Buffer supports", encoding);
    if (encoding !== undefined && TWO_BYTE_ENCODINGS.has(encoding.toLowerCase())) {
      throw invalidValue(`lines() cannot decode ${encoding}: a newline byte can be part of another character`);
    }
    const traits = { ...this.#messageTraits(options), keepSeparator: true };
    const attempt = (): Attempt<Buffer> => lineAttempt(this.#engine, traits);
    return iterate(this.#engine, attempt, options, (line) => {
      const wanted = keepSeparator ? line : withoutNewline(line);
      return encoding === undefined ? wanted : wanted.toString(encoding);
    });
  }

  /**
   * Iterates over the bytes in chunks, as they arrive. Not in asyncio. Leaving the loop consumes nothing more.
   *
   * **If aborted**, the iteration throws the signal's reason, and nothing is consumed.
   *
   * @param size the maximum number of bytes in a chunk, default 65,536
   * @param options `signal` for the whole iteration
   * @throws RangeError `ERR_OUT_OF_RANGE` if `size` is not a positive integer
   *
   * @example
   * ```ts
   * for await (const chunk of reader.chunks()) hash.update(chunk);
   * ```
   */
  chunks(size: number = CHUNK_BYTES, options: SignalOptions = {}): AsyncIterableIterator<Buffer, undefined> {
    checkInteger("size", size, 1);
    checkKnownOptions("chunks", options, WAIT_OPTIONS);
    return iterate(
      this.#engine,
      () => someAttempt(this.#engine, size),
      options,
      (chunk) => chunk,
    );
  }

  /**
   * Ends reading and releases the source of `StreamReader.from()`. Not in asyncio.
   *
   * A Readable is destroyed. A Duplex and `process.stdin` are paused, and the reader's listeners removed. A `ReadableStream` is
   * cancelled and unlocked. `return()` of an iterator is called. The promise resolves when the source has cleaned up, or after half a
   * second; errors of the cleanup are ignored.
   *
   * Received data can still be read; EOF follows, also for a waiting read. On a connection nothing is released: further data from the
   * peer is dropped, and the writer closes the connection. `await using` calls `cancel()` too.
   *
   * @param reason passed to `cancel()` of a `ReadableStream`; other sources ignore it
   *
   * @example
   * ```ts
   * const reader = StreamReader.from(process.stdin);
   * const answer = await reader.readline();
   * await reader.cancel(); // the process can end, though its input stays open
   * ```
   */
  async cancel(reason?: unknown): Promise<void> {
    await inBoundedTime(this.#engine.cancel(reason));
  }

  /** Calls `cancel()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.cancel();
  }

  // ---- as a stream of another kind ---------------------------------------------------------------------------------------------

  /**
   * Returns this reader as a Readable of `node:stream`, for `pipeline()`, `node:readline` or a parser. Not in asyncio.
   *
   * The Readable reads on demand, and ahead up to its high-water mark; backpressure reaches the peer as with the reader itself. An
   * error of the reader destroys the Readable, after the data received before it. Destroying the Readable ends only its own reading:
   * the connection stays open, and unread data stays in the reader. Do not read from the reader while the Readable is in use.
   *
   * @param options `highWaterMark`: bytes to read ahead, default Node's
   * @throws RangeError `ERR_OUT_OF_RANGE` if `highWaterMark` is negative or not an integer
   *
   * @example
   * ```ts
   * await pipeline(reader.toReadable(), createGunzip(), createWriteStream("dump"));
   * ```
   */
  toReadable(options?: NodeStreamOptions): Readable {
    return readableOf(this, options);
  }

  /**
   * Returns this reader as a `ReadableStream` of bytes, for example for `Response` or `pipeThrough()`. Not in asyncio.
   *
   * The stream does not read ahead: data stays in the reader until it is requested. A `"byob"` reader gets the bytes in its own memory;
   * other readers get copies. An error of the reader becomes the stream's error, after the data received before it. Cancelling the
   * stream ends only its own reading: the connection stays open.
   *
   * @example
   * ```ts
   * const text = await new Response(reader.toWeb()).text();
   * ```
   */
  toWeb(): ReadableStream<Uint8Array> {
    return readableStreamOf(this);
  }

  // ---- feeding -----------------------------------------------------------------------------------------------------------------

  /**
   * Appends data to the buffer. On a connection, the protocol calls this.
   *
   * @param data bytes or text. Bytes are kept, not copied: do not change them afterwards. Empty data is ignored.
   * @throws InvalidStateError after `feedEof()`
   */
  feedData(data: Data): void {
    this.#engine.feed(data);
  }

  /** Marks the end of the stream: after the buffered data, reads return an empty `Buffer`. */
  feedEof(): void {
    this.#engine.feedEof();
  }

  /** Returns the error set by `setException()`, or the one that ended the connection; `null` if there is none. */
  exception(): Error | null {
    return this.#engine.exception;
  }

  /**
   * Makes the waiting read and every later read throw `error`, even if data is buffered.
   *
   * CPython: accepts any value; the read that would raise it then fails with a `TypeError`.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE` if `error` is not an `Error`
   */
  setException(error: Error): void {
    checkError("error", error);
    this.#engine.fail(error);
  }

  /**
   * Sets the transport that the reader pauses and resumes. On a connection, the protocol calls this.
   *
   * @throws InvalidStateError if the reader already has a transport
   */
  setTransport(transport: Transport): void {
    this.#engine.setTransport(transport);
  }

  /**
   * The read engine, for the protocol and for `startTls()`.
   *
   * @internal
   */
  get engine(): ReadEngine {
    return this.#engine;
  }
}

/** Returns a rejected promise if the check throws, otherwise `null`: a method that waits rejects instead of throwing. */
function refusal(check: () => void): Promise<never> | null {
  try {
    check();
    return null;
  } catch (error) {
    return Promise.reject(error);
  }
}
