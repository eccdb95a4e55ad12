import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { monotonicMs } from "#src/base/scheduling.js";
import { startTimeout, stopTimeout } from "#src/base/timeouts.js";
import { temporaryDirectory } from "../support/temporary.js";

const timeoutsModule = import.meta.resolve("#src/base/timeouts.js");

/** Runs a program in a process of its own, and returns what it printed. */
async function run(program: string): Promise<string> {
  const source = `import { startTimeout, stopTimeout } from ${JSON.stringify(timeoutsModule)};\n${program}`;
  // A file, because Deno runs the argument of `--eval` as a script, which cannot import.
  const file = join(temporaryDirectory(), "program.mjs");
  writeFileSync(file, source);
  const { stdout } = await promisify(execFile)(process.execPath, [file]);
  return stdout.trim();
}

describe("time-outs of waits", () => {
  it("end in the order of their ends, each at its time", async () => {
    const begun = monotonicMs();
    const ended: [number, number][] = [];
    await new Promise<void>((resolve) => {
      for (const ms of [20, 5, 20, 1, 5, 0, 20]) {
        startTimeout(ms, () => {
          ended.push([ms, monotonicMs() - begun]);
          if (ended.length === 7) resolve();
        });
      }
    });
    assert.deepEqual(
      ended.map(([ms]) => ms).toSorted((a, b) => a - b),
      [0, 1, 5, 5, 20, 20, 20],
    );
    for (const [ms, after] of ended) assert.ok(after >= ms - 2, `${ms} ms took ${after}`);
  });

  it("do not end once they are stopped, at the front, in the middle or at the end", async () => {
    const ended: string[] = [];
    const started = ["a", "b", "c", "d", "e"].map((name) => startTimeout(6, () => ended.push(name)));
    for (const index of [0, 2, 4, 2]) stopTimeout(started[index]);
    await new Promise<void>((resolve) => void startTimeout(6, resolve));
    assert.deepEqual(ended, ["b", "d"]);
    stopTimeout(started[1]); // has ended
    stopTimeout(undefined);
  });

  it("may begin and stop others while they end", async () => {
    const ended: string[] = [];
    await new Promise<void>((resolve) => {
      startTimeout(4, () => {
        ended.push("first");
        stopTimeout(second);
        startTimeout(4, () => {
          ended.push("third");
          resolve();
        });
      });
      const second = startTimeout(4, () => ended.push("second"));
    });
    assert.deepEqual(ended, ["first", "third"]);
  });

  it("end as soon as possible when the callback of an earlier one takes longer than their time", async () => {
    const ended: string[] = [];
    await new Promise<void>((resolve) => {
      startTimeout(9, () => {
        ended.push("first");
        for (const until = monotonicMs() + 40; monotonicMs() < until; );
      });
      for (const until = monotonicMs() + 5; monotonicMs() < until; );
      startTimeout(9, () => {
        ended.push("second");
        resolve();
      });
    });
    assert.deepEqual(ended, ["first", "second"]);
  });

  it("begin anew with the timer of an earlier one, and end no earlier for it", async () => {
    stopTimeout(startTimeout(30, () => assert.fail("was stopped")));
    await new Promise<void>((resolve) => void startTimeout(15, resolve));
    const begun = monotonicMs();
    await new Promise<void>((resolve) => void startTimeout(30, resolve));
    assert.ok(monotonicMs() - begun >= 28, "ended with the timer of the first one");
  });

  it("run in no context of a program, and keep none alive", async () => {
    const storage = new AsyncLocalStorage<string>();
    const seen = await storage.run(
      "the context of a call",
      () => new Promise((resolve) => startTimeout(7, () => resolve(storage.getStore()))),
    );
    assert.equal(seen, undefined);
  });

  it("keep the process alive until they end, and not once they are stopped", async () => {
    assert.equal(await run(`startTimeout(30, () => console.log("ended"));`), "ended");
    assert.equal(await run(`stopTimeout(startTimeout(600_000, () => console.log("ended"))); console.log("left");`), "left");
    assert.equal(await run(`stopTimeout(startTimeout(40, () => {})); startTimeout(40, () => console.log("ended"));`), "ended");
  });

  it("of the same length end although the callback of an earlier one throws, and so do those that begin later", async () => {
    const printed = await run(`
      process.on("uncaughtException", (error) => console.log("uncaught", error.message));
      startTimeout(20, () => { throw new Error("thrown"); });
      startTimeout(20, () => {
        console.log("second");
        startTimeout(20, () => console.log("third"));
      });`);
    assert.deepEqual(printed.split("\n"), ["uncaught thrown", "second", "third"]);
  });

  it("of a common length keep their timer beside many odd lengths", async () => {
    const file = join(temporaryDirectory(), "program.mjs");
    const program = `import timers from "node:timers";
      const { setTimeout } = timers;
      let made = 0;
      timers.setTimeout = (...args) => {
        made += 1;
        return setTimeout(...args);
      };
      const { startTimeout, stopTimeout } = await import(${JSON.stringify(timeoutsModule)});
      const common = () => stopTimeout(startTimeout(5_000, () => {}));
      for (let ms = 100_000; ms < 100_200; ms += 1) stopTimeout(startTimeout(ms, () => {}));
      made = 0;
      for (let time = 0; time < 100; time += 1) common();
      console.log(made);
      made = 0;
      for (let ms = 200_000; ms < 200_300; ms += 1) {
        common();
        stopTimeout(startTimeout(ms, () => {}));
      }
      console.log(made);`;
    writeFileSync(file, program);
    const { stdout } = await promisify(execFile)(process.execPath, [file]);
    assert.deepEqual(stdout.trim().split("\n"), ["1", "300"]);
  });

  it("of very many lengths leave few timers behind", async () => {
    for (let ms = 100_000; ms < 100_500; ms += 1) stopTimeout(startTimeout(ms, () => assert.fail("was stopped")));
    await new Promise<void>((resolve) => void startTimeout(1, resolve));
    await new Promise<void>((resolve) => void startTimeout(100_499 - 100_490, resolve));
  });
});
