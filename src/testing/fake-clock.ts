/** `FakeClock`: a clock that advances only when a test tells it to. */
import { checkInteger } from "../base/arguments.js";
import { turns } from "../base/scheduling.js";
import type { Sleeper } from "./hostile.js";

/**
 * The number of turns of the event loop between waking a sleeper and advancing the time. Four turns carry a wake-up through a memory
 * transport, its reader and the program's answer, and back.
 */
const TURNS_AFTER_WAKE = 4;

interface Sleep {
  readonly at: number;
  readonly wake: () => void;
}

/**
 * A clock for tests. Its time stands still until `advance()`.
 *
 * @example
 * ```ts
 * import { FakeClock, hostile, memoryPair } from "asyncio-streams/testing";
 *
 * const clock = new FakeClock();
 * const [client, server] = memoryPair({ hostile: hostile.delayed(clock, 100) });
 * server.writer.write("late\n");
 * const reading = client.reader.readline();
 * await clock.advance(100);
 * console.log((await reading).toString());
 * ```
 */
export class FakeClock implements Sleeper {
  #now = 0;
  #sleeps: Sleep[] = [];

  /** The milliseconds since the clock was created. */
  get now(): number {
    return this.#now;
  }

  /** The number of waiting `sleep()` calls. */
  get sleeping(): number {
    return this.#sleeps.length;
  }

  /**
   * Waits until the clock has advanced by `ms` milliseconds.
   *
   * @param ms milliseconds; 0 waits until the next `advance()`
   * @throws RangeError `ERR_OUT_OF_RANGE` if `ms` is negative or not an integer
   */
  sleep(ms: number): Promise<void> {
    checkInteger("ms", ms, 0);
    return new Promise((wake) => {
      const at = this.#now + ms;
      const index = this.#sleeps.findIndex((sleep) => sleep.at > at);
      this.#sleeps.splice(index === -1 ? this.#sleeps.length : index, 0, { at, wake });
    });
  }

  /**
   * Advances the time. Wakes the sleepers whose time has come, one after the other and each at its time, and lets the event loop turn
   * after each.
   *
   * @param ms milliseconds
   * @throws RangeError `ERR_OUT_OF_RANGE` if `ms` is negative or not an integer
   */
  async advance(ms: number): Promise<void> {
    const end = this.#now + checkInteger("ms", ms, 0);
    await turns(TURNS_AFTER_WAKE); // lets code that is about to sleep do so first
    for (let next = this.#sleeps[0]; next !== undefined && next.at <= end; next = this.#sleeps[0]) {
      this.#sleeps.shift();
      this.#now = next.at;
      next.wake();
      await turns(TURNS_AFTER_WAKE);
    }
    this.#now = end;
  }
}
