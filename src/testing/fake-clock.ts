/** A clock that goes when a test says so. */
import { checkInteger } from "../base/arguments.js";
import type { Sleeper } from "./hostile.js";
import { turns } from "./turns.js";

/**
 * Turns of the event loop that those who were woken get before time goes on. Four carry the news of a wake through a memory transport, the reader above it, an answer of the
 * program, and back.
 */
const TURNS_AFTER_WAKE = 4;

interface Sleep {
  readonly at: number;
  readonly wake: () => void;
}

/**
 * Time for tests: it stands still until `advance()`.
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

  /** Milliseconds since the clock was made. */
  get now(): number {
    return this.#now;
  }

  /** How many wait for a later time. */
  get sleeping(): number {
    return this.#sleeps.length;
  }

  /**
   * Waits until the clock has been advanced so far.
   *
   * @param ms milliseconds; 0: until the next `advance()`
   * @throws RangeError `ERR_OUT_OF_RANGE` if `ms` is negative or no integer
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
   * Lets time pass: wakes those whose time has come, one after the other, each at its time, and lets them do what they are woken for.
   *
   * @param ms milliseconds
   * @throws RangeError `ERR_OUT_OF_RANGE` if `ms` is negative or no integer
   */
  async advance(ms: number): Promise<void> {
    const end = this.#now + checkInteger("ms", ms, 0);
    await turns(TURNS_AFTER_WAKE); // who was about to sleep shall do so first
    for (let next = this.#sleeps[0]; next !== undefined && next.at <= end; next = this.#sleeps[0]) {
      this.#sleeps.shift();
      this.#now = next.at;
      next.wake();
      await turns(TURNS_AFTER_WAKE);
    }
    this.#now = end;
  }
}
