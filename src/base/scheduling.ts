/**
 * The runtime's timers, ticks and clocks, captured once when the library is loaded. All of `src/` schedules with these and nothing else;
 * `test/architecture/` enforces it.
 *
 * Test tools replace the globals, `process.nextTick` and the functions of `node:timers` with fakes whose time stands still. Sockets
 * continue meanwhile, so the library must continue, too. The same applies to time-outs that the program sets (`timeout`, `graceMs`, those
 * of TLS): they watch peers and files, which do not follow the fake time.
 *
 * The timers come from `node:timers` and not from the globals: Jest gives each file its own globals, which may be fakes before the library
 * is loaded.
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

/** Calls back before the event loop continues, and before the reactions of settled promises. */
export const nextTick: <Arguments extends readonly unknown[]>(callback: Callback<Arguments>, ...args: Arguments) => void =
  process.nextTick.bind(process);

/** Calls back after the reactions of promises that are already settled. */
export const queueMicrotask: (callback: () => void) => void = globalThis.queueMicrotask;

/** Milliseconds since 1970, by the system clock. */
export const wallClockMs: () => number = Date.now;

/** Milliseconds by a clock that never goes back. */
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
