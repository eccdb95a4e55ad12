import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { WriteWatermarks } from "#src/base/limits.js";

/** Notes what it is told. */
function listener(): { calls: string[]; pauseWriting: () => void; resumeWriting: () => void } {
  const calls: string[] = [];
  return { calls, pauseWriting: () => calls.push("pause"), resumeWriting: () => calls.push("resume") };
}

/** The calls that a series of buffer sizes leads to. */
function callsFor(flow: WriteWatermarks, sizes: readonly number[]): string[] {
  const protocol = listener();
  for (const size of sizes) flow.check(size, protocol);
  return protocol.calls;
}

describe("WriteWatermarks", () => {
  it("begins with a low-water mark of a quarter of the high one", () => {
    const flow = new WriteWatermarks(65_536);
    assert.deepEqual(flow.limits, [16_384, 65_536]);
    assert.equal(flow.high, 65_536);
    assert.equal(flow.paused, false);
  });

  it("pauses above the high-water mark, not at it", () => {
    assert.deepEqual(callsFor(new WriteWatermarks(100), [0, 99, 100]), []);
    assert.deepEqual(callsFor(new WriteWatermarks(100), [101]), ["pause"]);
  });

  it("resumes at the low-water mark, not above it", () => {
    assert.deepEqual(callsFor(new WriteWatermarks(100), [101, 100, 26]), ["pause"]);
    assert.deepEqual(callsFor(new WriteWatermarks(100), [101, 25]), ["pause", "resume"]);
  });

  it("pauses and resumes alternately, once each", () => {
    const flow = new WriteWatermarks(100);
    assert.deepEqual(callsFor(flow, [101, 200, 300, 50, 20, 10, 0, 101, 102, 0]), ["pause", "resume", "pause", "resume"]);
    assert.equal(flow.paused, false);
  });

  it("has its new state during the call of the protocol", () => {
    const flow = new WriteWatermarks(100);
    const seen: boolean[] = [];
    const protocol = { pauseWriting: () => seen.push(flow.paused), resumeWriting: () => seen.push(flow.paused) };
    flow.check(101, protocol);
    flow.check(0, protocol);
    assert.deepEqual(seen, [true, false]);
  });

  it("is paused although pauseWriting() throws", () => {
    const flow = new WriteWatermarks(100);
    const failing = {
      pauseWriting: (): void => {
        throw new Error("no");
      },
      resumeWriting: (): void => {},
    };
    assert.throws(() => flow.check(101, failing), { message: "no" });
    assert.equal(flow.paused, true);
  });

  it("pauses for any byte with a high-water mark of 0, and resumes when there is none", () => {
    const flow = new WriteWatermarks(100);
    flow.setLimits({ high: 0 });
    assert.deepEqual(flow.limits, [0, 0]);
    assert.deepEqual(callsFor(flow, [0, 1, 1, 0]), ["pause", "resume"]);
  });

  for (const [given, limits] of [
    [undefined, [25, 100]],
    [{}, [25, 100]],
    [{ high: 1_000 }, [250, 1_000]],
    [{ high: 7 }, [1, 7]],
    [{ low: 50 }, [50, 200]],
    [{ low: 0 }, [0, 0]],
    [{ high: 60, low: 60 }, [60, 60]],
    [{ high: 1_000, low: 0 }, [0, 1_000]],
  ] as const) {
    it(`setLimits(${JSON.stringify(given)}) gives ${JSON.stringify(limits)} with a default of 100`, () => {
      const flow = new WriteWatermarks(100);
      flow.setLimits({ high: 5 });
      flow.setLimits(given);
      assert.deepEqual(flow.limits, limits);
    });
  }

  for (const wrong of [{ high: 10, low: 11 }, { high: -1 }, { low: -1 }, { high: Number.NaN }, { high: 1.5 }, { low: Infinity }]) {
    it(`setLimits(${Object.entries(wrong).join(" ")}) throws a RangeError and changes nothing`, () => {
      const flow = new WriteWatermarks(100);
      assert.throws(() => flow.setLimits(wrong), { name: "RangeError", code: "ERR_OUT_OF_RANGE" });
      assert.deepEqual(flow.limits, [25, 100]);
    });
  }

  for (const wrong of [5, "high", null, { high: "1" }, { low: null }]) {
    it(`setLimits(${JSON.stringify(wrong)}) throws a TypeError`, () => {
      assert.throws(() => new WriteWatermarks(100).setLimits(wrong as never), { name: "TypeError", code: "ERR_INVALID_ARG_TYPE" });
    });
  }
});
