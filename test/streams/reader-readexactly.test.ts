import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { IncompleteReadError, StreamReader } from "asyncio-streams";
import { endedReaderOf, readerOf, rest, text } from "../support/readers.js";
import { isSettled } from "../support/turns.js";

describe("StreamReader.readexactly", () => {
  it("gives exactly n bytes", async () => {
    const reader = readerOf(["abcdef"]);
    assert.equal(await text(reader.readexactly(4)), "abcd");
    assert.equal(await text(reader.readexactly(2)), "ef");
  });

  it("waits until all have come", async () => {
    const reader = readerOf(["ab"]);
    const exactly = reader.readexactly(5);
    reader.feedData("cd");
    assert.equal(await isSettled(exactly), false);
    reader.feedData("efg");
    assert.equal(await text(exactly), "abcde");
    assert.equal(await rest(reader), "fg");
  });

  it("gives nothing for 0, at once, at EOF too", async () => {
    assert.equal(await text(new StreamReader().readexactly(0)), "");
    assert.equal(await text(endedReaderOf([]).readexactly(0)), "");
  });

  it("ignores the limit", async () => {
    const reader = new StreamReader({ limit: 2 });
    const exactly = reader.readexactly(10_000);
    for (let index = 0; index < 10; index += 1) reader.feedData("x".repeat(1000));
    assert.equal((await exactly).length, 10_000);
  });

  it("throws at EOF with what there was and what was expected, and empties the buffer", async () => {
    const reader = endedReaderOf(["ab", "c"]);
    await assert.rejects(reader.readexactly(5), (error: unknown) => {
      assert.ok(error instanceof IncompleteReadError);
      assert.equal(error.partial.toString(), "abc");
      assert.equal(error.expected, 5);
      assert.equal(error.code, "ERR_INCOMPLETE_READ");
      return true;
    });
    assert.equal(reader.atEof(), true);
    assert.equal(await text(reader.read()), "");
    await assert.rejects(reader.readexactly(5), { code: "ERR_INCOMPLETE_READ", partial: Buffer.alloc(0), expected: 5 });
  });

  it("rejects a wait when the end comes too early", async () => {
    const reader = new StreamReader();
    const exactly = reader.readexactly(3);
    reader.feedData("ab");
    reader.feedEof();
    await assert.rejects(exactly, { code: "ERR_INCOMPLETE_READ", partial: Buffer.from("ab"), expected: 3 });
  });

  it("succeeds if the last byte comes with the end", async () => {
    const reader = new StreamReader();
    const exactly = reader.readexactly(3);
    reader.feedData("abc");
    reader.feedEof();
    assert.equal(await text(exactly), "abc");
  });

  for (const [n, name, code] of [
    [-1, "RangeError", "ERR_OUT_OF_RANGE"],
    [0.5, "RangeError", "ERR_OUT_OF_RANGE"],
    [Number.NaN, "RangeError", "ERR_OUT_OF_RANGE"],
    [2 ** 53, "RangeError", "ERR_OUT_OF_RANGE"],
    ["5", "TypeError", "ERR_INVALID_ARG_TYPE"],
    [undefined, "TypeError", "ERR_INVALID_ARG_TYPE"],
  ] as const) {
    it(`rejects for n = ${typeof n} ${n}, and takes nothing`, async () => {
      const reader = readerOf(["abc"]);
      await assert.rejects(reader.readexactly(n as never), { name, code, message: /^n must be / });
      assert.equal(await rest(reader), "abc");
    });
  }
});
