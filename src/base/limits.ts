/** The limits of flow control, each with its unit and source. */
import { checkInteger, outOfRange } from "./arguments.js";

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

/** Maximum number of connections that the kernel has accepted and the program has not. CPython: `backlog=100`. */
export const DEFAULT_BACKLOG = 100;

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
