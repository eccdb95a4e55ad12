/**
 * The search for the end of a message: one separator or several, in a queue that grows while we look.
 *
 * Promises: finds the match that ends first, and of those that end together the shortest separator; remembers how far it has looked, so
 * that data that comes in small pieces is looked at once (but for a separator's length). CPython: `StreamReader.readuntil`.
 */
import { type Data, invalidType, invalidValue, isBytes, toBytes } from "./arguments.js";
import type { ByteQueue } from "./byte-queue.js";
import { ownCopy } from "./memory.js";

/**
 * With several separators, how many bytes are looked at first. A rare separator would otherwise be sought through the whole buffer for every
 * short message; the window doubles, so that a long message still costs linear time.
 */
const FIRST_WINDOW_BYTES = 256;

/** Where the separator was found: the message is `[0, end)`, and `[0, start)` without its separator. */
export interface Match {
  readonly start: number;
  readonly end: number;
}

/** The separators of a `readuntil()` as bytes, shortest first. */
export function parseSeparators(separator: Data | readonly Data[]): Uint8Array[] {
  if (!Array.isArray(separator)) {
    if (typeof separator !== "string" && !isBytes(separator)) {
      throw invalidType("separator", "a Uint8Array, a string or an array of these", separator);
    }
    const bytes = ownBytes("separator", separator);
    if (bytes.length === 0) throw invalidValue("separator must be at least one byte, not empty");
    return [bytes];
  }
  if (separator.length === 0) throw invalidValue("separator must contain at least one element, not be an empty array");
  const separators = separator.map((one: Data, index) => ownBytes(`separator[${index}]`, one));
  if (separators.some((one) => one.length === 0)) throw invalidValue("every separator must be at least one byte, not empty");
  return separators.sort((a, b) => a.length - b.length);
}

/** Copies bytes: the search goes on while the program may change them, or give their memory away; those of a string may lie in Node's pool. */
function ownBytes(name: string, data: Data): Uint8Array {
  return ownCopy(toBytes(name, data));
}

export class SeparatorSearch {
  readonly #separators: readonly Uint8Array[];
  readonly #shortest: number;
  readonly #longest: number;
  /** No separator begins before here. */
  #offset = 0;
  /** What had been taken from the queue when `#offset` was right. */
  #taken = 0;
  #putBack = 0;

  /** @param separators shortest first, none empty, at least one: as `parseSeparators` makes them */
  constructor(separators: readonly Uint8Array[]) {
    this.#separators = separators;
    this.#shortest = (separators[0] as Uint8Array).length;
    this.#longest = (separators[separators.length - 1] as Uint8Array).length;
  }

  /** Bytes at the front of the queue that are known to hold no beginning of a separator: CPython's `consumed`. */
  get offset(): number {
    return this.#offset;
  }

  /**
   * Looks at what has come since the last time. Between two calls bytes may be added to the queue, not taken.
   *
   * @returns the match; `null` if there is none yet; `undefined` if there is too little new data to look at
   */
  find(queue: ByteQueue): Match | null | undefined {
    // Another read may have taken bytes from under this one,
    // or put bytes back, among which anything may be.
    this.#offset = queue.putBack === this.#putBack ? Math.max(0, this.#offset - (queue.taken - this.#taken)) : 0;
    this.#taken = queue.taken;
    this.#putBack = queue.putBack;
    if (queue.length - this.#offset < this.#shortest) return undefined;
    const match = this.#separators.length === 1 ? this.#findOnly(queue) : this.#findFirst(queue);
    if (match === null) this.#offset = Math.max(0, queue.length + 1 - this.#longest);
    return match;
  }

  #findOnly(queue: ByteQueue): Match | null {
    const start = queue.indexOf(this.#separators[0] as Uint8Array, this.#offset);
    return start === -1 ? null : { start, end: start + this.#shortest };
  }

  #findFirst(queue: ByteQueue): Match | null {
    const overlap = this.#longest - 1;
    let from = this.#offset;
    for (let window = FIRST_WINDOW_BYTES; ; window *= 2) {
      const to = Math.min(queue.length, from + window + overlap);
      let best: Match | null = null;
      for (const separator of this.#separators) {
        const start = queue.indexOf(separator, from, best === null ? to : best.end - 1);
        if (start !== -1) best = { start, end: start + separator.length };
      }
      if (best !== null) return best;
      if (to === queue.length) return null;
      from = to - overlap;
    }
    /* c8 ignore next -- V8 counts the end of a function that a loop never reaches */
  }
}
