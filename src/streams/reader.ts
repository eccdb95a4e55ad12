/**
 * `StreamReader`: the waiting calls of asyncio's streams. Python's `asyncio.StreamReader`, and what its users have wished for.
 *
 * Somebody feeds the reader (`feedData`, `feedEof`, `setException`; on a connection that is `StreamReaderProtocol`), and one caller at a time reads. How a read
 * waits, what an abort leaves, and when the transport pauses, is told in `incoming.ts`.
 */
import type { Readable } from "node:stream";
import { type NodeStreamOptions, readableOf } from "../adapters/readable.js";
import { readableStreamOf } from "../adapters/web-streams.js";
import {
  checkBoolean,
  checkError,
  checkInteger,
  checkOptions,
  type Data,
  invalidType,
  invalidValue,
  isBytes,
  type SignalOptions,
} from "../base/arguments.js";
import { LimitOverrunError } from "../base/errors.js";
import { checkLimit } from "../base/limits.js";
import { bytesThere, toOwnBytes } from "../base/memory.js";
import { parseSeparators } from "../base/separator-search.js";
import type { Transport } from "../contracts/connection.js";
import { type Attempt, Incoming } from "./incoming.js";
import { iterate, withoutNewline } from "./iteration.js";
import { LineIterator, LineReading, lineAtHand } from "./line-readings.js";
import { lineAttempt, type MessageTraits, messageAttempt } from "./message-attempts.js";
import { inBoundedTime, pullFrom } from "./pulled-source.js";
import { exactAttempt, intoAttempt, peekAttempt, restAttempt, skipAttempt, someAttempt, takeNothing } from "./read-attempts.js";
import type { LinesOptions, ReadlineOptions, ReaduntilOptions, StreamReaderOptions } from "./reader-options.js";

/** Encodings in which the byte 0x0a is not always a newline. */
const TWO_BYTE_ENCODINGS: ReadonlySet<string> = new Set(["utf16le", "utf-16le", "ucs2", "ucs-2"]);

/** How much `chunks()` reads at most in one step, unless told: what a socket delivers at most. */
const CHUNK_BYTES = 65_536;

