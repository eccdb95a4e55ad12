import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { IncompleteReadError, LimitOverrunError, StreamReader } from "asyncio-streams";
import { endedReaderOf, readerOf, rest, text } from "../support/readers.js";
import { isSettled } from "../support/turns.js";

describe("StreamReader.readuntil", () => {
  it("reads through a newline by default", async () => {
    const reader = readerOf(["one\ntwo"]);
    assert.equal(await text(reader.readuntil()), "one\n");
    reader.feedData("\n");
    assert.equal(await text(reader.readuntil(undefined, {})), "two\n");
  });

  it("takes text and bytes as separator", async () => {
    const reader = readerOf(["a;b\0c\r\n\r\nd"]);
    assert.equal(await text(reader.readuntil(";")), "a;");
    assert.equal(await text(reader.readuntil(Uint8Array.of(0))), "b\0");
    assert.equal(await text(reader.readuntil(Buffer.from("\r\n\r\n"))), "c\r\n\r\n");
    assert.equal(await rest(reader), "d");
  });

  it("finds a separator that comes in pieces", async () => {
    const reader = new StreamReader();
    const head = reader.readuntil("\r\n\r\n");
    for (const piece of ["head", "\r", "\n", "\r", "\r", "\n", "\r"]) reader.feedData(piece);
    assert.equal(await isSettled(head), false);
    reader.feedData("\nbody");
    assert.equal(await text(head), "head\r\n\r\r\n\r\n");
    assert.equal(await rest(reader), "body");
  });

  it("reads through the separator of a list that ends first", async () => {
    const reader = readerOf(["one\r\ntwo\nthree"]);
    assert.equal(await text(reader.readuntil(["\n", "\r\n"])), "one\r\n");
    assert.equal(await text(reader.readuntil([Buffer.from("\r\n"), "\n"])), "two\n");
  });

  it("reads again what a search in vain has looked at", async () => {
    const reader = readerOf(["one;two"]);
    const controller = new AbortController();
    const inVain = reader.readuntil("\n", { signal: controller.signal });
    controller.abort();
    await assert.rejects(inVain, { name: "AbortError" });
    assert.equal(await text(reader.readuntil(";")), "one;");
  });

  it("throws at EOF with what there was and an expected of null, and empties the buffer", async () => {
    const reader = endedReaderOf(["one\ntwo"]);
    assert.equal(await text(reader.readuntil()), "one\n");
    await assert.rejects(reader.readuntil(), (error: unknown) => {
      assert.ok(error instanceof IncompleteReadError);
      assert.equal(error.partial.toString(), "two");
      assert.equal(error.expected, null);
      return true;
    });
    assert.equal(reader.atEof(), true);
    await assert.rejects(reader.readuntil(), { code: "ERR_INCOMPLETE_READ", partial: Buffer.alloc(0), expected: null });
  });

  it("includes a separator that came in part only in what there was", async () => {
    await assert.rejects(endedReaderOf(["abEN"]).readuntil("END"), { partial: Buffer.from("abEN") });
  });
});

describe("StreamReader.readuntil at the limit", () => {
  it("passes the limit without the separator", async () => {
    assert.equal(await text(readerOf(["12345--x"], { limit: 5 }).readuntil("--")), "12345--");
  });

  it("throws over it and leaves everything; consumed is where the separator starts", async () => {
    const reader = readerOf(["123456--x"], { limit: 5 });
    await assert.rejects(reader.readuntil("--"), (error: unknown) => {
      assert.ok(error instanceof LimitOverrunError);
      assert.equal(error.code, "ERR_LIMIT_OVERRUN");
      assert.equal(error.consumed, 6);
      assert.match(error.message, /after 6 bytes.*limit is 5/);
      return true;
    });
    assert.equal(await text(reader.readexactly(6)), "123456");
    assert.equal(await text(reader.readuntil("--")), "--");
    assert.equal(await rest(reader), "x");
  });

  it("throws without a separator once none can begin within the limit; consumed keeps one that has begun", async () => {
    const reader = readerOf(["12345-"], { limit: 5 });
    const until = reader.readuntil("--");
    assert.equal(await isSettled(until), false);
    reader.feedData("6-");
    await assert.rejects(until, { code: "ERR_LIMIT_OVERRUN", consumed: 7, message: /no separator.*first 7 bytes.*limit is 5/ });
    assert.equal(await text(reader.readexactly(7)), "12345-6");
    reader.feedData("-");
    assert.equal(await text(reader.readuntil("--")), "--");
  });

  it("reckons with the longest separator of a list", async () => {
    const reader = readerOf(["1234567"], { limit: 5 });
    const until = reader.readuntil([";", "END"]);
    assert.equal(await isSettled(until), false);
    reader.feedData("8");
    await assert.rejects(until, { code: "ERR_LIMIT_OVERRUN", consumed: 6 });
  });

  it("gives the same error again as long as nothing is taken", async () => {
    const reader = readerOf(["1234567890"], { limit: 5 });
    for (let time = 0; time < 3; time += 1) await assert.rejects(reader.readuntil(";"), { code: "ERR_LIMIT_OVERRUN", consumed: 10 });
    assert.equal(await rest(reader), "1234567890");
  });

  it("comes before the end of the stream, which comes before nothing else", async () => {
    await assert.rejects(endedReaderOf(["123456"], { limit: 5 }).readuntil(";"), { code: "ERR_LIMIT_OVERRUN", consumed: 6 });
    await assert.rejects(endedReaderOf(["12345"], { limit: 5 }).readuntil(";"), { code: "ERR_INCOMPLETE_READ" });
  });
});

describe("StreamReader.readuntil arguments", () => {
  for (const [what, separator, code] of [
    ["an empty text", "", "ERR_INVALID_ARG_VALUE"],
    ["no bytes", new Uint8Array(), "ERR_INVALID_ARG_VALUE"],
    ["an empty list", [], "ERR_INVALID_ARG_VALUE"],
    ["a list with an empty text", ["\n", ""], "ERR_INVALID_ARG_VALUE"],
    ["a number", 10, "ERR_INVALID_ARG_TYPE"],
    ["null", null, "ERR_INVALID_ARG_TYPE"],
    ["a regular expression", /\n/, "ERR_INVALID_ARG_TYPE"],
  ] as const) {
    it(`rejects for ${what}, and takes nothing`, async () => {
      const reader = readerOf(["abc\n"]);
      await assert.rejects(reader.readuntil(separator as never), { name: "TypeError", code });
      assert.equal(await rest(reader), "abc\n");
    });
  }

  it("is not moved by a list or a separator that changes while it waits", async () => {
    const reader = new StreamReader();
    const separators = [";"];
    const until = reader.readuntil(separators);
    separators[0] = "x";
    separators.push("y");
    reader.feedData("axyb;");
    assert.equal(await text(until), "axyb;");
  });
});
