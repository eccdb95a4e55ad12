/** Pauses of every length that matters to an event loop. */
import type { Random } from "../test/support/random.js";

/** Nothing, some microtasks, some turns of the event loop, or some milliseconds. */
export async function pause(random: Random, mostMs: number): Promise<void> {
  const length = random.int(0, 6);
  switch (random.pick(["none", "microtasks", "turns", "time"] as const)) {
    case "none":
      return;
    case "microtasks":
      for (let task = 0; task < length; task += 1) await Promise.resolve();
      return;
    case "turns":
      for (let turn = 0; turn < length; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      return;
    default:
      await new Promise((resolve) => setTimeout(resolve, random.next() * mostMs));
  }
}
