/**
 * `StreamReader`: the reading half of a stream pair. Python's `asyncio.StreamReader` (`base-reader.ts`), plus the calls that asyncio lacks.
 */

import type { Readable } from "node:stream";
import { type NodeStreamOptions, readableOf } from "../adapters/node-streams.js";
import { readableStreamOf } from "../adapters/web-streams.js";
import { checkBoolean, checkInteger, type Data, invalidType, invalidValue, isBytes, type SignalOptions } from "../base/arguments.js";
import type { NonSharedBuffer, NonSharedUint8Array } from "../base/bytes.js";
import { LimitOverrunError } from "../base/errors.js";
import { checkKnownOptions, type KnownOptions, knownOptions, WAIT_OPTIONS } from "../base/known-options.js";
import { CHUNK_BYTES, checkLimit } from "../base/limits.js";
import { bytesThere, MAX_LOOPED_BYTES, toOwnBytes, tryAllocate } from "../base/memory.js";
import { mayReturnAtOnce } from "../base/waiting.js";
import { chunkStep, intoAttempt, peekAttempt, ReadIterator, skipAttempt, takeNothing } from "./attempts.js";
import { BaseReader, engineOf, READER_OPTIONS, type ReadlineOptions, refusal, type StreamReaderOptions } from "./base-reader.js";
import { batchStep, LineBatch, type LineForm, lineStep } from "./lines.js";
import { inBoundedTime, pullFrom } from "./pulled-source.js";
import type { ReadEngine } from "./read-engine.js";
import { chunkBatches, Taker } from "./taker.js";

/** Encodings in which the byte 0x0a is not always a newline. */
const TWO_BYTE_ENCODINGS: ReadonlySet<string> = new Set(["utf16le", "utf-16le", "ucs2", "ucs-2"]);

/** Options of `lines()`. */
export interface LinesOptions extends ReadlineOptions {
  /** Yields strings in this encoding. Default: buffers. UTF-16 is refused, because other characters in it contain the byte of a newline. */
  readonly encoding?: BufferEncoding | undefined;
  /** Whether a line includes its newline. Default false: both `"\n"` and `"\r\n"` are removed. */
  readonly keepSeparator?: boolean | undefined;
}

