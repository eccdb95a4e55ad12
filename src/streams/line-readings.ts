/** The readings of `readline()` and of iteration: each is made once, since a line is read again and again, and since it knows how far it has looked. */
import { NEWLINE_BYTE } from "../base/memory.js";
import type { Attempt, Incoming, Reading } from "./incoming.js";
import { leave } from "./iteration.js";
import { lineAttempt } from "./message-attempts.js";

/** The next line, if it is there and nothing is in the way: the answer without a wait, which most lines of a busy connection get. */
export function lineAtHand(incoming: Incoming, limit: number): Buffer | undefined {
  if (!incoming.isFree) return undefined;
  const line = incoming.queue.takeThroughByte(NEWLINE_BYTE, limit);
  if (line !== undefined) incoming.taken(line.length);
  return line;
}

/** Lines, each with its newline; at EOF what is left. */
export class LineReading implements Reading<Buffer> {
  readonly #incoming: Incoming;
  readonly #limit: number;
  /** The whole of it, made when the short way does not do. */
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

/** The same as the steps of an iteration. An empty line is its end. */
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
