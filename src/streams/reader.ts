/**
 * `StreamReader`: the waiting calls of asyncio's streams over a queue of bytes. Python's `asyncio.StreamReader`.
 *
 * Theory of operation
 *
 * Somebody feeds the reader (`feedData`, `feedEof`, `setException`; on a connection that is `StreamReaderProtocol`), and one caller at a time reads. Each reading
 * call is an *attempt*: a function that takes its result from the queue, throws, or finds that it needs more. It is made once at the call; if it
 * needs more, it is parked, and made again after each feed. An attempt takes nothing before it succeeds, which is why an aborted call loses
 * nothing: `read()` to EOF leaves its bytes in the queue while it waits, too.
 *
 * A feed does not make the attempt itself but in a microtask, so that all that is fed in one turn is seen together. CPython: a woken task runs in a
 * later turn of the loop, too; `readline()` over its limit depends on it.
 *
 * Flow control: more than twice the limit in the queue pauses the transport, the limit or less resumes it. A parked attempt keeps it going
 * in any case, or `readexactly()` of more than that would wait for ever.
 *
 * Two kinds of error end a reader. `setException()` acts at once. A lost connection (`failAfterData`) lets reads have what was received before it, as long
 * as that is enough for them; the one that would need more gets the error, and the bytes stay.
 */
import { asBuffer, checkInteger, checkOptions, type Data, invalidType, type SignalOptions, toBytes } from "../base/arguments.js";
import { ByteQueue } from "../base/byte-queue.js";
import { ConcurrentReadError, IncompleteReadError, InvalidStateError, LimitOverrunError, LineTooLongError } from "../base/errors.js";
import { checkLimit } from "../base/limits.js";
import { parseSeparators, SeparatorSearch } from "../base/separator-search.js";
import { liveSignal } from "../base/waiting.js";
import type { Transport } from "../contracts/transport.js";

const NEWLINE: readonly Uint8Array[] = [Buffer.from("\n")];

/** The result, or `undefined` if more data is needed. May throw. */
type Attempt<T> = () => T | undefined;

const NOTHING: Buffer = Buffer.alloc(0);
/** The attempt at no bytes at all: succeeds even while another read has everything spoken for. */
const takeNothing: Attempt<Buffer> = () => NOTHING;

/** A read that waits. */
interface Parked {
  readonly attempt: Attempt<unknown>;
  readonly resolve: (result: never) => void;
  readonly reject: (reason: unknown) => void;
  readonly signal: AbortSignal | undefined;
  readonly onAbort: () => void;
  /** Everything up to EOF is spoken for, so nobody else may take what is in the queue. */
  readonly toEof: boolean;
}

/** Options of a `StreamReader`. */
export interface StreamReaderOptions {
  /** The longest line, in bytes without its separator, and half of what is buffered before the peer is slowed. Default 65,536. */
  readonly limit?: number | undefined;
}

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
export class StreamReader implements AsyncIterable<Buffer> {
  readonly #limit: number;
  readonly #queue: ByteQueue = new ByteQueue();
  #eof = false;
  /** Set by `setException()`: acts at once. */
  #exception: Error | null = null;
  /** Set by `failAfterData()`: acts when the data is used up. */
  #lossError: Error | null = null;
  #transport: Transport | null = null;
  #paused = false;
  #parked: Parked | null = null;
  #retryScheduled = false;
  #endWhenIdle = false;
  readonly #retry = (): void => this.#retryParked();

  /**
   * @param options `limit`: the longest line in bytes, default 65,536
   * @throws RangeError `ERR_OUT_OF_RANGE` if `limit` is not a positive integer
   */
  constructor(options?: StreamReaderOptions) {
    checkOptions("options", options);
    this.#limit = checkLimit(options?.limit);
  }

