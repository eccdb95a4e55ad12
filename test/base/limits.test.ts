import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkLimit, DEFAULT_BACKLOG, HIGH_WATER_BYTES, PASSED_BYTES, waterMarks } from "#src/base/limits.js";

describe("the numbers", () => {
  it("are CPython's, and the backlog is that of node:net", () => {
    assert.deepEqual([checkLimit(undefined), HIGH_WATER_BYTES, DEFAULT_BACKLOG], [2 ** 16, 64 * 1024, 511]);
  });

  it("have a relay read 256 KiB at a time", () => {
    assert.equal(PASSED_BYTES, 262_144);
  });
});

describe("checkLimit", () => {
  it("is 65,536 by default", () => {
    assert.equal(checkLimit(undefined), 65_536);
  });

  it("accepts any positive integer", () => {
    for (const limit of [1, 1000, Number.MAX_SAFE_INTEGER]) assert.equal(checkLimit(limit), limit);
  });

  for (const limit of [0, -1, Number.NaN, 1.5, Number.POSITIVE_INFINITY]) {
    it(`refuses ${limit} as out of range`, () => {
      assert.throws(() => checkLimit(limit), {
        name: "RangeError",
        code: "ERR_OUT_OF_RANGE",
        message: `limit must be an integer of at least 1, not number ${limit}`,
      });
    });
  }

  for (const limit of ["65536", null, 10n, true]) {
    it(`refuses ${typeof limit} ${limit} as a wrong type`, () => {
      assert.throws(() => checkLimit(limit as never), {
        name: "TypeError",
        code: "ERR_INVALID_ARG_TYPE",
        message: /^limit must be a number, not /,
      });
    });
  }
});

describe("waterMarks", () => {
  for (const [high, low, expected] of [
    [undefined, undefined, { high: 65_536, low: 16_384 }],
    [1000, undefined, { high: 1000, low: 250 }],
    [1001, undefined, { high: 1001, low: 250 }],
    [undefined, 100, { high: 400, low: 100 }],
    [1000, 1000, { high: 1000, low: 1000 }],
    [1000, 0, { high: 1000, low: 0 }],
    [0, undefined, { high: 0, low: 0 }],
    [undefined, 0, { high: 0, low: 0 }],
    [0, 0, { high: 0, low: 0 }],
  ] as const) {
    it(`makes high ${high} and low ${low} into ${expected.high} and ${expected.low}`, () => {
      assert.deepEqual(waterMarks(high, low, 65_536), expected);
    });
  }

  it("starts from the default it is given", () => {
    assert.deepEqual(waterMarks(undefined, undefined, 524_288), { high: 524_288, low: 131_072 });
  });

  it("refuses a low mark above the high one, and states both", () => {
    assert.throws(() => waterMarks(10, 11, 65_536), { code: "ERR_OUT_OF_RANGE", message: "low must be at most high (10), not number 11" });
  });

  it("refuses negative, fractional and other values, and names them", () => {
    assert.throws(() => waterMarks(-1, undefined, 1), { code: "ERR_OUT_OF_RANGE", message: /^high must be / });
    assert.throws(() => waterMarks(undefined, -1, 1), { code: "ERR_OUT_OF_RANGE", message: /^low must be / });
    assert.throws(() => waterMarks(10, 0.5, 1), { code: "ERR_OUT_OF_RANGE", message: /^low must be / });
    assert.throws(() => waterMarks("10" as never, undefined, 1), { code: "ERR_INVALID_ARG_TYPE", message: /^high must be / });
    assert.throws(() => waterMarks(undefined, null as never, 1), { code: "ERR_INVALID_ARG_TYPE", message: /^low must be / });
  });
});
