/**
 * `BaseReader`: the part of `StreamReader` that asyncio has, and the feeding of it.
 *
 * `StreamReaderProtocol` feeds the reader of a connection (`feedData`, `feedEof`, `setException`), and one caller at a time reads. See
 * `read-engine.ts` for how a read waits, what an abort leaves behind, and when the transport is paused.
 */

import { checkBoolean, checkError, checkInteger, type Data, type SignalOptions } from "../base/arguments.js";
import type { NonSharedBuffer } from "../base/bytes.js";
import { checkKnownOptions, type KnownOptions, knownOptions } from "../base/known-options.js";
import { checkLimit } from "../base/limits.js";
import { parseSeparators, type Separators } from "../base/separators.js";
import { mayReturnAtOnce } from "../base/waiting.js";
import type { Transport } from "../contracts/connection.js";
import {
  exactAttempt,
  LineAttempt,
  LineIterator,
  lineAtHand,
  lineAttempt,
  type MessageTraits,
  messageAttempt,
  restAttempt,
  someAttempt,
  takeNothing,
} from "./attempts.js";
import { ReadEngine } from "./read-engine.js";

/** Options of a `StreamReader`. */
export interface StreamReaderOptions {
  /** The longest line, in bytes without its separator, and half of the buffer size above which the peer is slowed. Default 65,536. */
  readonly limit?: number | undefined;
}

/** Options of `readline()`. */
export interface ReadlineOptions extends SignalOptions {
  /** The longest line for this call, in bytes without its separator. Default: the reader's limit. */
  readonly limit?: number | undefined;
}

/** Options of `readuntil()`. */
export interface ReaduntilOptions extends ReadlineOptions {
  /** Whether the result includes its separator. Default true, as in Python. */
  readonly keepSeparator?: boolean | undefined;
}

/** The names of these options. */
export const READER_OPTIONS: KnownOptions = knownOptions<StreamReaderOptions>({ limit: true });
const READLINE_OPTIONS: KnownOptions = knownOptions<ReadlineOptions>({ signal: true, timeout: true, limit: true });
const READUNTIL_OPTIONS: KnownOptions = knownOptions<ReaduntilOptions>({ signal: true, timeout: true, limit: true, keepSeparator: true });

/** Returns the read engine of a reader, for the other files of this library. */
export let engineOf: (reader: BaseReader) => ReadEngine;

/** The calls of `asyncio.StreamReader`. `StreamReader` adds the rest. */
export class BaseReader implements AsyncIterable<NonSharedBuffer> {
  static {
    engineOf = (reader) => reader.#engine;
  }

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

  // ---- reading ---------------------------------------------------------------------------------------------------

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
  read(n: number = -1, options?: SignalOptions): Promise<NonSharedBuffer> {
    const engine = this.#engine;
    if (n > 0 && Number.isInteger(n) && mayReturnAtOnce(options) && engine.queue.length > 0) {
      const bytes = engine.takeAtHand(Math.min(n, engine.queue.length));
      if (bytes !== undefined) return Promise.resolve(bytes);
    }
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
  readline(options?: ReadlineOptions): Promise<NonSharedBuffer> {
    const line = lineAtHand(this.#engine, options === undefined ? this.#limit : quickLimit(options, this.#limit, READLINE_OPTIONS));
    if (line !== undefined) return Promise.resolve(line);
    if (options === undefined) return this.#engine.perform("readline", this.#lines);
    try {
      return this.#engine.perform("readline", lineAttempt(this.#engine, messageTraits(this.#limit, options)), options, READLINE_OPTIONS);
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
  readexactly(n: number, options?: SignalOptions): Promise<NonSharedBuffer> {
    const engine = this.#engine;
    if (n > 0 && Number.isInteger(n) && mayReturnAtOnce(options)) {
      const bytes = engine.takeAtHand(n);
      if (bytes !== undefined) return Promise.resolve(bytes);
    }
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
  readuntil(separator: Data | readonly Data[] = "\n", options?: ReaduntilOptions): Promise<NonSharedBuffer> {
    try {
      const engine = this.#engine;
      const separators = parseSeparators(separator);
      const message = messageAtHand(engine, separators, options, this.#limit);
      if (message !== undefined) return Promise.resolve(message);
      const attempt = messageAttempt(engine, separators, messageTraits(this.#limit, options));
      return engine.perform("readuntil", attempt, options, READUNTIL_OPTIONS);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Iterates over the lines until EOF. Each line has its newline; the last one may lack it. Leaving the loop consumes nothing more. */
  [Symbol.asyncIterator](): AsyncIterator<NonSharedBuffer, undefined> {
    return new LineIterator(this.#engine, this.#limit, this.#lines);
  }

  /** True if the stream has ended and everything has been read. */
  atEof(): boolean {
    return this.#engine.eof && this.#engine.queue.length === 0;
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
}

/** Returns the limit of a call that may return at once; -1, which no message is within, if the regular check has to decide. */
function quickLimit(options: ReadlineOptions, readerLimit: number, known: KnownOptions): number {
  if (!mayReturnAtOnce(options, known)) return -1;
  try {
    const { limit } = options;
    if (limit === undefined) return readerLimit;
    return limit > 0 && Number.isSafeInteger(limit) ? limit : -1;
  } catch {
    return -1; // a getter that throws, or a value that cannot be compared
  }
}

/** Returns the next message without waiting; `undefined` if a regular attempt has to decide. */
function messageAtHand(
  engine: ReadEngine,
  separators: Separators,
  options: ReaduntilOptions | undefined,
  readerLimit: number,
): NonSharedBuffer | undefined {
  let limit = readerLimit;
  let keepSeparator = true;
  if (options !== undefined) {
    limit = quickLimit(options, readerLimit, READUNTIL_OPTIONS);
    if (limit === -1) return undefined;
    keepSeparator = checkBoolean("keepSeparator", options.keepSeparator) ?? true;
  }
  if (!engine.isFree) return undefined;
  const takenBefore = engine.queue.taken;
  const message = engine.queue.takeThrough(separators, limit, keepSeparator);
  if (message !== undefined) engine.taken(engine.queue.taken - takenBefore);
  return message;
}

/**
 * Checks the values of the options of a call that reads messages.
 *
 * @param readerLimit the limit in bytes if the options have none
 */
export function messageTraits(readerLimit: number, options: ReaduntilOptions | undefined): MessageTraits {
  return {
    limit: options?.limit === undefined ? readerLimit : checkLimit(options.limit),
    keepSeparator: checkBoolean("keepSeparator", options?.keepSeparator) ?? true,
  };
}

/** Returns a rejected promise if the check throws, otherwise `null`: a method that waits rejects instead of throwing. */
export function refusal(check: () => void): Promise<never> | null {
  try {
    check();
    return null;
  } catch (error) {
    return Promise.reject(error);
  }
}
