/**
 * The attempts of every reading call (see `read-engine.ts`): by separator, by byte count, line by line, and as iterators.
 *
 * The order of the sections: `readuntil()` and `readline()`; `read()`, `readexactly()` and their like; the fast path of lines; `lines()`
 * and `chunks()`.
 */

import type { SignalOptions } from "../base/arguments.js";
import type { NonSharedBuffer } from "../base/bytes.js";
import { debugMode } from "../base/debug-mode.js";
import { IncompleteReadError, LimitOverrunError, LineTooLongError } from "../base/errors.js";
import { CHUNK_BYTES, PASSED_BYTES } from "../base/limits.js";
import { constant, NEWLINE, NEWLINE_BYTE, tryAllocate } from "../base/memory.js";
import { SeparatorSearch } from "../base/separator-search.js";
import { Separators } from "../base/separators.js";
import { mayReturnAtOnce } from "../base/waiting.js";
import type { Attempt, ReadEngine } from "./read-engine.js";

/** The separator of lines. */
export const LINE_END: Separators = new Separators([NEWLINE]);
/** The separators that are removed from lines. */
export const LINE_ENDS: Separators = new Separators([NEWLINE, constant("\r\n")]);

/** The limit of a message and the form of the result. */
export interface MessageTraits {
  /** The maximum length of a message without its separator, in bytes. */
  readonly limit: number;
  /** Whether the result includes the separator, as in Python. */
  readonly keepSeparator: boolean;
  /** Whether the rest of the data at EOF, even if empty, counts as a message. Otherwise it is an error. */
  readonly partialAtEof?: boolean;
}

/** Takes a message up to and including its separator. The order of the checks is CPython's and determines the numbers in the errors. */
export function messageAttempt(
  engine: ReadEngine,
  separators: Separators,
  { limit, keepSeparator, partialAtEof }: MessageTraits,
): Attempt<NonSharedBuffer> {
  const search = new SeparatorSearch(separators);
  const { queue } = engine;
  const run = (): NonSharedBuffer | undefined => {
    const match = search.find(queue);
    if (match) {
      if (match.start > limit) {
        throw new LimitOverrunError(`the separator comes after ${match.start} bytes: the limit is ${limit}`, match.start);
      }
      if (keepSeparator) return queue.take(match.end);
      // Of the separators that end here, the longest is removed: "\r\n" is one separator, not a "\n" after a "\r".
      const cut = separators.list.findLast((one) => one.length <= match.end && queue.matches(one, match.end - one.length)) as Uint8Array;
      const message = queue.take(match.end - cut.length);
      queue.skip(cut.length);
      return message;
    }
    if (match === null && search.offset > limit) {
      throw new LimitOverrunError(`no separator in the first ${search.offset} bytes: the limit is ${limit}`, search.offset);
    }
    if (!engine.eof) return undefined;
    const partial = queue.takeAll();
    if (partialAtEof === true) return partial;
    throw new IncompleteReadError(partial, null);
  };
  return { run };
}

/** Takes a line including its newline; at EOF the rest of the data. A line over the limit is dropped. */
export function lineAttempt(engine: ReadEngine, traits: MessageTraits): Attempt<NonSharedBuffer> {
  const message = messageAttempt(engine, LINE_END, { ...traits, partialAtEof: true });
  const run = (): NonSharedBuffer | undefined => {
    try {
      return message.run();
    } catch (error) {
      throw error instanceof LimitOverrunError ? dropLine(engine, error, traits.limit) : error;
    }
  };
  return { run };
}

/** Drops a line over the limit, and returns the error that reports it. */
export function dropLine({ queue }: ReadEngine, overrun: LimitOverrunError, limit: number): LineTooLongError {
  const whole = queue.matches(NEWLINE, overrun.consumed);
  const dropped = whole ? overrun.consumed + 1 : queue.length;
  queue.skip(dropped);
  const what = whole ? `the whole line, ${dropped} bytes` : `${dropped} bytes received so far`;
  return new LineTooLongError(`line exceeds the limit of ${limit} bytes (dropped ${what})`, dropped);
}

/* The attempts of the calls that read by byte count: `read()`, `readexactly()`, and those that asyncio lacks. */

/** Takes nothing and succeeds at once. */
export const takeNothing: Attempt<NonSharedBuffer> = { takesNothing: true, run: () => Buffer.alloc(0) };

/** Takes everything, once the stream has ended. */
export function restAttempt(engine: ReadEngine): Attempt<NonSharedBuffer> {
  return { exclusive: true, run: () => (engine.eof ? engine.queue.takeAll() : undefined) };
}

/** Takes up to `n` bytes, as soon as any are available; none at EOF. */
export function someAttempt(engine: ReadEngine, n: number): Attempt<NonSharedBuffer> {
  const { queue } = engine;
  return { run: () => (queue.length > 0 || engine.eof ? queue.take(Math.min(n, queue.length)) : undefined) };
}

/**
 * Takes what has come, up to PASSED_BYTES, to pass it on; none at EOF. If full reads come, the system reads into larger memory: fewer
 * calls, and the program keeps no part of it. Small reads would leave most of it unused.
 */
