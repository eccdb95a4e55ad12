/**
 * The separators of a `readuntil()`, and a quick search for them in one chunk. `separator-search.ts` searches the whole queue.
 *
 * Programs call `readuntil()` with the same separators again and again. So the last ones are kept.
 */
import { type Data, invalidType, invalidValue, isBytes, toBytes } from "./arguments.js";
import { ownCopy } from "./memory.js";

/** Number of lists of separators that are kept. */
const MAX_KEPT = 16;
/** Longest separator that is kept. */
const MAX_KEPT_BYTES = 64;

/** The quick search gives up after this many bytes, or after this many places that only look like an end. */
const MAX_SEARCHED_BYTES = 512;
const MAX_FALSE_ENDS = 8;

/** Checked separators, as bytes that never change. */
export class Separators {
  /** The separators, shortest first. */
  readonly list: readonly Uint8Array[];
  /** Length of the shortest separator. */
  readonly shortest: number;
  /** Length of the longest separator. */
  readonly longest: number;
  /** The last byte of all separators; -1 if it differs. */
  readonly #last: number;
  /** For each byte, whether a separator ends in it: 1 if so. Created on first use. */
  #isLast: Uint8Array | null = null;

  /** @param list at least one separator, none empty */
  constructor(list: readonly Uint8Array[]) {
    this.list = list.toSorted((a, b) => a.length - b.length);
    this.shortest = (this.list[0] as Uint8Array).length;
    this.longest = (this.list.at(-1) as Uint8Array).length;
    const last = (this.list[0] as Uint8Array).at(-1) as number;
    this.#last = this.list.every((one) => one.at(-1) === last) ? last : -1;
  }

  /**
   * Returns the end of the first separator in `bytes` that lies behind `from`; -1 if a quick search does not find one.
   *
   * Without an end to the search, each short message would cause a search of the whole chunk for a rare separator.
   */
  endIn(bytes: Buffer, from: number): number {
    return this.#last === -1 ? this.#scan(bytes, from) : this.#searchLast(bytes, from);
  }

  #searchLast(bytes: Buffer, from: number): number {
    let at = from + this.shortest - 1;
    for (let tries = 0; tries < MAX_FALSE_ENDS; tries += 1) {
      const found = bytes.indexOf(this.#last, at);
      if (found === -1) return -1;
      at = found + 1;
      if (this.shortestAt(bytes, from, at) > 0) return at;
    }
    return -1;
  }

  #scan(bytes: Buffer, from: number): number {
    const isLast = (this.#isLast ??= this.#markLast());
    const stop = Math.min(bytes.length, from + MAX_SEARCHED_BYTES);
    for (let at = from + this.shortest - 1; at < stop; at += 1) {
      if (isLast[bytes[at] as number] === 1 && this.shortestAt(bytes, from, at + 1) > 0) return at + 1;
    }
    return -1;
  }

  #markLast(): Uint8Array {
    const isLast = new Uint8Array(256);
    for (const one of this.list) isLast[one.at(-1) as number] = 1;
    return isLast;
  }

  /** Returns the length of the shortest separator that ends at `end` and begins at `from` or later; 0 if there is none. */
  shortestAt(bytes: Uint8Array, from: number, end: number): number {
    for (const one of this.list) if (endsWith(bytes, from, end, one)) return one.length;
    return 0;
  }

  /** Returns the length of the longest separator that ends at `end` and begins at `from` or later. There must be one. */
  longestAt(bytes: Uint8Array, from: number, end: number): number {
    for (let index = this.list.length - 1; index > 0; index -= 1) {
      const one = this.list[index] as Uint8Array;
      if (endsWith(bytes, from, end, one)) return one.length;
    }
    return this.shortest;
  }
}

function endsWith(bytes: Uint8Array, from: number, end: number, ending: Uint8Array): boolean {
  const start = end - ending.length;
  if (start < from) return false;
  for (let index = ending.length - 1; index >= 0; index -= 1) if (bytes[start + index] !== ending[index]) return false;
  return true;
}

interface Kept {
  /** What the program passed, bytes as copies. */
  readonly given: readonly Data[];
  readonly separators: Separators;
}

/** The last separators that were converted. */
const kept: Kept[] = [];
/** The text that was passed last, and its separator. */
let lastText = "";
let lastSeparators: Separators | null = null;

/** Converts the separators of a `readuntil()`. */
export function parseSeparators(separator: Data | readonly Data[]): Separators {
  if (lastSeparators !== null && separator === lastText) return lastSeparators;
  if (!Array.isArray(separator)) return parseOne(separator as Data);
  for (const one of kept) {
    if (one.given.length === separator.length && one.given.every((bytes, index) => isSame(bytes, separator[index]))) return one.separators;
  }
  if (separator.length === 0) throw invalidValue("separator must contain at least one element, not be an empty array");
  const list = separator.map((one: Data, index) => ownBytes(`separator[${index}]`, one));
  if (list.some((one) => one.length === 0)) throw invalidValue("every separator must be at least one byte, not empty");
  return keep(separator, list);
}

function parseOne(separator: Data): Separators {
  const found = kept.find(({ given }) => given.length === 1 && isSame(given[0] as Data, separator));
  if (found !== undefined) return typeof separator === "string" ? noteLast(separator, found.separators) : found.separators;
  if (typeof separator !== "string" && !isBytes(separator)) {
    throw invalidType("separator", "a Uint8Array, a string or an array of these", separator);
  }
  const bytes = ownBytes("separator", separator);
  if (bytes.length === 0) throw invalidValue("separator must be at least one byte, not empty");
  return keep([separator], [bytes]);
}

function noteLast(text: string, separators: Separators): Separators {
  lastText = text;
  lastSeparators = separators;
  return separators;
}

/** Whether a separator is the same as one that was converted before. */
function isSame(before: Data, given: unknown): boolean {
  if (typeof before === "string" || typeof given === "string") return before === given;
  if (!isBytes(given) || given.length !== before.length) return false;
  for (let index = 0; index < before.length; index += 1) if (given[index] !== before[index]) return false;
  return true;
}

function keep(given: readonly Data[], list: readonly Uint8Array[]): Separators {
  const separators = new Separators(list);
  if (list.every((one) => one.length <= MAX_KEPT_BYTES)) {
    if (kept.length === MAX_KEPT) kept.pop();
    kept.unshift({ given: given.map((one, index) => (typeof one === "string" ? one : (list[index] as Uint8Array))), separators });
  }
  return separators;
}

/** Copies bytes, because the program may change or detach them during the search; the bytes of a string may lie in Node's pool. */
function ownBytes(name: string, data: Data): Uint8Array {
  return ownCopy(toBytes(name, data));
}
