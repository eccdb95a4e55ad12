/** Simulated network faults that a protocol has to tolerate. */
import { checkInteger, invalidType, outOfRange } from "../base/arguments.js";
import { checkKnownOptions, type KnownOptions, knownOptions } from "../base/known-options.js";

/**
 * The network faults between the two ends of a `memoryPair()`. They can be combined:
 * `{ ...hostile.oneByteAtATime(), ...hostile.resetAfter(100) }`.
 *
 * @example
 * ```ts
 * import { type Hostile, memoryPair } from "asyncio-streams/testing";
 *
 * const inHalves: Hostile = { cut: (available) => Math.ceil(available / 2) };
 * const [client, server] = memoryPair({ hostile: inHalves });
 * ```
 */
export interface Hostile {
  /** Returns the size of the next chunk, from 1 to `available` bytes. Default: all available bytes, up to 64 KiB. */
  readonly cut?: ((available: number) => number) | undefined;
  /** Called and awaited before each chunk. */
  readonly delay?: (() => Promise<void>) | undefined;
  /** The number of bytes after which both ends lose the connection with `ECONNRESET`. Later data in transit is lost. */
  readonly resetAfter?: number | undefined;
}

/** A clock to wait on: a `FakeClock` or a custom one. */
export interface Sleeper {
  /** Resolves after `ms` milliseconds. */
  sleep(ms: number): Promise<void>;
}

/** 2 ** 32, the divisor that maps a generated 32-bit number to the range from 0 to 1. */
const TWO_TO_THE_32 = 4_294_967_296;

/** Returns a generator of pseudo-random numbers from 0 to below 1, reproducible by seed: Tommy Ettinger's mulberry32. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / TWO_TO_THE_32;
  };
}

function oneByteAtATime(): Hostile {
  return { cut: () => 1 };
}

function randomCuts(seed: number, max: number = 65_536): Hostile {
  const random = randomNumbers(checkInteger("seed", seed, Number.MIN_SAFE_INTEGER));
  checkInteger("max", max, 1);
  return { cut: (available) => 1 + Math.floor(random() * Math.min(available, max)) };
}

function delayed(clock: Sleeper, ms: number, seed?: number): Hostile {
  if (typeof clock !== "object" || clock === null || typeof clock.sleep !== "function") throw invalidType("clock", "a FakeClock", clock);
  checkInteger("ms", ms, 0);
  if (seed === undefined) return { delay: () => clock.sleep(ms) };
  const random = randomNumbers(checkInteger("seed", seed, Number.MIN_SAFE_INTEGER));
  return { delay: () => clock.sleep(Math.floor(random() * (ms + 1))) };
}

function resetAfter(bytes: number): Hostile {
  return { resetAfter: checkInteger("bytes", bytes, 0) };
}

/**
 * Makes simulated network faults for `memoryPair()`. Make a new one for each pair, because they keep state.
 *
 * @example
 * ```ts
 * import { hostile, memoryPair } from "asyncio-streams/testing";
 *
 * const [client, server] = memoryPair({ hostile: hostile.randomCuts(42) });
 * ```
 */
export const hostile: {
  /** Delivers every byte as its own chunk. Finds code that takes a chunk for a message. */
  readonly oneByteAtATime: () => Hostile;
  /**
   * Delivers chunks of random sizes, which the seed determines. Print the seed to reproduce a failure.
   *
   * @param seed any integer
   * @param max the maximum size of a chunk in bytes, default 65,536
   * @throws RangeError `ERR_OUT_OF_RANGE` if `seed` is not an integer, or `max` is not a positive integer
   */
  readonly randomCuts: (seed: number, max?: number) => Hostile;
  /**
   * Delays each chunk by `ms` milliseconds of the clock, or with a seed by a random time of up to `ms`.
   *
   * @param clock the clock to wait on: a `FakeClock`, so that tests do not have to wait
   * @param ms milliseconds
   * @param seed any integer
   * @throws TypeError `ERR_INVALID_ARG_TYPE` if `clock` has no `sleep()`; RangeError `ERR_OUT_OF_RANGE` if `ms` is negative or not an
   *   integer
   */
  readonly delayed: (clock: Sleeper, ms: number, seed?: number) => Hostile;
  /**
   * Resets the connection after some bytes: both ends lose it with `ECONNRESET`.
   *
   * @param bytes the number of bytes delivered before the reset; 0 resets it at the first byte
   * @throws RangeError `ERR_OUT_OF_RANGE` if `bytes` is negative or not an integer
   */
  readonly resetAfter: (bytes: number) => Hostile;
} = { oneByteAtATime, randomCuts, delayed, resetAfter };

const HOSTILE: KnownOptions = knownOptions<Hostile>({ cut: true, delay: true, resetAfter: true });

/** Checks a `Hostile`, an option of `call`. */
export function checkHostile(call: string, name: string, value: Hostile | undefined): Hostile {
  checkKnownOptions(call, value, HOSTILE, name);
  for (const part of ["cut", "delay"] as const) {
    if (value?.[part] !== undefined && typeof value[part] !== "function") throw invalidType(`${name}.${part}`, "a function", value[part]);
  }
  if (value?.resetAfter !== undefined) checkInteger(`${name}.resetAfter`, value.resetAfter, 0);
  return value ?? {};
}

/** Checks the size of a chunk that `cut()` has returned. */
export function checkCut(size: number, available: number): number {
  if (!Number.isInteger(size) || size < 1 || size > available)
    throw outOfRange("the result of cut()", `an integer from 1 to ${available}`, size);
  return size;
}
