import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StreamReader } from "asyncio-streams";
import { endedReaderOf, readerOf, rest, text } from "../support/readers.js";
import { isSettled } from "../support/turns.js";

describe("StreamReader.read(n)", () => {
  it("gives at most n bytes of those that are there", async () => {
    const reader = readerOf(["abcdef"]);
    assert.equal(await text(reader.read(2)), "ab");
    assert.equal(await text(reader.read(100)), "cdef");
  });

  it("does not wait for n bytes: one is enough", async () => {
    const reader = new StreamReader();
    const read = reader.read(10);
    assert.equal(await isSettled(read), false);
    reader.feedData("a");
    assert.equal(await text(read), "a");
  });

  it("joins what came in several pieces", async () => {
    assert.equal(await text(readerOf(["ab", "cd", "ef"]).read(5)), "abcde");
  });

  it("sees all that was fed in one turn", async () => {
    const reader = new StreamReader();
    const read = reader.read(100);
    for (const piece of ["a", "b", "c"]) reader.feedData(piece);
    assert.equal(await text(read), "abc");
  });

  it("gives what is left at EOF, then nothing, again and again", async () => {
    const reader = endedReaderOf(["abc"]);
    assert.equal(await text(reader.read(2)), "ab");
    assert.equal(await text(reader.read(2)), "c");
    for (let time = 0; time < 3; time += 1) assert.equal(await text(reader.read(2)), "");
  });

  it("ends a wait with nothing at EOF", async () => {
    const reader = new StreamReader();
    const read = reader.read(1);
    reader.feedEof();
    assert.equal(await text(read), "");
  });

  it("ignores the limit", async () => {
    const reader = readerOf(["x".repeat(1000)], { limit: 3 });
    assert.equal((await reader.read(900)).length, 900);
  });

  it("gives a Buffer, whatever was fed", async () => {
    const reader = readerOf([Uint8Array.of(1, 2, 3)]);
    const bytes = await reader.read(3);
    assert.ok(Buffer.isBuffer(bytes));
    assert.deepEqual([...bytes], [1, 2, 3]);
  });
});

describe("StreamReader.read(0)", () => {
  it("answers at once with nothing, and takes nothing", async () => {
    const reader = new StreamReader();
    assert.equal(await text(reader.read(0)), "");
    reader.feedData("abc");
    assert.equal(await text(reader.read(0)), "");
    assert.equal(await rest(reader), "abc");
    assert.equal(await text(reader.read(0)), "");
  });
});

describe("StreamReader.read() to EOF", () => {
  for (const [call, n] of [
    ["read()", undefined],
    ["read(-1)", -1],
    ["read(-5)", -5],
  ] as const) {
    it(`${call} gives everything, once the end has come`, async () => {
      const reader = readerOf(["ab"]);
      const read = reader.read(n);
      reader.feedData("cd");
      assert.equal(await isSettled(read), false);
      reader.feedData("ef");
      reader.feedEof();
      assert.equal(await text(read), "abcdef");
    });
  }

  it("gives nothing at EOF", async () => {
    assert.equal(await text(endedReaderOf([]).read()), "");
  });

  it("takes more than the limit", async () => {
    const pieces = Array.from({ length: 100 }, (_, index) => Buffer.alloc(1500, index));
    const reader = readerOf(pieces, { limit: 10 });
    assert.equal(await rest(reader), Buffer.concat(pieces).toString("latin1"));
  });
});

describe("StreamReader.read arguments", () => {
  for (const [n, name, code] of [
    [1.5, "RangeError", "ERR_OUT_OF_RANGE"],
    [Number.NaN, "RangeError", "ERR_OUT_OF_RANGE"],
    [Number.POSITIVE_INFINITY, "RangeError", "ERR_OUT_OF_RANGE"],
    ["5", "TypeError", "ERR_INVALID_ARG_TYPE"],
    [null, "TypeError", "ERR_INVALID_ARG_TYPE"],
    [5n, "TypeError", "ERR_INVALID_ARG_TYPE"],
  ] as const) {
    it(`rejects for n = ${typeof n} ${n}, and takes nothing`, async () => {
      const reader = readerOf(["abc"]);
      await assert.rejects(reader.read(n as never), { name, code, message: /^n must be / });
      assert.equal(await rest(reader), "abc");
    });
  }

  it("rejects for options that are none, and for a signal that is none", async () => {
    const reader = readerOf(["abc"]);
    await assert.rejects(reader.read(1, 5 as never), { name: "TypeError", code: "ERR_INVALID_ARG_TYPE", message: /^options must be / });
    await assert.rejects(reader.read(1, { signal: new AbortController() as never }), {
      code: "ERR_INVALID_ARG_TYPE",
      message: /^signal must be /,
    });
    assert.equal(await rest(reader), "abc");
  });

  it("accepts options without a signal", async () => {
    assert.equal(await text(readerOf(["abc"]).read(1, { signal: undefined })), "a");
    assert.equal(await text(readerOf(["abc"]).read(1, {})), "a");
  });
});

describe("StreamReader.atEof", () => {
  it("is true once the end has come and everything is read", async () => {
    const reader = new StreamReader();
    assert.equal(reader.atEof(), false);
    reader.feedData("a");
    reader.feedEof();
    assert.equal(reader.atEof(), false);
    await reader.read(1);
    assert.equal(reader.atEof(), true);
  });
});
