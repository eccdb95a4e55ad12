/** Lines that treat their bytes badly, as networks do: what a protocol has to stand. */
import { checkInteger, checkOptions, invalidType, outOfRange } from "../base/arguments.js";

/**
 * What lies between the two ends of a `memoryPair()`. The parts can be put together: `{ ...hostile.oneByteAtATime(), ...hostile.resetAfter(100) }`.
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
  /** How many of the `available` bytes come next, as one chunk: 1 to `available`. Default: all of them, up to 64 KiB. */
  readonly cut?: ((available: number) => number) | undefined;
  /** Waited for before each chunk. */
  readonly delay?: (() => Promise<void>) | undefined;
  /** Bytes after which both ends lose the connection with `ECONNRESET`; what is on its way after them is lost. */
  readonly resetAfter?: number | undefined;
}

/** A clock to wait on: a `FakeClock`, or one of your own. */
export interface Sleeper {
  /** Resolves after so many milliseconds. */
  sleep(ms: number): Promise<void>;
}

/** The largest number of 32 bits, and one: what a generated number is divided by. */
const TWO_TO_THE_32 = 4_294_967_296;

/** Numbers from 0 up to 1 that look random, the same for the same seed: Tommy Ettinger's mulberry32. */
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
 * Lines that treat their bytes badly. Make one for each pair: they remember what they have done.
 *
 * @example
 * ```ts
 * import { hostile, memoryPair } from "asyncio-streams/testing";
 *
 * const [client, server] = memoryPair({ hostile: hostile.randomCuts(42) });
 * ```
 */
export const hostile: {
  /** Every byte comes alone: finds code that takes a chunk for a message. */
  readonly oneByteAtATime: () => Hostile;
  /**
   * Chunks of random size, the same for the same seed: print the seed, and a failure can be repeated.
   *
   * @param seed any integer
   * @param max the most bytes of a chunk, default 65,536
   * @throws RangeError `ERR_OUT_OF_RANGE` if `seed` is no integer, or `max` is not positive
   */
  readonly randomCuts: (seed: number, max?: number) => Hostile;
  /**
   * Each chunk comes late: by `ms` milliseconds of the clock, or by a random time of up to `ms` if there is a seed.
   *
   * @param clock whose time it is: a `FakeClock`, so that no test has to wait
   * @param ms milliseconds
   * @param seed any integer
   * @throws TypeError `ERR_INVALID_ARG_TYPE` if `clock` has no `sleep()`; RangeError `ERR_OUT_OF_RANGE` if `ms` is negative or no integer
   */
  readonly delayed: (clock: Sleeper, ms: number, seed?: number) => Hostile;
  /**
   * The connection is reset after so many bytes: both ends lose it with `ECONNRESET`.
   *
   * @param bytes delivered before the reset; 0: the first byte resets it
   * @throws RangeError `ERR_OUT_OF_RANGE` if `bytes` is negative or no integer
   */
  readonly resetAfter: (bytes: number) => Hostile;
} = { oneByteAtATime, randomCuts, delayed, resetAfter };

/** Checks what lies between the ends. */
export function checkHostile(name: string, value: Hostile | undefined): Hostile {
  checkOptions(name, value);
  for (const part of ["cut", "delay"] as const) {
    if (value?.[part] !== undefined && typeof value[part] !== "function") throw invalidType(`${name}.${part}`, "a function", value[part]);
  }
  if (value?.resetAfter !== undefined) checkInteger(`${name}.resetAfter`, value.resetAfter, 0);
  return value ?? {};
}

/** Checks the size of a chunk that `cut()` asks for. */
export function checkCut(size: number, available: number): number {
  if (!Number.isInteger(size) || size < 1 || size > available)
    throw outOfRange("the result of cut()", `an integer from 1 to ${available}`, size);
  return size;
}
