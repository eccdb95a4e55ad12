/**
 * `pullFrom()`: feeds a reader from a source. Implements `StreamReader.from()`.
 *
 * The source takes the place of a connection's transport, so backpressure works the same way: no data is requested once more than twice
 * the limit is unread. A source that throws counts as a lost connection: the data received before is read first.
 *
 * A Readable of Node is read through its events (`node-source.ts`), a `ReadableStream` through its reader, any other source through its
 * async iterator.
 */
import { type Data, invalidType } from "../base/arguments.js";
import { asError } from "../base/errors.js";
import { clearTimeout, nextTurn, setTimeout, TurnBudget } from "../base/scheduling.js";
import { DONE } from "../base/waiting.js";
import type { Source } from "../contracts/connection.js";
import { engineOfLoop } from "./attempts.js";
import { isReadable, NodeSource } from "./node-source.js";
import type { ReadEngine } from "./read-engine.js";
import { Taker } from "./taker.js";

/** How long `cancel()` waits for a source to clean up, in milliseconds. A source that never answers must not block the program. */
const CANCEL_PATIENCE_MS = 500;

/** Starts feeding `engine` from `source`. */
export function pullFrom(source: AsyncIterable<Data | readonly Data[]>, engine: ReadEngine): void {
  const feeding = feedingOf(source, engine);
  engine.setSource(feeding);
  feeding.resumeReading();
}

function feedingOf(source: AsyncIterable<Data | readonly Data[]>, engine: ReadEngine): Source {
  if (isReadable(source)) return new NodeSource(source, engine);
  if (typeof (source as Partial<ReadableStream> | null | undefined)?.getReader === "function") {
    return new Puller(fromWeb(source as unknown as ReadableStream<Data>), engine);
  }
  if (typeof (source as Partial<AsyncIterable<unknown>> | null | undefined)?.[Symbol.asyncIterator] !== "function") {
    throw invalidType("source", "a Readable, a ReadableStream or another async iterable", source);
  }
  return new Puller(fromIterator(source[Symbol.asyncIterator]()), engine);
}

/** A source from which each chunk is requested. */
interface Pulled {
  next(): PromiseLike<{ readonly done?: boolean | undefined; readonly value?: unknown }>;
  /** Releases a source that has ended or failed. */
  end(): void;
  /** Cancels a source that has not ended, so that it can clean up. */
  cancel(reason: unknown): unknown;
}

function fromWeb(stream: ReadableStream<Data>): Pulled {
  const reader = stream.getReader();
  return {
    next: () => reader.read(),
    end: () => reader.releaseLock(),
    cancel(reason) {
      const cancelled = reader.cancel(reason);
      reader.releaseLock();
      return cancelled;
    },
  };
}

function fromIterator(iterator: AsyncIterator<Data | readonly Data[], unknown>): Pulled {
  const engine = engineOfLoop(iterator);
  if (engine !== null) return fromLoop(iterator, engine);
  return { next: () => iterator.next(), end: () => {}, cancel: () => iterator.return?.() };
}

/** Pulls from another reader. What has been pulled may be ahead of the program. */
function fromLoop(iterator: AsyncIterator<Data | readonly Data[], unknown>, engine: ReadEngine): Pulled {
  const taker = new Taker(engine, "StreamReader.from");
  let isCancelled = false;
  return {
    async next() {
      const step = await iterator.next();
      if (!isCancelled) taker.took();
      return step;
    },
    end: () => taker.left(),
    cancel() {
      isCancelled = true;
      taker.left();
      return iterator.return?.();
    },
  };
}

class Puller implements Source {
  readonly #source: Pulled;
  readonly #engine: ReadEngine;
  readonly #budget: TurnBudget = new TurnBudget();
  #paused = true;
  /** Whether the pull loop is running, or the source is over. */
  #pulling = false;
  /** Whether the source has ended, failed, or been released. */
  #over = false;

  constructor(source: Pulled, engine: ReadEngine) {
    this.#source = source;
    this.#engine = engine;
  }

  pauseReading(): void {
    this.#paused = true;
  }

  resumeReading(): void {
    this.#paused = false;
    if (!this.#pulling) void this.#pull();
  }

  async #pull(): Promise<void> {
    this.#pulling = true;
    while (!this.#paused && !this.#over) {
      const step = await this.#next();
      if (step === null) return;
      let bytes = 0;
      try {
        // A source of `node:stream/iter` has arrays of chunks. The reader checks the types.
        for (const chunk of (Array.isArray(step.value) ? step.value : [step.value]) as readonly Data[]) {
          this.#engine.feed(chunk);
          bytes += chunk.length;
        }
      } catch (error) {
        // The chunk is not bytes, or the program called `feedEof()`: the rest of the source is of no use.
        this.#fail(error);
        void this.#giveBack(error);
        return;
      }
      this.#budget.spend(bytes);
      if (!this.#budget.isSpent) continue;
      await nextTurn();
      this.#budget.renew();
    }
    this.#pulling = false;
  }

  /** Returns the next chunk; `null` if the source is over. */
  async #next(): Promise<{ readonly value?: unknown } | null> {
    try {
      const { done, value } = await this.#source.next();
      if (this.#over) return null;
      if (done !== true) return { value };
      this.#over = true;
      this.#source.end();
      this.#engine.feedEof();
    } catch (error) {
      if (this.#over) return null;
      this.#fail(error);
      this.#source.end();
    }
    return null;
  }

  #fail(error: unknown): void {
    this.#over = true;
    this.#engine.failAfterData(asError(error, "the source of a StreamReader threw"));
  }

  cancel(reason: unknown): Promise<void> {
    if (this.#over) return DONE;
    this.#over = true;
    return this.#giveBack(reason);
  }

  /** Lets the source clean up. Its outcome no longer matters to the reader, which already has its end. */
  async #giveBack(reason: unknown): Promise<void> {
    try {
      await this.#source.cancel(reason);
    } catch {
      // errors of the source's cleanup are ignored
    }
  }
}

/** Waits until a cancelled source has cleaned up, but no longer than `CANCEL_PATIENCE_MS`. */
export function inBoundedTime(cleaningUp: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, CANCEL_PATIENCE_MS);
    const onCleanedUp = (): void => {
      clearTimeout(timer);
      resolve();
    };
    void cleaningUp.then(onCleanedUp, onCleanedUp);
  });
}