export function passedAttempt(engine: ReadEngine): Attempt<NonSharedBuffer> {
  const nextMemory = (): NonSharedBuffer | null => (engine.queue.length < CHUNK_BYTES ? null : (tryAllocate(PASSED_BYTES) ?? null));
  return { ...someAttempt(engine, PASSED_BYTES), nextMemory };
}

/** Takes exactly `n` bytes. At EOF it takes the rest and fails. */
export function exactAttempt(engine: ReadEngine, n: number): Attempt<NonSharedBuffer> {
  const { queue } = engine;
  const run = (): NonSharedBuffer | undefined => {
    if (queue.length >= n) return queue.take(n);
    if (engine.eof) throw new IncompleteReadError(queue.takeAll(), n);
    return undefined;
  };
  return { wanted: n, run };
}

/** Copies `n` bytes without taking them; fewer at EOF. */
export function peekAttempt(engine: ReadEngine, n: number): Attempt<NonSharedBuffer> {
  const { queue } = engine;
  const run = (): NonSharedBuffer | undefined => {
    if (queue.length < n && !engine.eof) return undefined;
    return queue.length === 0 ? Buffer.alloc(0) : queue.copy(0, Math.min(n, queue.length));
  };
  return { run };
}

/** Copies bytes into the caller's memory and takes them, as soon as any are available; none at EOF. */
export function intoAttempt(engine: ReadEngine, view: Uint8Array): Attempt<number> {
  const { queue } = engine;
  const run = (): number | undefined => {
    if (queue.length === 0) return engine.eof ? 0 : undefined;
    const count = Math.min(view.length, queue.length);
    queue.copyTo(view, count);
    queue.skip(count);
    return count;
  };
  return { run };
}

/** Drops bytes as they arrive, until `n` are dropped or the stream has ended. */
export function skipAttempt(engine: ReadEngine, n: number): Attempt<number> {
  const { queue } = engine;
  let dropped = 0;
  const run = (): number | undefined => {
    const count = Math.min(n - dropped, queue.length);
    if (count > 0) queue.skip(count);
    dropped += count;
    return dropped === n || engine.eof ? dropped : undefined;
  };
  return n === 0 ? { takesNothing: true, run } : { exclusive: true, takesAsTheyCome: true, run };
}

/*
 * The attempts of `readline()` and of iterating over a reader. A reader makes each once and reuses it: lines are read repeatedly, and
 * the attempt remembers how far it has searched.
 */

/**
 * Returns the next line without waiting, if it has arrived and no other read or error comes first. This is the common case on a busy
 * connection.
 */
export function lineAtHand(engine: ReadEngine, limit: number): NonSharedBuffer | undefined {
  if (!engine.isFree) return undefined;
  const line = engine.queue.takeThroughByte(NEWLINE_BYTE, limit);
  if (line !== undefined) engine.taken(line.length);
  return line;
}

/** Reads a line with its newline; at EOF the rest of the data. */
export class LineAttempt implements Attempt<NonSharedBuffer> {
  readonly #engine: ReadEngine;
  readonly #limit: number;
  /** The full attempt, created when the fast path does not apply. */
  #attempt: Attempt<NonSharedBuffer> | null = null;

  /** @param limit the longest line in bytes, without its newline */
  constructor(engine: ReadEngine, limit: number) {
    this.#engine = engine;
    this.#limit = limit;
  }

  run(): NonSharedBuffer | undefined {
    this.#attempt ??= lineAttempt(this.#engine, { limit: this.#limit, keepSeparator: true });
    return this.#attempt.run();
  }

  early(): NonSharedBuffer | undefined {
    return this.#engine.queue.takeThroughByte(NEWLINE_BYTE, this.#limit);
  }
}

/** Iterates over the lines. An empty result of `LineAttempt` ends the iteration. */
export class LineIterator implements AsyncIterator<NonSharedBuffer, undefined>, Attempt<IteratorResult<NonSharedBuffer, undefined>> {
  readonly #engine: ReadEngine;
  readonly #limit: number;
  readonly #lines: LineAttempt;
  isAhead = false;

  constructor(engine: ReadEngine, limit: number, lines: LineAttempt) {
    this.#engine = engine;
    this.#limit = limit;
    this.#lines = lines;
    debugMode?.hold(this, engine);
  }

  get engine(): ReadEngine {
    return this.#engine;
  }

  get loop(): object {
    return this;
  }

