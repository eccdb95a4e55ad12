/** What the library waits for comes though a test tool has replaced the timers with fakes that stand still. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StreamReader, startUnixServer } from "asyncio-streams";
import { delay, monotonicMs, nextTick, nextTurn, queueMicrotask, wallClockMs } from "#src/base/scheduling.js";
import { socketPath } from "../support/temporary.js";

class StoppedDate extends Date {
  static override now(): number {
    return 0;
  }
}

/** Runs an action while the globals stand still. */
async function withFakes(action: () => Promise<void>): Promise<void> {
  const names = ["setTimeout", "clearTimeout", "setImmediate", "queueMicrotask", "Date", "performance"] as const;
  const real = names.map((name) => Object.getOwnPropertyDescriptor(globalThis, name) as PropertyDescriptor);
  for (const name of names) {
    const value = name === "Date" ? StoppedDate : () => {};
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
  try {
    await action();
  } finally {
    for (const [index, name] of names.entries()) Object.defineProperty(globalThis, name, real[index] as PropertyDescriptor);
  }
}

describe("under fake timers", () => {
  it("turns, ticks and clocks go on", () =>
    withFakes(async () => {
      await nextTurn();
      await delay(1);
      await new Promise<void>((resolve) => nextTick(resolve));
      await new Promise<void>((resolve) => queueMicrotask(resolve));
      assert.ok(wallClockMs() > 1e12);
      assert.ok(monotonicMs() > 0);
    }));

  it("a time-out comes", () => withFakes(() => assert.rejects(new StreamReader().readline({ timeout: 1 }), { name: "TimeoutError" })));

  it("a source is read, and given back", () =>
    withFakes(async () => {
      const source = async function* (): AsyncGenerator<string> {
        for (;;) yield "x".repeat(1000);
      };
      const reader = StreamReader.from(source());
      assert.equal((await reader.readexactly(200_000)).length, 200_000);
      await reader.cancel();
    }));

  it("a server starts, and ends at once or at its deadline", () =>
    withFakes(async () => {
      for (const graceMs of [0, 1, undefined]) {
        const server = await startUnixServer(() => {}, socketPath());
        assert.deepEqual(await server.shutdown({ graceMs }), { finished: 0, aborted: 0 });
      }
    }));
});
