/**
 * The timers, ticks and clocks of the platform, taken once when the library is loaded. All of `src/` schedules by these and by nothing else; `test/architecture/` holds it to that.
 *
 * Test tools replace the globals, `process.nextTick` and the functions of `node:timers` with fakes that stand still. Sockets go on meanwhile, so the library has to. That goes
 * for time-outs that the program asks for, too (`timeout`, `graceMs`, those of TLS): they watch peers and files, which do not know of the fake.
 *
 * `node:timers` and not the globals: Jest gives a file globals of its own, which may be fakes before the library is loaded.
 */
import timers from "node:timers";

type Callback<Arguments extends readonly unknown[]> = (...args: Arguments) => void;

/** Calls back after `ms` milliseconds. */
export const setTimeout: (callback: () => void, ms: number) => NodeJS.Timeout = timers.setTimeout;

/** Cancels a timer of `setTimeout()`. */
export const clearTimeout: (timer: NodeJS.Timeout | undefined) => void = timers.clearTimeout;

/** Calls back in the next turn of the event loop. */
export const setImmediate: <Arguments extends readonly unknown[]>(callback: Callback<Arguments>, ...args: Arguments) => unknown =
  timers.setImmediate;

/**
 * Calls back before the event loop goes on, and before the promises that are settled.
 */
export const nextTick: <Arguments extends readonly unknown[]>(callback: Callback<Arguments>, ...args: Arguments) => void =
  process.nextTick.bind(process);

/** Calls back behind the promises that are settled already. */
export const queueMicrotask: (callback: () => void) => void = globalThis.queueMicrotask;

/** Milliseconds since 1970, by the system's clock. */
export const wallClockMs: () => number = Date.now;

/**
 * Milliseconds by a clock that only goes forward.
 */
export const monotonicMs: () => number = performance.now.bind(performance);

/** Resolves after `ms` milliseconds. */
export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms));
}

/** Resolves in the next turn of the event loop. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

/** The longest time, in milliseconds, that a timer can be set for: about 25 days. */
export const MAX_TIMER_MS = 2_147_483_647;