  // ---- reading -----------------------------------------------------------------------------------------------------------------

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
    const queue = this.#queue;
    try {
      checkInteger("n", n, Number.MIN_SAFE_INTEGER);
    } catch (error) {
      return Promise.reject(error);
    }
    if (n === 0) return this.#perform("read", takeNothing, options);
    if (n < 0) return this.#perform("read", () => (this.#eof ? queue.takeAll() : undefined), options, true);
    return this.#perform("read", () => (queue.length > 0 || this.#eof ? queue.take(Math.min(n, queue.length)) : undefined), options);
  }

  /**
   * Reads a line, through its `"\n"`.
   *
   * **If aborted**, nothing is consumed.
   *
   * @param options `signal` ends the wait
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
  readline(options?: SignalOptions): Promise<Buffer> {
    return this.#perform("readline", this.#lineAttempt(), options);
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
    const queue = this.#queue;
    try {
      checkInteger("n", n, 0);
    } catch (error) {
      return Promise.reject(error);
    }
    const attempt = (): Buffer | undefined => {
      if (queue.length >= n) return queue.take(n);
      if (this.#eof) throw new IncompleteReadError(queue.takeAll(), n);
      return undefined;
    };
    return this.#perform("readexactly", n === 0 ? takeNothing : attempt, options);
  }

  /**
   * Reads through a separator, or through the first of several.
   *
   * **If aborted**, nothing is consumed.
   *
   * @param separator bytes or text, default `"\n"`; of a list, the one that ends first counts, and of those that end together the shortest
   * @param options `signal` ends the wait
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
   * const line = await reader.readuntil(["\r\n", "\n"]);
   * ```
   */
  readuntil(separator: Data | readonly Data[] = "\n", options?: SignalOptions): Promise<Buffer> {
    let search: SeparatorSearch;
    try {
      search = new SeparatorSearch(parseSeparators(separator));
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#perform("readuntil", () => this.#takeThrough(search), options);
  }

  /** Iterates over the lines, each with its newline (the last may lack it), until EOF. Leaving the loop takes nothing with it. */
  [Symbol.asyncIterator](): AsyncIterator<Buffer, undefined> {
    return {
      next: (): Promise<IteratorResult<Buffer, undefined>> => {
        const takeLine = this.#lineAttempt();
        return this.#perform("readline", () => {
          const line = takeLine();
          if (line === undefined) return undefined;
          return line.length === 0 ? { done: true, value: undefined } : { done: false, value: line };
        });
      },
    };
  }

  /** True if the stream has ended and everything has been read. */
  atEof(): boolean {
    return this.#eof && this.#queue.length === 0;
  }

  // ---- feeding -----------------------------------------------------------------------------------------------------------------

  /**
   * Adds data at the end. On a connection the transport does this.
   *
   * @param data bytes or text; kept, not copied: do not change them afterwards. Nothing does nothing.
   * @throws InvalidStateError after `feedEof()`
   */
  feedData(data: Data): void {
    if (this.#eof) {
      if (this.#endWhenIdle) return; // the peer could not know
      throw new InvalidStateError("cannot feed data to a StreamReader after feedEof()");
    }
    const bytes = asBuffer(toBytes("data", data));
    if (bytes.length === 0) return;
    this.#queue.push(bytes);
    if (this.#parked === null) this.#regulate();
    else this.#scheduleRetry();
  }

  /** Marks the end of the stream: once the data is read, reads return empty. */
  feedEof(): void {
    this.#eof = true;
    if (this.#parked !== null) this.#scheduleRetry();
  }

  /** The error set by `setException()`, or the one that ended the connection; `null` if there is none. */
  exception(): Error | null {
    return this.#exception ?? this.#lossError;
  }

  /** Makes the read that waits, and every later one, throw `error`, even if there is data. */
  setException(error: Error): void {
    if (this.#retryScheduled) this.#retryParked();
    this.#exception = error;
    if (this.#parked !== null) this.#unpark().reject(error);
  }

  /**
   * Makes reads throw `error` once the data no longer suffices for them: the end of a connection that was lost.
   *
   * @internal
   */
  failAfterData(error: Error): void {
    this.#lossError ??= error;
    if (this.#parked !== null) this.#scheduleRetry();
  }

  /**
   * Ends the stream for a read that waits with nothing received, now or later: the end of a conversation on a server that is shutting down.
   *
   * @internal
   */
  endWhenIdle(): void {
    this.#endWhenIdle = true;
    this.#endIfIdle();
  }

  #endIfIdle(): void {
    if (this.#endWhenIdle && this.#parked !== null && this.#queue.length === 0) this.feedEof();
  }

  /**
   * Gives the reader the transport whose reading it pauses and resumes. On a connection the protocol does this.
   *
   * @throws InvalidStateError if it has one already
   */
  setTransport(transport: Transport): void {
    if (this.#transport !== null) throw new InvalidStateError("cannot set the transport of a StreamReader twice");
    if (typeof transport !== "object" || transport === null) throw invalidType("transport", "a Transport", transport);
    this.#transport = transport;
  }

  // ---- attempts ----------------------------------------------------------------------------------------------------------------

  #lineAttempt(): Attempt<Buffer> {
    const search = new SeparatorSearch(NEWLINE);
    return () => {
      try {
        return this.#takeThrough(search);
      } catch (error) {
        if (error instanceof IncompleteReadError) return error.partial;
        if (error instanceof LimitOverrunError) throw this.#dropLine(error);
        throw error;
      }
    };
  }

  /** CPython: `readuntil()`, in the same order of checks, which decides the figures in the errors. */
  #takeThrough(search: SeparatorSearch): Buffer | undefined {
    const match = search.find(this.#queue);
    if (match) {
      if (match.start > this.#limit) {
        throw new LimitOverrunError(`a separator was found, but after ${match.start} bytes: the limit is ${this.#limit}`, match.start);
      }
      return this.#queue.take(match.end);
    }
    if (match === null && search.offset > this.#limit) {
      throw new LimitOverrunError(`no separator was found in ${search.offset} bytes: the limit is ${this.#limit}`, search.offset);
    }
    if (this.#eof) throw new IncompleteReadError(this.#queue.takeAll(), null);
    return undefined;
  }

  #dropLine(overrun: LimitOverrunError): LineTooLongError {
    const queue = this.#queue;
    const whole = queue.matches(NEWLINE[0] as Uint8Array, overrun.consumed);
    const dropped = whole ? overrun.consumed + 1 : queue.length;
    queue.skip(dropped);
    const what = whole ? "the line was dropped" : "what had come of it was dropped";
    return new LineTooLongError(`a line is longer than the limit of ${this.#limit} bytes; ${what}, ${dropped} bytes`, dropped);
  }

  // ---- waiting -----------------------------------------------------------------------------------------------------------------

  #perform<T>(method: string, attempt: Attempt<T>, options?: SignalOptions, toEof: boolean = false): Promise<T> {
    try {
      checkOptions("options", options);
      const signal = liveSignal(options);
      // A parked read whose data has come was first, even if its turn is still to come.
      if (this.#retryScheduled) this.#retryParked();
      if (this.#exception !== null) throw this.#exception;
      if (this.#parked?.toEof === true && attempt !== takeNothing) throw this.#concurrentRead(method);
      const result = this.#attempt(attempt);
      if (result !== undefined) return Promise.resolve(result);
      if (this.#parked !== null) throw this.#concurrentRead(method);
      return this.#park(attempt, signal, toEof);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #concurrentRead(method: string): ConcurrentReadError {
    return new ConcurrentReadError(`cannot ${method}(): another read on this StreamReader is already waiting for data`);
  }

  /** Makes an attempt and sees to the flow control after it, whatever came of it. */
  #attempt<T>(attempt: Attempt<T>): T | undefined {
    try {
      const result = attempt();
      if (result === undefined && this.#lossError !== null) throw this.#lossError;
      return result;
    } finally {
      this.#regulate();
    }
  }

  #park<T>(attempt: Attempt<T>, signal: AbortSignal | undefined, toEof: boolean): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const onAbort = (): void => {
        this.#unpark();
        this.#regulate();
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#parked = { attempt, resolve, reject, signal, onAbort, toEof };
      this.#regulate();
      this.#endIfIdle();
    });
  }

  #unpark(): Parked {
    const parked = this.#parked as Parked;
    this.#parked = null;
    parked.signal?.removeEventListener("abort", parked.onAbort);
    return parked;
  }

  #scheduleRetry(): void {
    if (this.#retryScheduled) return;
    this.#retryScheduled = true;
    queueMicrotask(this.#retry);
  }

  #retryParked(): void {
    this.#retryScheduled = false;
    if (this.#parked === null) return;
    try {
      const result = this.#attempt(this.#parked.attempt);
      if (result !== undefined) this.#unpark().resolve(result as never);
    } catch (error) {
      this.#unpark().reject(error);
    }
    this.#regulate();
  }

  /** Pauses or resumes the transport, as the amount of data and a waiting read ask for. */
  #regulate(): void {
    if (this.#transport === null) return;
    if (this.#paused) {
      if (this.#parked === null && this.#queue.length > this.#limit) return;
      this.#paused = false;
      this.#transport.resumeReading();
    } else if (this.#parked === null && this.#queue.length > 2 * this.#limit && typeof this.#transport.pauseReading === "function") {
      this.#paused = true;
      this.#transport.pauseReading();
    }
  }
}
