/**
 * `pullFrom()`: feeds a reader from a source. What `StreamReader.from()` is made of.
 *
 * The source stands where a connection has its transport, so that the reader slows it as it would slow a peer: nothing is asked for while more than twice the limit is unread. A
 * source that throws is like a connection that is lost: what came before is read first.
 *
 * A Readable of Node is driven by its events (`node-source.ts`), a `ReadableStream` by its reader, anything else by its async iterator.
 */
import { type Data, invalidType } from "../base/arguments.js";
import { clearTimeout, nextTurn, setTimeout } from "../base/scheduling.js";
import { asError } from "../base/thrown.js";
import { TurnBudget } from "../base/turn-budget.js";
import { DONE } from "../base/waiting.js";
import type { Incoming, Source } from "./incoming.js";
import { isReadable, NodeSource } from "./node-source.js";

/** How long `cancel()` waits for a source that is to clean up, in milliseconds. One that never answers must not keep the program. */
const CANCEL_PATIENCE_MS = 500;

/** Feeds `incoming` with what `source` gives, from now on. */
export function pullFrom(source: AsyncIterable<Data>, incoming: Incoming): void {
  const feeding = feedingOf(source, incoming);
  incoming.setSource(feeding);
  feeding.resumeReading();
}

function feedingOf(source: AsyncIterable<Data>, incoming: Incoming): Source {
  if (isReadable(source)) return new NodeSource(source, incoming);
  if (typeof (source as Partial<ReadableStream> | null | undefined)?.getReader === "function") {
    return new Puller(fromWeb(source as unknown as ReadableStream<Data>), incoming);
  }
  if (typeof (source as Partial<AsyncIterable<Data>> | null | undefined)?.[Symbol.asyncIterator] !== "function") {
    throw invalidType("source", "a Readable, a ReadableStream or another async iterable", source);
  }
  return new Puller(fromIterator(source[Symbol.asyncIterator]()), incoming);
}

/** A source that is asked for each chunk. */
interface Pulled {
  next(): PromiseLike<{ readonly done?: boolean | undefined; readonly value?: unknown }>;
  /** Lets go of a source that has ended or failed. */
  end(): void;
  /** Lets a source clean up that has not ended. */
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

function fromIterator(iterator: AsyncIterator<Data, unknown>): Pulled {
  return { next: () => iterator.next(), end: () => {}, cancel: () => iterator.return?.() };
}

class Puller implements Source {
  readonly #source: Pulled;
  readonly #incoming: Incoming;
  readonly #budget: TurnBudget = new TurnBudget();
  #paused = true;
  /** It runs, or has run to the end. */
  #pulling = false;
  /** Whether it has ended, failed, or been given back. */
  #over = false;

  constructor(source: Pulled, incoming: Incoming) {
    this.#source = source;
    this.#incoming = incoming;
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
      const chunk = step.value as Data; // the reader checks it
      try {
        this.#incoming.feed(chunk);
      } catch (error) {
        // Not bytes, or the reader was given its end by hand: no use for the rest.
        this.#fail(error);
        void this.#giveBack(error);
        return;
      }
      this.#budget.spend(chunk.length);
      if (!this.#budget.isSpent) continue;
      await nextTurn();
      this.#budget.renew();
    }
    this.#pulling = false;
  }

  /** The next chunk; `null` if there is none any more. */
  async #next(): Promise<{ readonly value?: unknown } | null> {
    try {
      const { done, value } = await this.#source.next();
      if (this.#over) return null;
      if (done !== true) return { value };
      this.#over = true;
      this.#source.end();
      this.#incoming.feedEof();
    } catch (error) {
      if (this.#over) return null;
      this.#fail(error);
      this.#source.end();
    }
    return null;
  }

  #fail(error: unknown): void {
    this.#over = true;
    this.#incoming.failAfterData(asError(error, "the source of a StreamReader threw"));
  }

  cancel(reason: unknown): Promise<void> {
    if (this.#over) return DONE;
    this.#over = true;
    return this.#giveBack(reason);
  }

  /** Lets the source clean up; whatever that brings, the reader has its end already. */
  async #giveBack(reason: unknown): Promise<void> {
    try {
      await this.#source.cancel(reason);
    } catch {
      // the source's own affair
    }
  }
}

/** Waits for what a source does when it is cancelled, in bounded time. */
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
