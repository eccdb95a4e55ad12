/** What becomes of what is thrown: errors of this realm and of others, and what is no error at all. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runInNewContext } from "node:vm";
import { asError, callForeign, describe as describeThrown, warnOf } from "#src/base/errors.js";
import { thenable } from "../support/foreign.js";
import { expectWarnings } from "../support/leak-guard.js";
import { turns } from "../support/turns.js";
import { warningsOf } from "../support/warnings-of.js";

expectWarnings("Error");
expectWarnings("Warning");

/** As a test runner makes them, which gives each file a realm of its own. */
const foreign = runInNewContext("new RangeError('from elsewhere')") as Error;

/** No error, though nobody may ask it. */
const secretive: unknown = new Proxy(
  {},
  {
    getPrototypeOf() {
      throw new Error("do not ask");
    },
  },
);

/** No `toString()`, so that whoever makes a string of it throws. */
const bare: unknown = Object.create(null);

describe("a thrown value as an Error", () => {
  it("is an Error of any realm itself", () => {
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
    it(`is the cause of an Error if it is not one: ${text}`, () => {
      const error = asError(thrown, "a protocol threw") as Error & { code?: string };
      assert.ok(error.message.startsWith(text), error.message);
      assert.equal(error.cause, thrown);
      assert.equal(error.code, "ERR_NOT_AN_ERROR");
    });
  }
});

describe("a thrown value as text", () => {
  it("is the stack of an error, of whatever realm", () => {
    assert.match(describeThrown(new TypeError("ours")), /^TypeError: ours\n.*thrown\.test/);
    assert.match(describeThrown(foreign), /RangeError: from elsewhere/);
  });

  it("is the name and the message of an error that has no stack", () => {
    const error = Object.assign(new TypeError("ours"), { stack: undefined });
    assert.equal(describeThrown(error), "TypeError: ours");
  });

  it("is the inspected value for anything else", () => {
    assert.equal(describeThrown(5), "number 5");
    assert.equal(typeof describeThrown(bare), "string");
  });
});

describe("a thrown value as a warning", () => {
  for (const [what, thrown, message] of [
    ["an error", new Error("ours"), /^ours$/],
    ["an error of another realm", foreign, /RangeError: from elsewhere/],
    ["text", "oh", /oh/],
    ["nothing", undefined, /undefined/],
    ["what no string can be made of", bare, /./],
    ["what throws when it is asked", secretive, /./],
  ] as const) {
    it(`shows ${what}, and does not throw`, async () => {
      const warnings = await warningsOf(() => warnOf(thrown));
      assert.equal(warnings.length, 1);
      assert.match((warnings[0] as Error).message, message);
    });
  }
});

describe("the outcome of a function of the program", () => {
  const failed = new Error("failed");
  const broken = (): never => {
    throw failed;
  };
  const fulfilled = thenable(
    (resolve: (value: unknown) => void) => resolve(5),
    () => {},
  );

  /** What is told of it. */
  async function told(call: () => unknown): Promise<unknown[]> {
    const events: unknown[] = [];
    const onFailure = (error: unknown): void => void events.push(error);
    callForeign(call, onFailure, () => events.push("settled"));
    await turns(2);
    callForeign(call, onFailure);
    await turns(2);
    return events;
  }

  for (const [what, call] of Object.entries<() => unknown>({
    "a function that throws": broken,
    "a rejected promise": () => Promise.reject(failed),
    "a rejected promise of another realm": () =>
      (runInNewContext("(reason) => Promise.reject(reason)") as (reason: unknown) => unknown)(failed),
    "a thenable that rejects": () => thenable((_resolve: unknown, reject: (reason: unknown) => void) => reject(failed)),
    "a thenable that throws": () => thenable(broken),
    "a getter that throws": () => new Proxy({}, { get: broken }),
    "a promise whose own then() throws": () => thenable(broken, Promise.resolve()),
  })) {
    it(`is a failure: ${what}`, async () => assert.deepEqual(await told(call), [failed, failed]));
  }

  for (const [what, call] of Object.entries<() => unknown>({
    "a promise": async () => {},
    "a promise of another realm": () => runInNewContext("(async () => {})()"),
    "a function that is a thenable": () => fulfilled,
  })) {
    it(`is settled: ${what}`, async () => assert.deepEqual(await told(call), ["settled"]));
  }

  it("is a plain value otherwise", async () => {
    for (const result of [undefined, null, 5, "text", {}, thenable(5), () => {}]) assert.deepEqual(await told(() => result), []);
  });
});

describe("a thrown value without a readable stack", () => {
  it("is shown", () => {
    const broken = Object.defineProperty(new Error("ours"), "stack", {
      get() {
        throw new Error("no stack");
      },
    });
    assert.equal(typeof describeThrown(broken), "string");
    assert.equal(describeThrown(Object.assign(new Error("ours"), { stack: 5 })), "5");
  });
});
