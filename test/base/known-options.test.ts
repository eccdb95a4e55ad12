import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkKnownOptions, knownOptions } from "#src/base/known-options.js";

const known = knownOptions<{ signal?: unknown; timeout?: number; highWaterMark?: number; sslHandshakeTimeout?: number }>({
  signal: true,
  timeout: true,
  highWaterMark: true,
  sslHandshakeTimeout: true,
});

const check = (options: unknown): void => checkKnownOptions("call", options, known);
const refused = (message: string): object => ({ name: "TypeError", code: "ERR_INVALID_ARG_VALUE", message });

/** An instance with methods and accessors, which are not enumerable. */
class Defaults {
  signal = undefined;
  get timeout(): number {
    return 5;
  }
  describe(): string {
    return "defaults";
  }
}

describe("checkKnownOptions()", () => {
  for (const [what, options] of [
    ["undefined", undefined],
    ["an empty object", {}],
    ["known options", { signal: null, timeout: 5 }],
    ["an unknown option that is undefined", { timeuot: undefined }],
    ["an object without a prototype", Object.assign(Object.create(null) as object, { timeout: 5 })],
    ["an object with defaults as its prototype", Object.create({ timeout: 5 })],
    ["an instance of a class", new Defaults()],
    ["a symbol as a key", { [Symbol("note")]: 5 }],
  ] as const) {
    it(`accepts ${what}`, () => {
      check(options);
    });
  }

  for (const value of [null, 5, "timeout", () => {}]) {
    it(`refuses ${String(value)} by its type`, () => {
      assert.throws(() => check(value), { name: "TypeError", code: "ERR_INVALID_ARG_TYPE", message: /^options must be an options object/ });
    });
  }

  for (const [name, meant] of [
    ["timeuot", "timeout"],
    ["Timeout", "timeout"],
    ["timeoutMs", "timeout"],
    ["singal", "signal"],
    ["sig", "signal"],
    ["highWater", "highWaterMark"],
    ["ssl_handshake_timeout", "sslHandshakeTimeout"],
  ] as const) {
    it(`suggests ${meant} for ${name}`, () => {
      assert.throws(() => check({ [name]: 5 }), refused(`call() has no option "${name}": did you mean "${meant}"?`));
    });
  }

  it("lists the options if no name is near", () => {
    const all = "highWaterMark, signal, sslHandshakeTimeout and timeout";
    for (const name of ["limit", "x", "toString"]) {
      assert.throws(() => check({ [name]: 5 }), refused(`call() has no option "${name}": its options are ${all}`));
    }
  });

  it("names the option that holds the options", () => {
    const ids = knownOptions<{ uid?: number }>({ uid: true });
    assert.throws(
      () => checkKnownOptions("call", { user: 1 }, ids, "owner"),
      refused('call() has no option "owner.user": its options are owner.uid'),
    );
    assert.throws(
      () => checkKnownOptions("call", { uit: 1 }, ids, "owner"),
      refused('call() has no option "owner.uit": did you mean "owner.uid"?'),
    );
    assert.throws(() => checkKnownOptions("call", 5, ids, "owner"), /^TypeError: owner must be an options object/);
  });

  it("refuses an unknown option that is inherited", () => {
    assert.throws(() => check(Object.create({ timeuot: 5 })), refused('call() has no option "timeuot": did you mean "timeout"?'));
  });

  it("refuses what is no options object: an array of values, or a signal by itself", () => {
    assert.throws(() => check([5]), /^TypeError: call\(\) has no option "0"/);
    assert.throws(() => check(AbortSignal.abort()), /^TypeError: call\(\) has no option "/);
  });

  it("is not disturbed by what a program adds to Object.prototype", () => {
    const prototype = Object.prototype as { added?: unknown };
    prototype.added = 5;
    try {
      check({ timeout: 5 });
      check(Object.create({ timeout: 5 }));
      assert.throws(() => check({ added: 5 }), /has no option "added"/);
    } finally {
      delete prototype.added;
    }
  });
});
