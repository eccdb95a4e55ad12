/** Flow control: its limits, each with unit and source, and `WriteWatermarks`, which decides when a protocol pauses writing. */
import { checkInteger, outOfRange } from "./arguments.js";
import { checkKnownOptions, type KnownOptions, knownOptions } from "./known-options.js";

/** Reader limit in bytes: the longest line or message, and half of what is buffered before reading is paused. CPython: `_DEFAULT_LIMIT`. */
const DEFAULT_LIMIT_BYTES = 65_536;

/** Write buffer size in bytes above which `drain()` waits. CPython: `transports._FlowControlMixin`, 64 KiB. */
export const HIGH_WATER_BYTES = 65_536;

/**
 * Write buffer size in bytes above which `drain()` waits over TLS, whose records add to the buffered data. CPython: `sslproto`'s 512 KiB.
 */
export const TLS_HIGH_WATER_BYTES = 524_288;

/** The low-water mark, at which `drain()` continues, is the high-water mark divided by this number. CPython: a quarter. */
const LOW_WATER_DIVISOR = 4;

/** The names of the water marks. */
const WATER_MARKS: KnownOptions = knownOptions<{ high?: number; low?: number }>({ high: true, low: true });

/**
 * Maximum number of connections that the kernel has accepted and the program has not. As in `node:net`.
 *
 * CPython: `backlog=100`, which a burst of some hundred clients exceeds: on a Unix socket, most of them fail at once (`EAGAIN`).
 */
export const DEFAULT_BACKLOG = 511;

/** The size of a read in bytes: the most that a socket delivers at once. libuv: the size that it suggests in `uv_read_start()`. */
export const CHUNK_BYTES = 65_536;

/** The size of a read in bytes where a relay passes on so much that reads of CHUNK_BYTES are full. */
export const PASSED_BYTES: number = 4 * CHUNK_BYTES;

/** Checks a reader's limit and returns it, or the default. */
export function checkLimit(limit: number | undefined): number {
  return limit === undefined ? DEFAULT_LIMIT_BYTES : checkInteger("limit", limit, 1);
}

/** Checks the two water marks, in bytes. Computes a missing one from the other by CPython's rule, `high = 4 * low`. */
export function waterMarks(high: number | undefined, low: number | undefined, defaultHigh: number): { high: number; low: number } {
  const checkedHigh =
    high === undefined
      ? low === undefined
        ? defaultHigh
        : LOW_WATER_DIVISOR * checkInteger("low", low, 0)
      : checkInteger("high", high, 0);
  const checkedLow = low === undefined ? Math.floor(checkedHigh / LOW_WATER_DIVISOR) : checkInteger("low", low, 0);
  if (checkedLow > checkedHigh) throw outOfRange("low", `at most high (${checkedHigh})`, checkedLow);
  return { high: checkedHigh, low: checkedLow };
}

/*
 * Decides when a protocol pauses writing and when it resumes. Python's `transports._FlowControlMixin`.
 *
 * Promises: `pauseWriting` and `resumeWriting` alternate, and follow the size of the buffer at every check.
 */

/** The receiver of the two calls. */
interface Pausable {
  pauseWriting(): unknown;
  resumeWriting(): unknown;
}

export class WriteWatermarks {
  readonly #defaultHigh: number;
  #high: number;
  #low: number;
  #paused = false;

  /** @param defaultHigh the high-water mark in bytes until another is set */
  constructor(defaultHigh: number) {
    this.#defaultHigh = defaultHigh;
    ({ high: this.#high, low: this.#low } = waterMarks(undefined, undefined, defaultHigh));
  }

  /** Whether the protocol is paused. */
  get paused(): boolean {
    return this.#paused;
  }

  /** The high-water mark in bytes. */
  get high(): number {
    return this.#high;
  }

  /** The water marks in bytes, in Python's order. */
  get limits(): [low: number, high: number] {
    return [this.#low, this.#high];
  }

  /** Sets the water marks. */
  setLimits(limits: { readonly high?: number; readonly low?: number } | undefined): void {
    checkKnownOptions("setWriteBufferLimits", limits, WATER_MARKS, "limits");
    ({ high: this.#high, low: this.#low } = waterMarks(limits?.high, limits?.low, this.#defaultHigh));
  }

  /** Calls `pauseWriting()` or `resumeWriting()` if the buffer's size requires it, and returns the result. */
  check(size: number, protocol: Pausable): unknown {
    if (this.#paused ? size > this.#low : size <= this.#high) return undefined;
    this.#paused = !this.#paused;
    return this.#paused ? protocol.pauseWriting() : protocol.resumeWriting();
  }
}
