import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Canceller, cancellationOf, DONE, onceAborted, Waiters } from "#src/base/waiting.js";
import { collectGarbage } from "../support/garbage.js";
import { isSettled } from "../support/turns.js";
import { warningsOf } from "../support/warnings-of.js";
import { watchedController } from "../support/watched-signal.js";

describe("cancellationOf", () => {
  it("is the signal of the options, if there are options with a signal", () => {
    const { signal } = new AbortController();
    assert.equal(cancellationOf({ signal }), signal);
    assert.equal(cancellationOf({}), undefined);
    assert.equal(cancellationOf({ signal: undefined }), undefined);
    assert.equal(cancellationOf(undefined), undefined);
  });

  it("throws the reason of an aborted signal, of any type", () => {
    const reason = { why: "no error" };
    assert.throws(
      () => cancellationOf({ signal: AbortSignal.abort(reason) }),
      (thrown) => thrown === reason,
    );
    assert.throws(() => cancellationOf({ signal: AbortSignal.abort() }), { name: "AbortError" });
  });

  it("refuses a value that is not a signal", () => {
    assert.throws(() => cancellationOf({ signal: new AbortController() as never }), { code: "ERR_INVALID_ARG_TYPE" });
  });
});

describe("the callbacks of one end", () => {
  const failing = (): never => {
    throw new Error("thrown");
  };

  it("are all called, although one throws, and then the caller sees what it threw", () => {
    const canceller = new Canceller();
    const called: string[] = [];
    for (const callback of [() => called.push("a"), failing, () => called.push("b")]) onceAborted(canceller, callback);
    assert.throws(() => canceller.abort(), { message: "thrown" });
    assert.deepEqual(called, ["a", "b"]);
  });

  it("are all called for a signal that they share", () => {
    let listener = failing as () => void;
    const addEventListener = (_type: string, added: () => void): void => {
      listener = added;
    };
    const signal = { aborted: false, addEventListener, removeEventListener() {} } as unknown as AbortSignal;
    const called: string[] = [];
    for (const callback of [() => called.push("a"), failing, () => called.push("b")]) onceAborted(signal, callback);
    assert.throws(() => listener(), { message: "thrown" });
    assert.deepEqual(called, ["a", "b"]);
  });
});

describe("DONE", () => {
  it("is fulfilled", async () => {
    assert.equal(await DONE, undefined);
  });
});

describe("Waiters", () => {
  it("does nothing without a waiting call", () => {
    const waiters = new Waiters();
    waiters.wake();
    waiters.fail(() => new Error("nobody hears this"));
  });

  it("wakes all waiting calls, with and without a signal", async () => {
    const waiters = new Waiters();
    const { signal } = new AbortController();
    const waits = [waiters.wait(), waiters.wait(signal), waiters.wait()];
    assert.equal(await isSettled(Promise.race(waits)), false);
    waiters.wake();
    assert.deepEqual(await Promise.all(waits), [undefined, undefined, undefined]);
  });

  it("rejects all waiting calls with the same reason", async () => {
    const waiters = new Waiters();
    const reason = new Error("never");
    const waits = [waiters.wait(), waiters.wait(new AbortController().signal)];
    waiters.fail(() => reason);
    for (const result of await Promise.allSettled(waits)) assert.equal(result.status === "rejected" && result.reason, reason);
  });

  it("keeps later calls waiting for the next time", async () => {
    const waiters = new Waiters();
    const first = waiters.wait();
    waiters.wake();
    const second = waiters.wait();
    await first;
    assert.equal(await isSettled(second), false);
    waiters.wake();
    await second;
  });

  it("ends only the aborted wait, with the signal's reason", async () => {
    const waiters = new Waiters();
    const controller = new AbortController();
    const aborted = waiters.wait(controller.signal);
    const other = waiters.wait();
    const reason = new Error("enough");
    controller.abort(reason);
    await assert.rejects(aborted, (thrown) => thrown === reason);
    assert.equal(await isSettled(other), false);
    waiters.wake();
    await other;
  });

  it("ignores an abort after the end of the wait", async () => {
    const waiters = new Waiters();
    const controller = new AbortController();
    const wait = waiters.wait(controller.signal);
    waiters.wake();
    controller.abort();
    assert.equal(await wait, undefined);
  });

  for (const [how, end] of [
    ["woken", (waiters: Waiters) => waiters.wake()],
    ["failed", (waiters: Waiters) => waiters.fail(() => new Error("never"))],
  ] as const) {
    it(`leaves nothing on the signal of a wait that is ${how}`, async () => {
      const waiters = new Waiters();
      const controller = watchedController();
      for (let index = 0; index < 10_000; index += 1) {
        const wait = waiters.wait(controller.signal).catch(() => {});
        end(waiters);
        await wait;
      }
      assert.equal(controller.peak(), 1);
      assert.equal(controller.listeners(), 0);
    });
  }

  // Node 20 warns of the eleventh listener on a signal.
  it("allows many waits on one signal without a warning, and leaves no listener", async () => {
    const waiters = new Waiters();
    const controller = watchedController();
    const waits = Array.from({ length: 1000 }, () => waiters.wait(controller.signal));
    assert.deepEqual(await warningsOf(() => waiters.wake()), []);
    await Promise.all(waits);
    assert.equal(controller.listeners(), 0);
  });

  it("forgets aborted waits while the event is still to come", async () => {
    const waiters = new Waiters();
    const signals: WeakRef<AbortSignal>[] = [];
    const waitInVain = (): void => {
      for (let index = 0; index < 100; index += 1) {
        const controller = new AbortController();
        signals.push(new WeakRef(controller.signal));
        waiters.wait(controller.signal).catch(() => {});
        controller.abort();
      }
    };
    waitInVain();
    await collectGarbage();
    // A runtime may hold on to the last ones for a while.
    const held = signals.filter((signal) => signal.deref() !== undefined).length;
    assert.ok(held < 10, `${held} of 100 signals are held`);
    waiters.wake();
  });
});
