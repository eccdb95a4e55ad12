import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import {
  ConcurrentReadError,
  ConnectionLostError,
  ConnectionTimeoutError,
  IncompleteReadError,
  InvalidStateError,
  LimitOverrunError,
  LineTooLongError,
} from "asyncio-streams";

const cause = new Error("the reason");

/** Each class: one of its errors with a cause, one without, its base class and its code. */
const classes = [
  [
    IncompleteReadError,
    new IncompleteReadError(Buffer.from("ab"), 3, { cause }),
    new IncompleteReadError(Buffer.alloc(0)),
    Error,
    "ERR_INCOMPLETE_READ",
  ],
  [LimitOverrunError, new LimitOverrunError("over", 7, { cause }), new LimitOverrunError("over", 7), Error, "ERR_LIMIT_OVERRUN"],
  [LineTooLongError, new LineTooLongError("long", 7, { cause }), new LineTooLongError("long", 7), RangeError, "ERR_LINE_TOO_LONG"],
  [ConcurrentReadError, new ConcurrentReadError("two", { cause }), new ConcurrentReadError("two"), Error, "ERR_CONCURRENT_READ"],
  [InvalidStateError, new InvalidStateError("state", { cause }), new InvalidStateError("state"), Error, "ERR_INVALID_STATE"],
  [ConnectionLostError, new ConnectionLostError("lost", { cause }), new ConnectionLostError("lost"), Error, "ECONNRESET"],
  [ConnectionTimeoutError, new ConnectionTimeoutError("late", { cause }), new ConnectionTimeoutError("late"), Error, "ETIMEDOUT"],
] as const;

for (const [errorClass, withCause, plain, base, code] of classes) {
  describe(errorClass.name, () => {
    it(`is a ${base.name} with the code ${code}`, () => {
      assert.ok(plain instanceof errorClass);
      assert.ok(plain instanceof base);
      assert.equal(plain.code, code);
    });

    it("has its name on the prototype, not on each error", () => {
      assert.equal(plain.name, errorClass.name);
      assert.equal(Object.hasOwn(plain, "name"), false);
      assert.deepEqual(Object.getOwnPropertyDescriptor(errorClass.prototype, "name"), {
        value: errorClass.name,
        writable: true,
        enumerable: false,
        configurable: true,
      });
    });

    it("keeps the cause, and has none if none was given", () => {
      assert.equal(withCause.cause, cause);
      assert.equal(Object.hasOwn(plain, "cause"), false);
    });

    it("prints its name once, and its message", () => {
      const [firstLine] = inspect(plain).split("\n");
      assert.match(firstLine as string, new RegExp(errorClass.name));
      assert.equal(inspect(plain).includes(`name: '`), false);
      assert.equal(String(plain), `${errorClass.name}: ${plain.message}`);
    });
  });
}

describe("IncompleteReadError fields", () => {
  it("has the partial bytes and the number expected, both in the message", () => {
    const error = new IncompleteReadError(Buffer.from("ab"), 3);
    assert.equal(error.partial.toString(), "ab");
    assert.equal(error.expected, 3);
    assert.equal(error.message, "the stream ended after 2 of 3 expected bytes");
  });

  it("has null as the expected number if that is not known", () => {
    assert.equal(new IncompleteReadError(Buffer.alloc(0)).expected, null);
    assert.equal(new IncompleteReadError(Buffer.alloc(0), undefined).expected, null);
    assert.equal(new IncompleteReadError(Buffer.alloc(0), null).message, "the stream ended after 0 bytes, before the end of the message");
  });

  it("makes a Buffer of a plain Uint8Array, of the same memory", () => {
    const bytes = new Uint8Array([1, 2, 3, 4]).subarray(1, 3);
    const { partial } = new IncompleteReadError(bytes, 9);
    assert.ok(Buffer.isBuffer(partial));
    assert.deepEqual([...partial], [2, 3]);
    assert.equal(partial.buffer, bytes.buffer);
  });

  it("copies bytes in shared memory", () => {
    const { partial } = new IncompleteReadError(new Uint8Array(new SharedArrayBuffer(2)).fill(7), 9);
    assert.ok(partial.buffer instanceof ArrayBuffer);
    assert.deepEqual([...partial], [7, 7]);
  });
});

describe("LimitOverrunError and LineTooLongError fields", () => {
  it("has its message and the number of consumed bytes", () => {
    for (const error of [new LimitOverrunError("over", 7), new LineTooLongError("over", 7)]) {
      assert.equal(error.message, "over");
      assert.equal(error.consumed, 7);
    }
  });
});
