/**
 * How the codecs of this library read: one by one (`readFrame()`), in an iteration (`frames()`), and in batches (`readFrames()`).
 *
 * A codec makes a `FrameAttempt` for a reader. A frame that has arrived in one chunk is the common case on a busy connection: `atHand()`
 * takes it without the read engine, a closure or a second promise. Whatever it does not take is left to the regular attempt, so that
 * errors, waits and aborts are decided in one place.
 *
 * `frames()` and batches call these attempts directly if the codec's `readFrame()` is one that was made here. They look at the method and
 * not at the codec, because a program may copy a codec and replace its method.
 */
import type { SignalOptions } from "../base/arguments.js";
import { debugMode } from "../base/debug-mode.js";
import { mayReturnAtOnce } from "../base/waiting.js";
import { leave } from "../streams/attempts.js";
import { engineOf } from "../streams/base-reader.js";
import type { Attempt, ReadEngine } from "../streams/read-engine.js";
import type { StreamReader } from "../streams/reader.js";
import { checkReader, type FrameCodec } from "./codec.js";

/**
 * Reads the frames of one reader, one after the other. It is exclusive: no other read may take bytes while a frame is awaited, because
 * they may include its header.
 */
export interface FrameAttempt<T> extends Attempt<T | null> {
  readonly exclusive: true;
  /**
   * Takes the next frame if it has arrived and no regular attempt has to decide. Otherwise returns `undefined`, and takes at most what no
   * frame contains (blank lines).
   */
  atHand(): T | undefined;
  /** Takes the next frame; `null` at EOF, `undefined` if more data is needed. */
  run(): T | null | undefined;
  /** Takes the next frame like `run()`. Where `run()` throws, it may throw too, but takes nothing. */
  runOrLeave(): T | null | undefined;
}

/** Makes the attempt that reads the frames of a reader. */
export type AttemptMaker<T> = (engine: ReadEngine, reader: StreamReader) => FrameAttempt<T>;

type ReadFrame<T> = FrameCodec<T, never>["readFrame"];

const makers = new WeakMap<ReadFrame<unknown>, AttemptMaker<unknown>>();

/** Makes the `readFrame()` of a codec. */
export function readFrameBy<T>(makeAttempt: AttemptMaker<T>): ReadFrame<T> {
  function readFrame(reader: StreamReader, options?: SignalOptions): Promise<T | null> {
    try {
      checkReader(reader);
      const engine = engineOf(reader);
      const attempt = makeAttempt(engine, reader);
      const frame = takeAtHand(engine, attempt, options);
      return frame === undefined ? engine.perform("readFrame", attempt, options) : Promise.resolve(frame);
    } catch (error) {
      return Promise.reject(error);
    }
  }
  makers.set(readFrame, makeAttempt);
  return readFrame;
}

/** Returns how a codec reads; `undefined` if its `readFrame()` was not made here. */
export function makerOf<T>({ readFrame }: Pick<FrameCodec<T, never>, "readFrame">): AttemptMaker<T> | undefined {
  return makers.get(readFrame) as AttemptMaker<T> | undefined;
}

/** Takes the next frame without waiting, if no other read, error or abort comes first. */
function takeAtHand<T>(engine: ReadEngine, attempt: FrameAttempt<T>, options: SignalOptions | undefined): T | undefined {
  if (!mayReturnAtOnce(options) || !engine.isFree) return undefined;
  const takenBefore = engine.queue.taken;
  const frame = attempt.atHand();
  if (frame !== undefined) engine.taken(engine.queue.taken - takenBefore);
  return frame;
}

/** Iterates over the frames, all of them read by one attempt. */
export class FrameIterator<T> implements AsyncIterableIterator<T, undefined>, Attempt<IteratorResult<T, undefined>> {
  readonly #engine: ReadEngine;
  readonly #attempt: FrameAttempt<T>;
  readonly #options: SignalOptions | undefined;
  isAhead = false;

  constructor(engine: ReadEngine, attempt: FrameAttempt<T>, options: SignalOptions | undefined) {
    this.#engine = engine;
    this.#attempt = attempt;
    this.#options = options;
    debugMode?.hold(this, engine);
  }

  get exclusive(): true {
    return true;
  }

  get loop(): object {
    return this;
  }

  get wanted(): number | undefined {
    return this.#attempt.wanted;
  }

  next(): Promise<IteratorResult<T, undefined>> {
    const value = takeAtHand(this.#engine, this.#attempt, this.#options);
    if (value === undefined) return this.#engine.perform("readFrame", this, this.#options);
    this.isAhead = true;
    return Promise.resolve({ done: false, value });
  }

  run(): IteratorResult<T, undefined> | undefined {
    const frame = this.#attempt.atHand() ?? this.#attempt.run();
    if (frame === undefined) return undefined;
    this.isAhead = true;
    return frame === null ? { done: true, value: undefined } : { done: false, value: frame };
  }

  return(): Promise<IteratorResult<T, undefined>> {
    return leave(this.#engine, this);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

/** Takes all frames that are there, at least one. An empty array means EOF. An error ends the batch, and is the error of the next call. */
export class FrameBatch<T> implements Attempt<T[]> {
  readonly #attempt: FrameAttempt<T>;

  constructor(attempt: FrameAttempt<T>) {
    this.#attempt = attempt;
  }

  get exclusive(): true {
    return true;
  }

  get wanted(): number | undefined {
    return this.#attempt.wanted;
  }

  run(): T[] | undefined {
    const attempt = this.#attempt;
    const batch: T[] = [];
    for (;;) {
      let frame: T | null | undefined = attempt.atHand();
      if (frame === undefined) frame = batch.length === 0 ? attempt.run() : this.#runOrLeave();
      if (frame === undefined) return batch.length === 0 ? undefined : batch;
      if (frame === null) return batch;
      batch.push(frame);
    }
  }

  #runOrLeave(): T | null | undefined {
    try {
      return this.#attempt.runOrLeave();
    } catch {
      return undefined; // nothing was taken: the next call throws the error
    }
  }
}