/**
 * Reads bytes as they come: lines, exact counts, up to a separator, or whatever is there.
 *
 * One read at a time may wait. Iterating gives the lines, each with its newline; leaving the loop leaves the reader usable.
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
  readonly #incoming: Incoming;
  readonly #lines: LineReading;

  /**
   * Makes a reader that somebody feeds: its connection, or a test by hand.
   *
   * @param options `limit`: the longest line in bytes, default 65,536
   * @throws RangeError `ERR_OUT_OF_RANGE` if `limit` is not a positive integer
   */
  constructor(options?: StreamReaderOptions) {
    checkOptions("options", options);
    this.#limit = checkLimit(options?.limit);
    this.#incoming = new Incoming(this.#limit);
    this.#lines = new LineReading(this.#incoming, this.#limit);
  }

  /**
   * A reader of what a source gives: a Readable of Node, a `ReadableStream`, or any async iterable of bytes or text. Only here.
   *
   * The source is asked for more until twice the limit is unread, and again when the limit or less is. Its end is the reader's EOF; if it throws, reads throw the same, after
   * what came before. Its end leaves the writing side of a Duplex alone. It belongs to the reader from now on; `cancel()` gives it back. Leaving a loop over the reader pauses
   * the source until a read waits again, so that a source of which nobody reads does not keep the process alive.
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
    const reader = new StreamReader(options);
    pullFrom(source, reader.#incoming);
    return reader;
  }

  // ---- reading, as in Python ---------------------------------------------------------------------------------------------------

  /**
   * Reads up to `n` bytes, as soon as there are any.
   *
   * **If aborted**, nothing is consumed: what a waiting `read()` to EOF has gathered is there for the next read.
   *
   * @param n the most bytes to return; -1 (the default), or any negative number: everything until EOF; 0: nothing, at once
   * @param options `signal` ends the wait
   * @returns the bytes; an empty `Buffer` at EOF. They may share memory with the chunk they came in, up to 64 KiB: copy small pieces you keep for long.
   * @throws RangeError `ERR_OUT_OF_RANGE` if `n` is not an integer
   * @throws ConcurrentReadError if another read is waiting
   * @throws the error of a lost connection, once what was received before it is read; for `read()` to EOF at once, with the bytes kept
   *
   * @example
   * ```ts
   * const some = await reader.read(65_536);
   * const rest = await reader.read();
   * ```
   */
  read(n: number = -1, options?: SignalOptions): Promise<Buffer> {
    const incoming = this.#incoming;
    const error = refusal(() => checkInteger("n", n, Number.MIN_SAFE_INTEGER));
    if (error !== null) return error;
    if (n === 0) return incoming.perform("read", takeNothing, options, { takesNothing: true });
    if (n < 0) return incoming.perform("read", restAttempt(incoming), options, { toEof: true });
    return incoming.perform("read", someAttempt(incoming, n), options);
  }

  /**
   * Reads a line, through its `"\n"`.
   *
   * **If aborted**, nothing is consumed.
   *
   * @param options `signal` ends the wait; `limit`: the longest line for this call, in bytes
   * @returns the line with its newline; what is left, without one, at EOF; an empty `Buffer` if nothing is. It may share memory with the chunk it
   *   came in, up to 64 KiB: copy short lines you keep for long.
   * @throws LineTooLongError if the line without its newline is longer than the limit. The line is dropped (through its newline if that has come, else
   *   all that is buffered); `consumed` says how many bytes that was.
   * @throws ConcurrentReadError if another read is waiting
   * @throws the error of a lost connection, after the whole lines received before it
   *
   * @example
   * ```ts
   * const line = await reader.readline({ signal: AbortSignal.timeout(5_000) });
   * if (line.length === 0) return; // EOF
   * ```
   */
  readline(options?: ReadlineOptions): Promise<Buffer> {
    if (options === undefined) {
      const line = lineAtHand(this.#incoming, this.#limit);
      if (line !== undefined) return Promise.resolve(line);
      return this.#incoming.performReading("readline", this.#lines);
    }
    try {
      return this.#incoming.perform("readline", lineAttempt(this.#incoming, this.#messageTraits(options)), options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Reads exactly `n` bytes, however large `n` is: the limit does not apply.
   *
   * **If aborted**, nothing is consumed.
   *
   * @param n the number of bytes
   * @param options `signal` ends the wait
   * @throws RangeError `ERR_OUT_OF_RANGE` if `n` is negative or no integer
   * @throws IncompleteReadError if the stream ends first: what there was is in its `partial`, and no longer in the reader
   * @throws ConcurrentReadError if another read is waiting
   * @throws the error of a lost connection; what was received stays readable
   *
   * @example
   * ```ts
   * const length = (await reader.readexactly(4)).readUInt32BE();
   * ```
   */
  readexactly(n: number, options?: SignalOptions): Promise<Buffer> {
    const incoming = this.#incoming;
    const error = refusal(() => checkInteger("n", n, 0));
    if (error !== null) return error;
    if (n === 0) return incoming.perform("readexactly", takeNothing, options, { takesNothing: true });
    return incoming.perform("readexactly", exactAttempt(incoming, n), options, { wanted: n });
  }

  /**
   * Reads through a separator, or through the first of several.
   *
   * **If aborted**, nothing is consumed.
   *
   * @param separator bytes or text, default `"\n"`; of a list, the one that ends first counts, and of those that end together the shortest
   * @param options `signal` ends the wait; `limit`: the longest message for this call, in bytes; `keepSeparator: false` cuts the separator off
   * @returns the data with its separator
   * @throws TypeError `ERR_INVALID_ARG_VALUE` if a separator or the list is empty
   * @throws IncompleteReadError if the stream ends first: `partial` has what there was, `expected` is `null`
   * @throws LimitOverrunError if the data without its separator is longer than the limit; it stays in the reader, and `consumed` bytes can be skipped
   * @throws ConcurrentReadError if another read is waiting
   * @throws the error of a lost connection; what was received stays readable
   *
   * @example
   * ```ts
   * const head = await reader.readuntil("\r\n\r\n");
   * const line = await reader.readuntil(["\r\n", "\n"], { keepSeparator: false });
   * ```
   */
  readuntil(separator: Data | readonly Data[] = "\n", options?: ReaduntilOptions): Promise<Buffer> {
    try {
      const attempt = messageAttempt(this.#incoming, parseSeparators(separator), this.#messageTraits(options));
      return this.#incoming.perform("readuntil", attempt, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #messageTraits(options: ReaduntilOptions | undefined): MessageTraits {
    checkOptions("options", options);
    return {
      limit: options?.limit === undefined ? this.#limit : checkLimit(options.limit),
      keepSeparator: checkBoolean("keepSeparator", options?.keepSeparator) ?? true,
    };
  }

  /** Iterates over the lines, each with its newline (the last may lack it), until EOF. Leaving the loop takes nothing with it. */
  [Symbol.asyncIterator](): AsyncIterator<Buffer, undefined> {
    return new LineIterator(this.#incoming, this.#limit, this.#lines);
  }

  /** True if the stream has ended and everything has been read. */
  atEof(): boolean {
    return this.#incoming.eof && this.#incoming.queue.length === 0;
  }

  // ---- reading, beyond Python --------------------------------------------------------------------------------------------------

  /** How many bytes have come and have not been read. Only here. */
  get bufferedLength(): number {
    return this.#incoming.queue.length;
  }

  /**
   * Looks at the next `n` bytes without taking them. Only here.
   *
   * **If aborted**, nothing is consumed, as ever.
   *
   * @param n the number of bytes, at most the reader's limit
   * @param options `signal` ends the wait
   * @returns a copy of the bytes; fewer than `n` only at EOF
   * @throws RangeError `ERR_OUT_OF_RANGE` if `n` is negative or no integer
   * @throws LimitOverrunError if `n` is greater than the limit
   * @throws ConcurrentReadError if another read is waiting
   *
   * @example
   * ```ts
   * const isTls = (await reader.peek(1))[0] === 0x16;
   * ```
   */
  peek(n: number, options?: SignalOptions): Promise<Buffer> {
    const incoming = this.#incoming;
    const error = refusal(() => {
      if (checkInteger("n", n, 0) > this.#limit) {
        throw new LimitOverrunError(`cannot peek at ${n} bytes: the limit is ${this.#limit}`, incoming.queue.length);
      }
    });
    if (error !== null) return error;
    if (n === 0) return incoming.perform("peek", takeNothing, options, { takesNothing: true });
    return incoming.perform("peek", peekAttempt(incoming, n), options);
  }

  /**
   * Reads into memory of the caller's, as soon as there is anything. Only here.
   *
   * **If aborted**, nothing is consumed, and nothing is written to `view`.
   *
   * @param view where the bytes go, at least one byte long
   * @param options `signal` ends the wait
   * @returns how many bytes were written, from the beginning of `view`; 0 at EOF
   * @throws TypeError if `view` is not a `Uint8Array`, is empty, or its memory was given away (detached)
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
    const copyInto = intoAttempt(this.#incoming, view);
    const attempt = (): number | undefined => {
      check(); // it may have been detached while the call waited
      return copyInto();
    };
    return this.#incoming.perform("readinto", attempt, options);
  }

  /**
   * Drops the next `n` bytes as they come, without collecting them. Only here.
   *
   * **If aborted**, what had been dropped by then stays dropped.
   *
   * @param n the number of bytes
   * @param options `signal` ends the wait
   * @returns how many bytes were dropped: fewer than `n` only at EOF
   * @throws RangeError `ERR_OUT_OF_RANGE` if `n` is negative or no integer
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
    const traits = n === 0 ? { takesNothing: true } : { toEof: true, takesAsTheyCome: true };
    return this.#incoming.perform("skip", skipAttempt(this.#incoming, n), options, traits);
  }

  /**
   * Puts bytes back, in front of what is there. Only here. Works after EOF, too.
   *
   * @param data bytes or text; kept, not copied: do not change them afterwards
   * @throws TypeError `ERR_INVALID_ARG_TYPE` if `data` is neither bytes nor text, or its memory was given away (detached)
   *
   * @example
   * ```ts
   * const command = await reader.readexactly(4);
   * if (command.toString() !== "GET ") reader.unread(command); // somebody else's affair
   * ```
   */
  unread(data: Data): void {
    this.#incoming.unread(toOwnBytes("data", data));
  }

  /**
   * Iterates over the lines without their newlines, as text. Only here. Leaving the loop takes nothing with it.
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
  /** The same, as buffers. */
  lines(options?: LinesOptions & { readonly encoding?: undefined }): AsyncIterableIterator<Buffer, undefined>;
  lines(options: LinesOptions = {}): AsyncIterableIterator<string | Buffer, undefined> {
    checkOptions("options", options);
    const keepSeparator = checkBoolean("keepSeparator", options.keepSeparator) ?? false;
    const { encoding } = options;
    if (encoding !== undefined && !Buffer.isEncoding(encoding)) throw invalidType("encoding", "an encoding that Buffer supports", encoding);
    if (encoding !== undefined && TWO_BYTE_ENCODINGS.has(encoding.toLowerCase())) {
      throw invalidValue(`lines() cannot decode ${encoding}: a newline byte can be part of another character`);
    }
    const traits = { ...this.#messageTraits({ ...options, keepSeparator: true }) };
    const attempt = (): Attempt<Buffer> => lineAttempt(this.#incoming, traits);
    return iterate(this.#incoming, attempt, options, (line) => {
      const wanted = keepSeparator ? line : withoutNewline(line);
      return encoding === undefined ? wanted : wanted.toString(encoding);
    });
  }

  /**
   * Iterates over the bytes as they come. Only here. Leaving the loop takes nothing with it.
   *
   * **If aborted**, the iteration throws the signal's reason, and nothing is consumed.
   *
   * @param size the most bytes of a chunk, default 65,536
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
    checkOptions("options", options);
    return iterate(
      this.#incoming,
      () => someAttempt(this.#incoming, size),
      options,
      (chunk) => chunk,
    );
  }

  /**
   * Ends reading, and gives the source of `StreamReader.from()` back. Only here.
   *
   * A Readable is destroyed; a Duplex and `process.stdin` are paused, without our listeners; a `ReadableStream` is cancelled and unlocked; `return()` of an iterator is called. What
   * has come can still be read, then comes EOF, also for a read that waits. Resolves when the source has cleaned up, after half a second at the latest; what goes wrong there is not
   * thrown. On a connection nothing is given back: what the peer still sends is dropped, and the writer closes the connection. `await using` does the same.
   *
   * @param reason for `cancel()` of a `ReadableStream`; other sources take none
   *
   * @example
   * ```ts
   * const reader = StreamReader.from(process.stdin);
   * const answer = await reader.readline();
   * await reader.cancel(); // the process can end, though its input stays open
   * ```
   */
  async cancel(reason?: unknown): Promise<void> {
    await inBoundedTime(this.#incoming.cancel(reason));
  }

  /** For `await using`: `cancel()`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.cancel();
  }

  // ---- as a stream of another kind ---------------------------------------------------------------------------------------------

  /**
   * This reader as a Readable of `node:stream`, for whatever takes one: `pipeline()`, `node:readline`, a parser. Only here.
   *
   * It reads when it is read, up to its high-water mark ahead; the peer is slowed as by the reader itself. An error of the reader destroys it, after the data that
   * came before. Destroying it ends its reading and nothing else: the connection stays, and so does what it has not read. Do not read here meanwhile.
   *
   * @param options `highWaterMark`: bytes read ahead, default Node's
   * @throws RangeError `ERR_OUT_OF_RANGE` if `highWaterMark` is negative or no integer
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
   * This reader as a `ReadableStream` of bytes, for `Response`, `pipeThrough()` and the like. Only here.
   *
   * It reads nothing ahead: what is not asked for stays in the reader. A reader of mode `"byob"` gets the bytes in memory of its own; the chunks of others are
   * copies. An error of the reader is the stream's, after the data that came before. Cancelling it ends its reading and nothing else: the connection stays.
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
   * Adds data at the end. On a connection the transport does this.
   *
   * @param data bytes or text; kept, not copied: do not change them afterwards. Nothing does nothing.
   * @throws InvalidStateError after `feedEof()`
   */
  feedData(data: Data): void {
    this.#incoming.feed(data);
  }

  /** Marks the end of the stream: once the data is read, reads return empty. */
  feedEof(): void {
    this.#incoming.feedEof();
  }

  /** The error set by `setException()`, or the one that ended the connection; `null` if there is none. */
  exception(): Error | null {
    return this.#incoming.exception;
  }

  /**
   * Makes the read that waits, and every later one, throw `error`, even if there is data.
   *
   * CPython: takes anything, and the read that would raise it fails with a `TypeError`.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE` if `error` is not an `Error`
   */
  setException(error: Error): void {
    checkError("error", error);
    this.#incoming.fail(error);
  }

  /**
   * Gives the reader the transport whose reading it pauses and resumes. On a connection the protocol does this.
   *
   * @throws InvalidStateError if it has one already
   */
  setTransport(transport: Transport): void {
    this.#incoming.setTransport(transport);
  }

  /**
   * What the protocol of a connection needs beside the public calls.
   *
   * @internal
   */
  get incoming(): Incoming {
    return this.#incoming;
  }
}

/** A rejection, if the check throws: a waiting call does not throw, it rejects. */
function refusal(check: () => void): Promise<never> | null {
  try {
    check();
    return null;
  } catch (error) {
    return Promise.reject(error);
  }
}
