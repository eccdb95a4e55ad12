/**
 * The attempts of `readline()` and of iterating over a reader. A reader makes each once and reuses it: lines are read repeatedly, and
 * the attempt remembers how far it has searched.
 */
import { NEWLINE_BYTE } from "../base/memory.js";
import type { Attempt, Incoming, Reading } from "./incoming.js";
import { leave } from "./iteration.js";
import { lineAttempt } from "./message-attempts.js";

/**
 * Returns the next line without waiting, if it has arrived and no other read or error comes first. This is the common case on a busy
 * connection.
 */
export function lineAtHand(incoming: Incoming, limit: number): Buffer | undefined {
  if (!incoming.isFree) return undefined;
  const line = incoming.queue.takeThroughByte(NEWLINE_BYTE, limit);
  if (line !== undefined) incoming.taken(line.length);
  return line;
}

/** Reads a line with its newline; at EOF the rest of the data. */
export class LineReading implements Reading<Buffer> {
  readonly #incoming: Incoming;
  readonly #limit: number;
  /** The full attempt, created when the fast path does not apply. */
  #attempt: Attempt<Buffer> | null = null;

  /** @param limit the longest line in bytes, without its newline */
  constructor(incoming: Incoming, limit: number) {
    this.#incoming = incoming;
    this.#limit = limit;
  }

  attempt(): Buffer | undefined {
    this.#attempt ??= lineAttempt(this.#incoming, { limit: this.#limit, keepSeparator: true });
    return this.#attempt();
  }

  early(): Buffer | undefined {
    return this.#incoming.queue.takeThroughByte(NEWLINE_BYTE, this.#limit);
  }
}

/** Iterates over the lines. An empty result of `LineReading` ends the iteration. */
export class LineIterator implements AsyncIterator<Buffer, undefined>, Reading<IteratorResult<Buffer, undefined>> {
  readonly #incoming: Incoming;
  readonly #limit: number;
  readonly #lines: LineReading;

  constructor(incoming: Incoming, limit: number, lines: LineReading) {
    this.#incoming = incoming;
    this.#limit = limit;
    this.#lines = lines;
  }

  next(): Promise<IteratorResult<Buffer, undefined>> {
    const line = lineAtHand(this.#incoming, this.#limit);
    if (line !== undefined) return Promise.resolve({ done: false, value: line });
    return this.#incoming.performReading("next", this);
  }

  return(): Promise<IteratorResult<Buffer, undefined>> {
    return leave(this.#incoming);
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
