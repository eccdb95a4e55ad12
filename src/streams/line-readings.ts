/**
 * The attempts of `readline()` and of iterating over a reader. A reader makes each once and reuses it: lines are read repeatedly, and
 * the attempt remembers how far it has searched.
 */
import { NEWLINE_BYTE } from "../base/memory.js";
import { leave } from "./iteration.js";
import { lineAttempt } from "./message-attempts.js";
import type { Attempt, ReadEngine, Reading } from "./read-engine.js";

/**
 * Returns the next line without waiting, if it has arrived and no other read or error comes first. This is the common case on a busy
 * connection.
 */
export function lineAtHand(engine: ReadEngine, limit: number): Buffer | undefined {
  if (!engine.isFree) return undefined;
  const line = engine.queue.takeThroughByte(NEWLINE_BYTE, limit);
  if (line !== undefined) engine.taken(line.length);
  return line;
}

/** Reads a line with its newline; at EOF the rest of the data. */
export class LineReading implements Reading<Buffer> {
  readonly #engine: ReadEngine;
  readonly #limit: number;
  /** The full attempt, created when the fast path does not apply. */
  #attempt: Attempt<Buffer> | null = null;

  /** @param limit the longest line in bytes, without its newline */
  constructor(engine: ReadEngine, limit: number) {
    this.#engine = engine;
    this.#limit = limit;
  }

  attempt(): Buffer | undefined {
    this.#attempt ??= lineAttempt(this.#engine, { limit: this.#limit, keepSeparator: true });
    return this.#attempt();
  }

  early(): Buffer | undefined {
    return this.#engine.queue.takeThroughByte(NEWLINE_BYTE, this.#limit);
  }
}

/** Iterates over the lines. An empty result of `LineReading` ends the iteration. */
export class LineIterator implements AsyncIterator<Buffer, undefined>, Reading<IteratorResult<Buffer, undefined>> {
  readonly #engine: ReadEngine;
  readonly #limit: number;
  readonly #lines: LineReading;

  constructor(engine: ReadEngine, limit: number, lines: LineReading) {
    this.#engine = engine;
    this.#limit = limit;
    this.#lines = lines;
  }

  next(): Promise<IteratorResult<Buffer, undefined>> {
    const line = lineAtHand(this.#engine, this.#limit);
    if (line !== undefined) return Promise.resolve({ done: false, value: line });
    return this.#engine.performReading("next", this);
  }

  return(): Promise<IteratorResult<Buffer, undefined>> {
    return leave(this.#engine);
  }

  attempt(): IteratorResult<Buffer, undefined> | undefined {
    return asStep(this.#lines.attempt());
  }

  early(): IteratorResult<Buffer, undefined> | undefined {
    return asStep(this.#lines.early());
  }
}

function asStep(line: Buffer | undefined): IteratorResult<Buffer, undefined> | undefined {
  if (line === undefined) return undefined;
  return line.length === 0 ? { done: true, value: undefined } : { done: false, value: line };
}
