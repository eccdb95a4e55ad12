/**
 * The search for the end of a message: for one separator or several, in a queue that grows during the search.
 *
 * Promises: finds the match that ends first and, of several that end at the same place, the one with the shortest separator. Remembers how
 * far it has searched, so that data in small pieces is searched only once (except for the length of a separator). CPython:
 * `StreamReader.readuntil`.
 */
import type { ByteQueue } from "./byte-queue.js";
import type { Separators } from "./separators.js";

/**
 * Size of the first window that is searched with several separators. Without a window, each short message would cause a search of the whole
 * buffer for a rare separator. The window doubles, so that a long message still costs linear time.
 */
const FIRST_WINDOW_BYTES = 256;

/** The position of a separator: the message is `[0, end)`, and `[0, start)` without its separator. */
export interface Match {
  readonly start: number;
  readonly end: number;
}

export class SeparatorSearch {
  readonly #separators: Separators;
  /** No separator begins before this position. */
  #offset = 0;
  /** The queue's `taken` when `#offset` was computed. */
  #taken = 0;
  #putBack = 0;

  constructor(separators: Separators) {
    this.#separators = separators;
  }

  /** Number of bytes at the front of the queue in which no separator begins: CPython's `consumed`. */
  get offset(): number {
    return this.#offset;
  }

  /**
   * Searches the data that has arrived since the last call. Between two calls, bytes may be added, taken and put back.
   *
   * @returns the match; `null` if there is none yet; `undefined` if there is too little new data to search
   */
  find(queue: ByteQueue): Match | null | undefined {
    // Another read may have taken bytes in the meantime, or put back bytes that contain a separator.
    this.#offset = queue.putBack === this.#putBack ? Math.max(0, this.#offset - (queue.taken - this.#taken)) : 0;
    this.#taken = queue.taken;
    this.#putBack = queue.putBack;
    if (queue.length - this.#offset < this.#separators.shortest) return undefined;
    const match = this.#separators.list.length === 1 ? this.#findOnly(queue) : this.#findFirst(queue);
    if (match === null) this.#offset = Math.max(0, queue.length + 1 - this.#separators.longest);
    return match;
  }

  #findOnly(queue: ByteQueue): Match | null {
    const start = queue.indexOf(this.#separators.list[0] as Uint8Array, this.#offset);
    return start === -1 ? null : { start, end: start + this.#separators.shortest };
  }

  #findFirst(queue: ByteQueue): Match | null {
    const overlap = this.#separators.longest - 1;
    let from = this.#offset;
    for (let window = FIRST_WINDOW_BYTES; ; window *= 2) {
      const to = Math.min(queue.length, from + window + overlap);
      let best: Match | null = null;
      for (const separator of this.#separators.list) {
        const start = queue.indexOf(separator, from, best === null ? to : best.end - 1);
        if (start !== -1) best = { start, end: start + separator.length };
      }
      if (best !== null) return best;
      if (to === queue.length) return null;
      from = to - overlap;
    }
    /* c8 ignore next -- V8 counts the end of a function that the loop never reaches */
  }
}
