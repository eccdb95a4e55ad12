/**
 * The runtime's timers, ticks and clocks, captured once when the library is loaded, and `TurnBudget`, which lets the event loop turn. All
 * of `src/` schedules with these and nothing else; `test/architecture/` enforces it.
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

/** Calls back after `ms` milliseconds; never if that is `Infinity`, which stands for no limit. */
export function startLimit(callback: () => void, ms: number): NodeJS.Timeout | undefined {
  return ms === Infinity ? undefined : setTimeout(callback, ms);
}

/** Cancels a timer of `setTimeout()` or `startLimit()`. */
export const clearTimeout: (timer: NodeJS.Timeout | undefined) => void = timers.clearTimeout;

/** Calls back in the next turn of the event loop. */
export const setImmediate: <Arguments extends readonly unknown[]>(callback: Callback<Arguments>, ...args: Arguments) => unknown =
  timers.setImmediate;

/**
 * Calls back before the event loop continues. If called in a promise reaction, it calls back after the last of them; otherwise before them.
 */
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

/** Resolves after `count` turns of the event loop. */
export async function turns(count: number = 1): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await nextTurn();
}

/** The longest time, in milliseconds, that a timer can be set for: about 25 days. */
export const MAX_TIMER_MS = 2_147_483_647;

/*
 * `TurnBudget`: lets the event loop turn during a loop of awaited calls that never have to wait.
 *
 * When a program awaits a fulfilled promise, it continues before any timer, any other client, and even the ticks that send written data. So
 * `for (;;) { writer.write(event); await writer.drain(); }` would stop the whole process. A call that has used up the budget waits for a
 * turn of the event loop.
 *
 * Readers and writers implement the same count themselves, with the same numbers, because they count for each line.
 */

/** Number of bytes that may pass in a turn: as many as a socket accepts or delivers at once. */
export const TURN_BYTES = 65_536;

/**
 * Minimum number of bytes that a call counts for: 256 calls per turn. A turn of the event loop costs about as much as five calls, 2 % of
 * them.
 */
export const CALL_BYTES = 256;

/**
 * Each byte read costs a sixteenth of a byte of the turn's budget, because the data arrived in earlier turns of the event loop and the
 * queue is bounded by twice the limit. A loop of large reads therefore yields once per 1 MiB, and a loop of small reads once per 256
 * calls.
 */
export const READ_DISCOUNT_BITS = 4;

export class TurnBudget {
  #left = TURN_BYTES;

  /** Whether the budget is exceeded. If so, this call or the next one has to wait for a turn, and to `renew()` then. */
  get isSpent(): boolean {
    return this.#left < 0;
  }

  /** Counts a call that has passed on this many bytes. */
  spend(bytes: number): void {
    this.#left -= bytes > CALL_BYTES ? bytes : CALL_BYTES;
  }

  /** Restores the budget after a turn of the event loop. */
  renew(): void {
    this.#left = TURN_BYTES;
  }
}