const LINES_OPTIONS: KnownOptions = knownOptions<LinesOptions>({
  signal: true,
  timeout: true,
  limit: true,
  encoding: true,
  keepSeparator: true,
});

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
export class StreamReader extends BaseReader implements AsyncDisposable {
  static {
    // How `node:stream/iter` reads a source. No declaration needs it: a reader is async iterable.
    const value = function toAsyncStreamable(this: StreamReader): AsyncIterable<Buffer[]> {
      return chunkBatches(engineOf(this));
    };
    Object.defineProperty(StreamReader.prototype, Symbol.for("Stream.toAsyncStreamable"), { value, configurable: true, writable: true });
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
   * @param source what to read from: bytes, text, or arrays of them, as `node:stream/iter` has them
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
  static from(source: AsyncIterable<Data | readonly Data[]>, options?: StreamReaderOptions): StreamReader {
    checkKnownOptions("StreamReader.from", options, READER_OPTIONS);
    const reader = new StreamReader(options);
    pullFrom(source, engineOf(reader));
    return reader;
  }

  // ---- reading --------------------------------------------------------------------------------------------------

  /** The number of bytes received but not yet read. Not in asyncio. */
  get bufferedLength(): number {
    return engineOf(this).queue.length;
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
  peek(n: number, options?: SignalOptions): Promise<NonSharedBuffer> {
    const engine = engineOf(this);
    const isShort = n > 0 && n <= MAX_LOOPED_BYTES && n <= engine.limit && n <= engine.queue.length && Number.isInteger(n);
    if (isShort && mayReturnAtOnce(options) && engine.isFree) {
      const bytes = tryAllocate(n);
      if (bytes !== undefined && engine.queue.copyFirst(bytes, n)) {
        engine.taken(0);
        return Promise.resolve(bytes);
      }
    }
    const error = refusal(() => {
      if (checkInteger("n", n, 0) > engine.limit) {
        throw new LimitOverrunError(`cannot peek at ${n} bytes: the limit is ${engine.limit}`, engine.queue.length);
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
    const engine = engineOf(this);
    if (isBytes(view) && mayReturnAtOnce(options) && engine.queue.length > 0 && engine.isFree) {
      const count = Math.min(bytesThere(view), engine.queue.length);
      if (count > 0 && engine.queue.copyFirst(view, count)) {
        engine.queue.skip(count);
        engine.taken(count);
        return Promise.resolve(count);
      }
    }
    const check = (): void => {
      if (!isBytes(view) || bytesThere(view) === 0)
        throw invalidType("view", "a Uint8Array of at least one byte whose memory is not detached", view);
    };
    const error = refusal(check);
    if (error !== null) return error;
    const attempt = intoAttempt(engine, view);
    const run = (): number | undefined => {
      check(); // `view` may have been detached while the call waited
      return attempt.run();
    };
    return engine.perform("readinto", { run }, options);
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
    const engine = engineOf(this);
    return engine.perform("skip", skipAttempt(engine, n), options);
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
    engineOf(this).unread(toOwnBytes("data", data));
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
  lines(options?: LinesOptions & { readonly encoding?: undefined }): AsyncIterableIterator<NonSharedBuffer, undefined>;
  lines(options: LinesOptions = {}): AsyncIterableIterator<string | NonSharedBuffer, undefined> {
    const engine = engineOf(this);
    const form = lineForm("lines", engine, options, false);
    return new ReadIterator(engine, lineStep(engine, form), options);
  }

  /**
   * Reads all lines that have arrived, at least one. Not in asyncio. Much cheaper than a call for each line if many lines arrive together.
   *
   * The lines are those that `readline()` returns, one after the other. A line over the limit ends the list before it; the next call throws
   * its error. At EOF the rest of the data without a newline is a list of its own.
   *
   * **If aborted**, nothing is consumed.
   *
   * @param options `encoding` for strings; `keepSeparator: false` to remove `"\n"` or `"\r\n"`; `limit`: the longest line in bytes,
   *   default the reader's limit; `signal` and `timeout` end the wait
   * @returns the lines; an empty array at EOF. Lines of bytes may share memory with the received chunk (up to 64 KiB), lines of text
   *   with up to 4 KiB of their neighbours.
   * @throws LineTooLongError if the first line is longer than the limit, as `readline()` does
   * @throws TypeError if `encoding` is not one of `Buffer`, or is UTF-16
   * @throws ConcurrentReadError if another read is waiting
   * @throws the error that ended the connection, after the complete lines received before it
   *
   * @example
   * ```ts
   * for (const line of await reader.readlines({ encoding: "utf8", keepSeparator: false })) console.log(line);
   * ```
   */
  readlines(options: LinesOptions & { readonly encoding: BufferEncoding }): Promise<string[]>;
  /** Reads all lines that have arrived as buffers; otherwise the same as with `encoding`. */
  readlines(options?: LinesOptions & { readonly encoding?: undefined }): Promise<NonSharedBuffer[]>;
  readlines(options: LinesOptions = {}): Promise<string[] | NonSharedBuffer[]> {
    const engine = engineOf(this);
    try {
      return engine.perform("readlines", new LineBatch(engine, lineForm("readlines", engine, options, true)), options, LINES_OPTIONS);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Iterates over the lines in batches: arrays of all lines that have arrived, each without its newline. Not in asyncio. Leaving the loop
   * consumes nothing more than the batches it got.
   *
   * **If aborted**, the iteration throws the signal's reason, and nothing is consumed.
   *
   * @param options as for `lines()`; `signal` for the whole iteration
   *
   * @example
   * ```ts
   * for await (const batch of reader.lineBatches({ encoding: "utf8" })) console.log(batch.length);
   * ```
   */
  lineBatches(options: LinesOptions & { readonly encoding: BufferEncoding }): AsyncIterableIterator<string[], undefined>;
  /** Iterates over the lines in batches of buffers; otherwise the same as with `encoding`. */
  lineBatches(options?: LinesOptions & { readonly encoding?: undefined }): AsyncIterableIterator<NonSharedBuffer[], undefined>;
  lineBatches(options: LinesOptions = {}): AsyncIterableIterator<string[] | NonSharedBuffer[], undefined> {
    const engine = engineOf(this);
    const form = lineForm("lineBatches", engine, options, false);
    return new ReadIterator(engine, batchStep(engine, form), options, new Taker(engine, "lineBatches"));
  }

  /**
   * Iterates over the bytes in chunks, as they arrive. Not in asyncio. Leaving the loop consumes nothing more. `startTls()` is refused
   * inside the loop, because a chunk may hold plaintext after the message that asked for TLS.
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
  chunks(size: number = CHUNK_BYTES, options: SignalOptions = {}): AsyncIterableIterator<NonSharedBuffer, undefined> {
    checkInteger("size", size, 1);
    checkKnownOptions("chunks", options, WAIT_OPTIONS);
    const engine = engineOf(this);
    return new ReadIterator(engine, chunkStep(engine, size), options, new Taker(engine, "chunks"));
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
    await inBoundedTime(engineOf(this).cancel(reason));
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
   * the connection stays open, and what the Readable has not delivered is put back, unless it decodes text. Do not read from the reader
   * while the Readable is in use, and destroy it before `startTls()`, which is refused otherwise.
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
    return readableOf(new Taker(engineOf(this), "toReadable"), options);
  }

  /**
   * Returns this reader as a `ReadableStream` of bytes, for example for `Response` or `pipeThrough()`. Not in asyncio.
   *
   * The stream does not read ahead: data stays in the reader until it is requested. A `"byob"` reader gets the bytes in its own memory;
   * other readers get copies. An error of the reader becomes the stream's error, after the data received before it. Cancelling the
   * stream ends only its own reading: the connection stays open. What a `"byob"` read has not delivered because it waits for more (`min`,
   * or the rest of an element) is put back; what the stream itself keeps after whole elements is lost.
   *
   * @example
   * ```ts
   * const text = await new Response(reader.toWeb()).text();
   * ```
   */
  toWeb(): ReadableStream<NonSharedUint8Array> {
    return readableStreamOf(new Taker(engineOf(this), "toWeb"));
  }
}

/** Checks the options of a call that reads lines in a form of the program's choice. */
function lineForm(call: string, engine: ReadEngine, options: LinesOptions, keepsByDefault: boolean): LineForm {
  checkKnownOptions(call, options, LINES_OPTIONS);
  const { encoding } = options;
  if (encoding !== undefined && !Buffer.isEncoding(encoding)) throw invalidType("encoding", "an encoding that Buffer supports", encoding);
  if (encoding !== undefined && TWO_BYTE_ENCODINGS.has(encoding.toLowerCase())) {
    throw invalidValue(`cannot decode lines as ${encoding}: a newline byte can be part of another character`);
  }
  const keepSeparator = checkBoolean("keepSeparator", options.keepSeparator) ?? keepsByDefault;
  return { limit: options.limit === undefined ? engine.limit : checkLimit(options.limit), keepSeparator, encoding };
}
