/** The numbers of flow control, each with its unit and the place it comes from. */
import { checkInteger, outOfRange } from "./arguments.js";

/** Reader limit in bytes: the longest line or message, and half of what is buffered before the peer is slowed. CPython: `_DEFAULT_LIMIT`. */
const DEFAULT_LIMIT_BYTES = 65_536;

/** Write buffer size in bytes above which `drain()` waits. CPython: `transports._FlowControlMixin`, 64 KiB. */
export const HIGH_WATER_BYTES = 65_536;

/** The same over TLS, whose records add to what is buffered. CPython: `sslproto`'s 512 KiB. */
export const TLS_HIGH_WATER_BYTES = 524_288;

/** How far the write buffer has to empty before `drain()` goes on, as a part of the high-water mark. CPython: a quarter. */
const LOW_WATER_DIVISOR = 4;

/** Queue of connections that the kernel has accepted and the program has not. CPython: `backlog=100`. */
export const DEFAULT_BACKLOG = 100;

/** Checks a reader's limit. */
export function checkLimit(limit: number | undefined): number {
  return limit === undefined ? DEFAULT_LIMIT_BYTES : checkInteger("limit", limit, 1);
}

/** The two water marks, in bytes, with the one that is missing worked out from the other: CPython's rule, `high = 4 * low`. */
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
