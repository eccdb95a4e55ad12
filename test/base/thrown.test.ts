/** What becomes of what is thrown: errors of this realm and of others, and what is no error at all. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runInNewContext } from "node:vm";
import { asError, describe as describeThrown, warnOf } from "#src/base/thrown.js";
import { expectWarnings } from "../support/leak-guard.js";
import { warningsOf } from "../support/warnings-of.js";

expectWarnings("Error");
expectWarnings("Warning");

/** As a test runner makes them, which gives each file a realm of its own. */
const foreign = runInNewContext("new RangeError('from elsewhere')") as Error;

/** No `toString()`, so that whoever makes a string of it throws. */
const bare: unknown = Object.create(null);

describe("what is thrown, as an error", () => {
  it("is itself, of whatever realm", () => {
    const own = new Error("ours");
    assert.equal(asError(own, "a protocol threw"), own);
    assert.equal(foreign instanceof Error, false);
    assert.equal(asError(foreign, "a protocol threw"), foreign);
  });

  for (const [thrown, text] of [
    ["text", "a protocol threw string 'text'"],
    [undefined, "a protocol threw undefined"],
    [bare, "a protocol threw "],
  ] as const) {
    it(`is the cause of one that shows it, if it is none: ${text}`, () => {
      const error = asError(thrown, "a protocol threw") as Error & { code?: string };
      assert.ok(error.message.startsWith(text), error.message);
      assert.equal(error.cause, thrown);
      assert.equal(error.code, "ERR_NOT_AN_ERROR");
    });
  }
});

describe("what is thrown, as text", () => {
  it("is the stack of an error, of whatever realm", () => {
    assert.match(describeThrown(new TypeError("ours")), /^TypeError: ours\n.*thrown\.test/);
    assert.match(describeThrown(foreign), /RangeError: from elsewhere/);
  });

  it("is the name and the message of an error that has no stack", () => {
    const error = Object.assign(new TypeError("ours"), { stack: undefined });
    assert.equal(describeThrown(error), "TypeError: ours");
  });

  it("is what else it is", () => {
    assert.equal(describeThrown(5), "number 5");
    assert.equal(typeof describeThrown(bare), "string");
  });
});

describe("what is thrown, as a warning", () => {
  for (const [what, thrown, message] of [
    ["an error", new Error("ours"), /^ours$/],
    ["an error of another realm", foreign, /RangeError: from elsewhere/],
    ["text", "oh", /oh/],
    ["nothing", undefined, /undefined/],
    ["what no string can be made of", bare, /./],
  ] as const) {
    it(`tells of ${what}, and does not throw`, async () => {
      const warnings = await warningsOf(() => warnOf(thrown));
      assert.equal(warnings.length, 1);
      assert.match((warnings[0] as Error).message, message);
    });
  }
});