  next(): Promise<IteratorResult<NonSharedBuffer, undefined>> {
    const line = lineAtHand(this.#engine, this.#limit);
    if (line === undefined) return this.#engine.perform("next", this);
    this.isAhead = true;
    return Promise.resolve({ done: false, value: line });
  }

  return(): Promise<IteratorResult<NonSharedBuffer, undefined>> {
    return leave(this.#engine, this);
  }

  run(): IteratorResult<NonSharedBuffer, undefined> | undefined {
    return this.#noted(asStep(this.#lines.run()));
  }

  early(): IteratorResult<NonSharedBuffer, undefined> | undefined {
    return this.#noted(asStep(this.#lines.early()));
  }

  #noted(step: IteratorResult<NonSharedBuffer, undefined> | undefined): IteratorResult<NonSharedBuffer, undefined> | undefined {
    if (step !== undefined) this.isAhead = true;
    return step;
  }
}

function asStep(line: NonSharedBuffer | undefined): IteratorResult<NonSharedBuffer, undefined> | undefined {
  if (line === undefined) return undefined;
  return line.length === 0 ? { done: true, value: undefined } : { done: false, value: line };
}

/** Returns the engine of the reader that an iterator of this library loops over; `null` for any other iterator. */
export function engineOfLoop(iterator: object): ReadEngine | null {
  return iterator instanceof LineIterator || iterator instanceof ReadIterator ? iterator.engine : null;
}

/* The iterators of `lines()` and `chunks()`. The reader's own iterator, `LineIterator`, has no options. */

/** How an iterator reads one result. */
export interface Step<T, Result extends { readonly length: number } = NonSharedBuffer> {
  /** Takes the next result if it is there and no regular attempt has to decide; otherwise returns `undefined`. */
  atHand(): T | undefined;
  /** Makes the attempt that reads the next result. An empty result ends the iteration. */
  attempt(): Attempt<Result>;
  /** Converts the result of an attempt. */
  convert(result: Result): T;
}

/** Receives notes from an iterator whose pieces may hold more than one message. See `taker.ts`. */
interface Notes {
  took(): void;
  left(): void;
}

/** Iterates over results, each of them read by a new attempt if it is not at hand. */
export class ReadIterator<T, Result extends { readonly length: number } = NonSharedBuffer> implements AsyncIterableIterator<T, undefined> {
  readonly #engine: ReadEngine;
  readonly #step: Step<T, Result>;
  readonly #options: SignalOptions | undefined;
  readonly #notes: Notes | null;
  #isAhead = false;
  readonly #failed = (): void => this.#notes?.left(); // a loop is left when a step rejects

  constructor(engine: ReadEngine, step: Step<T, Result>, { signal, timeout }: SignalOptions, notes: Notes | null = null) {
    this.#engine = engine;
    this.#step = step;
    this.#options = signal === undefined && timeout === undefined ? undefined : { signal, timeout };
    this.#notes = notes;
    debugMode?.hold(this, engine);
  }

  get engine(): ReadEngine {
    return this.#engine;
  }

  next(): Promise<IteratorResult<T, undefined>> {
    const engine = this.#engine;
    if (engine.isFree && mayReturnAtOnce(this.#options)) {
      const takenBefore = engine.queue.taken;
      const value = this.#step.atHand();
      if (value !== undefined) {
        engine.taken(engine.queue.taken - takenBefore);
        this.#noteTaken();
        return Promise.resolve({ done: false, value });
      }
    }
    const attempt = this.#step.attempt();
    const isAhead = this.#isAhead;
    const run = (): IteratorResult<T, undefined> | undefined => {
      const result = attempt.run();
      if (result === undefined) return undefined;
      if (result.length === 0) return { done: true, value: undefined };
      this.#noteTaken();
      return { done: false, value: this.#step.convert(result) };
    };
    return engine.perform("next", { run, isAhead, loop: this, failed: this.#failed }, this.#options);
  }

  #noteTaken(): void {
    this.#isAhead = true;
    this.#notes?.took();
  }

  return(): Promise<IteratorResult<T, undefined>> {
    this.#failed();
    return leave(this.#engine, this);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

/** Reads whatever has arrived, up to `size` bytes, for `chunks()`. */
export function chunkStep(engine: ReadEngine, size: number): Step<NonSharedBuffer> {
  const { queue } = engine;
  return {
    atHand: () => (queue.length > 0 ? queue.tryTake(Math.min(size, queue.length)) : undefined),
    attempt: () => someAttempt(engine, size),
    convert: (chunk) => chunk,
  };
}

/** Reads chunks as `chunkStep()` does, each in an array of its own. */
export function chunkBatchStep(engine: ReadEngine, size: number): Step<NonSharedBuffer[]> {
  const step = chunkStep(engine, size);
  return {
    atHand() {
      const chunk = step.atHand();
      return chunk === undefined ? undefined : [chunk];
    },
    attempt: () => step.attempt(),
    convert: (chunk) => [chunk],
  };
}

/** Ends an iteration early, also while a step waits. No data is lost, and a source is paused until the next read waits. */
export function leave(engine: ReadEngine, loop: object): Promise<IteratorResult<never, undefined>> {
  engine.leave(loop);
  return Promise.resolve({ done: true, value: undefined });
}

const CARRIAGE_RETURN = 0x0d;

/** Removes `"\n"` or `"\r\n"` from the end of a line. */
export function withoutNewline(line: NonSharedBuffer): NonSharedBuffer {
  if (line[line.length - 1] !== NEWLINE_BYTE) return line;
  return line.subarray(0, line[line.length - 2] === CARRIAGE_RETURN ? -2 : -1);
}
