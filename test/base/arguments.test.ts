import "../support/leak-guard.js";
import assert from "node:assert/strict";
import net from "node:net";
import { describe, it } from "node:test";
import { BaseProtocol } from "asyncio-streams";
import {
  asBuffer,
  checkBoolean,
  checkFunction,
  checkInteger,
  checkOptions,
  checkProtocol,
  checkSignal,
  invalidType,
  invalidValue,
  isBytes,
  isError,
  outOfRange,
  show,
  toBytes,
  toPieces,
} from "#src/base/arguments.js";
import { detachedView } from "../support/detached.js";
import { fakes, foreignBytes } from "../support/foreign.js";

describe("outOfRange, invalidType and invalidValue", () => {
  it("makes the error and the code that Node would", () => {
    for (const [error, errorClass, code] of [
      [outOfRange("n", "positive", -1), RangeError, "ERR_OUT_OF_RANGE"],
      [invalidType("n", "a number", "x"), TypeError, "ERR_INVALID_ARG_TYPE"],
      [invalidValue("both"), TypeError, "ERR_INVALID_ARG_VALUE"],
    ] as const) {
      assert.ok(error instanceof errorClass);
      assert.equal((error as Error & { code?: string }).code, code);
    }
  });

  for (const [value, shown] of [
    [-1, "number -1"],
    [Number.NaN, "number NaN"],
    [10n, "bigint 10n"],
    ["ten", "string 'ten'"],
    [true, "boolean true"],
    [Symbol("s"), "symbol Symbol(s)"],
    [undefined, "undefined"],
    [null, "null"],
    [{ a: 1 }, "{ a: 1 }"],
    [[1, 2], "[ 1, 2 ]"],
    [new Uint8Array(2), "Uint8Array(2) [ 0, 0 ]"],
    [new Date(), "an instance of Date"],
    [new RangeError("on\nlines"), "an instance of RangeError"],
    [new net.Socket(), "an instance of Socket"],
    [Object.create(null), "[Object: null prototype] {}"],
    [{ constructor: "text" }, "{ constructor: 'text' }"],
  ] as const) {
    it(`shows ${shown} in the message`, () => {
      assert.equal(outOfRange("n", "at least 0", value).message, `n must be at least 0, not ${shown}`);
      assert.equal(invalidType("n", "a number", value).message, `n must be a number, not ${shown}`);
    });
  }

  it("shows a value that throws when it is inspected", () => {
    const broken = (): never => {
      throw new Error("do not look");
    };
    assert.equal(show(Object.defineProperty({}, "constructor", { get: broken })), "a value that throws when inspected");
    assert.equal(isError(new Proxy({}, { getPrototypeOf: broken })), false);
  });

  it("cuts a long value, and keeps the message on one line", () => {
    for (const value of [
      "x".repeat(10_000),
      Array.from({ length: 10_000 }, () => "a\nb"),
      Buffer.alloc(100_000),
      { deep: { deeper: { deepest: 1 } } },
      Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`key${index}`, index])),
      function withALongName() {},
    ]) {
      const { message } = invalidType("n", "a number", value);
      assert.ok(message.length < 120, `${message.length} characters`);
      assert.equal(message.includes("\n"), false);
    }
  });
});

describe("checkInteger", () => {
  it("returns an integer within the bounds, both included", () => {
    for (const value of [0, 3, 10]) assert.equal(checkInteger("n", value, 0, 10), value);
    assert.equal(checkInteger("n", Number.MAX_SAFE_INTEGER, 0), Number.MAX_SAFE_INTEGER);
  });

  for (const value of [-1, 11, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
    it(`refuses ${value} as out of range`, () => {
      assert.throws(() => checkInteger("n", value, 0, 10), {
        name: "RangeError",
        code: "ERR_OUT_OF_RANGE",
        message: `n must be an integer from 0 to 10, not number ${value}`,
      });
    });
  }

  it("names only the lower bound where there is no upper one", () => {
    assert.throws(() => checkInteger("limit", 0, 1), { message: "limit must be an integer of at least 1, not number 0" });
  });

  for (const value of ["5", 5n, null, undefined, true]) {
    it(`refuses ${typeof value} ${value} as a wrong type`, () => {
      assert.throws(() => checkInteger("n", value, 0), { name: "TypeError", code: "ERR_INVALID_ARG_TYPE" });
    });
  }
});

describe("checkBoolean, checkFunction and checkOptions", () => {
  it("accept right values", () => {
    assert.equal(checkBoolean("b", true), true);
    assert.equal(checkBoolean("b", undefined), undefined);
    checkFunction("f", () => {});
    checkOptions("options", undefined);
    checkOptions("options", {});
  });

  it("name the wrong value in the error", () => {
    assert.throws(() => checkBoolean("b", 1), { code: "ERR_INVALID_ARG_TYPE", message: "b must be true or false, not number 1" });
    assert.throws(() => checkBoolean("b", null), { code: "ERR_INVALID_ARG_TYPE" });
    assert.throws(() => checkFunction("f", {}), { code: "ERR_INVALID_ARG_TYPE", message: "f must be a function, not {}" });
    for (const value of [null, 5, "x", () => {}]) {
      assert.throws(() => checkOptions("options", value), {
        code: "ERR_INVALID_ARG_TYPE",
        message: /^options must be an options object, not /,
      });
    }
  });
});

describe("checkProtocol", () => {
  it("accepts any object with dataReceived()", () => {
    checkProtocol("protocol", { dataReceived() {} });
    checkProtocol("protocol", { dataReceived() {}, connectionLost: undefined });
    checkProtocol("protocol", new BaseProtocol());
  });

  it("refuses an object without dataReceived(), and a method that is not a function", () => {
    for (const value of [null, undefined, 5, {}, { dataReceived: true }]) {
      assert.throws(() => checkProtocol("protocol", value), { code: "ERR_INVALID_ARG_TYPE", message: /dataReceived\(\)/ });
    }
    for (const method of ["connectionMade", "eofReceived", "connectionLost", "pauseWriting", "resumeWriting", "shutdownRequested"]) {
      assert.throws(() => checkProtocol("protocol", { dataReceived() {}, [method]: null }), {
        name: "TypeError",
        code: "ERR_INVALID_ARG_TYPE",
        message: `${method} of protocol must be a function, not null`,
      });
    }
  });
});

describe("checkSignal", () => {
  it("returns the signal, or undefined", () => {
    const { signal } = new AbortController();
    assert.equal(checkSignal(signal), signal);
    assert.equal(checkSignal(undefined), undefined);
  });

  it("refuses a value that is not a signal, such as the controller itself", () => {
    for (const value of [new AbortController(), null, {}, "signal", new EventTarget()]) {
      assert.throws(() => checkSignal(value as never), {
        name: "TypeError",
        code: "ERR_INVALID_ARG_TYPE",
        message: /^signal must be an AbortSignal/,
      });
    }
  });
});

describe("toBytes and asBuffer", () => {
  it("encodes text as UTF-8", () => {
    assert.deepEqual([...toBytes("data", "\u20ac")], [0xe2, 0x82, 0xac]);
  });

  it("returns bytes unchanged", () => {
    const bytes = Uint8Array.of(1, 2);
    assert.equal(toBytes("data", bytes), bytes);
    const buffer = Buffer.from("ab");
    assert.equal(asBuffer(buffer), buffer);
  });

  it("makes a Buffer of the same memory", () => {
    const bytes = new Uint8Array([1, 2, 3, 4]).subarray(1, 3);
    const buffer = asBuffer(bytes);
    assert.ok(Buffer.isBuffer(buffer));
    assert.equal(buffer.buffer, bytes.buffer);
    assert.deepEqual([...buffer], [2, 3]);
  });

  it("refuses detached memory, but accepts an empty view of attached memory", () => {
    assert.throws(() => toBytes("data", detachedView()), { name: "TypeError", code: "ERR_INVALID_ARG_TYPE", message: /detached/ });
    for (const empty of [new Uint8Array(0), new Uint8Array(4).subarray(4), Buffer.alloc(0), new Uint8Array(new SharedArrayBuffer(0))]) {
      assert.equal(toBytes("data", empty), empty);
    }
  });

  it("refuses a view that lost its memory when a buffer was made smaller", () => {
    const memory: ArrayBuffer & { resize?(length: number): void } = new (
      ArrayBuffer as unknown as new (
        length: number,
        options: { maxByteLength: number },
      ) => ArrayBuffer
    )(8, { maxByteLength: 8 });
    const view = new Uint8Array(memory, 4, 4);
    assert.equal(toBytes("data", view), view);
    memory.resize?.(2);
    const message = "data must be bytes whose memory is still attached, not 0 bytes in a buffer that was shrunk";
    assert.throws(() => toBytes("data", view), { name: "TypeError", code: "ERR_INVALID_ARG_TYPE", message });
    assert.throws(() => toPieces(view as unknown as Uint8Array[]), { code: "ERR_INVALID_ARG_TYPE", message: /was shrunk/ });
  });

  it("says that the memory is detached", () => {
    assert.throws(() => toBytes("data", detachedView()), { message: /not 0 bytes in a detached buffer$/ });
  });

  for (const [what, fake] of Object.entries(fakes())) {
    it(`refuses ${what}`, () => {
      assert.equal(isBytes(fake), false);
      for (const call of [() => toBytes("data", fake), () => toPieces(fake as unknown as Uint8Array[]), () => toPieces([fake])]) {
        assert.throws(call, { name: "TypeError", code: "ERR_INVALID_ARG_TYPE" });
      }
    });
  }

  it("takes bytes of another realm, and makes a Buffer of the same memory", () => {
    const bytes = foreignBytes("abc").subarray(1);
    assert.equal(toBytes("data", bytes), bytes);
    assert.equal(asBuffer(bytes).buffer, bytes.buffer);
    assert.equal(String(asBuffer(bytes)), "bc");
  });

  it("refuses anything else, and names the argument", () => {
    for (const value of [1, null, undefined, {}, [1], new Uint16Array(1), new ArrayBuffer(1), new DataView(new ArrayBuffer(1))]) {
      assert.throws(() => toBytes("data", value as never), {
        name: "TypeError",
        code: "ERR_INVALID_ARG_TYPE",
        message: /^data must be a Uint8Array or a string, not /,
      });
    }
  });
});
