import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LineTooLongError, StreamReader } from "asyncio-streams";
import { endedReaderOf, readerOf, rest, text } from "../support/readers.js";
import { isSettled } from "../support/turns.js";

describe("StreamReader.readline", () => {
  it("gives line after line, each with its newline", async () => {
    const reader = readerOf(["one\ntwo\n\nfour\n"]);
    for (const line of ["one\n", "two\n", "\n", "four\n"]) assert.equal(await text(reader.readline()), line);
  });

  it("joins a line from its pieces", async () => {
    const reader = new StreamReader();
    const line = reader.readline();
    for (const piece of ["o", "n", "e"]) {
      reader.feedData(piece);
      assert.equal(await isSettled(line), false);
    }
    reader.feedData("!\nrest");
    assert.equal(await text(line), "one!\n");
    assert.equal(await rest(reader), "rest");
  });

  it("leaves a carriage return in the line", async () => {
    assert.equal(await text(readerOf(["a\rb\r\nc"]).readline()), "a\rb\r\n");
  });

  it("gives the partial last line at EOF, then nothing", async () => {
    const reader = endedReaderOf(["one\ntwo"]);
    assert.equal(await text(reader.readline()), "one\n");
    assert.equal(await text(reader.readline()), "two");
    assert.equal(await text(reader.readline()), "");
    assert.equal(reader.atEof(), true);
  });

  it("ends a wait with what there is when the end comes", async () => {
    const reader = readerOf(["par"]);
    const line = reader.readline();
    reader.feedData("tial");
    reader.feedEof();
    assert.equal(await text(line), "partial");
  });
});

describe("StreamReader.readline at the limit", () => {
  it("passes a line of the limit, without its newline", async () => {
    const reader = readerOf(["12345\n1234\n"], { limit: 5 });
    assert.equal(await text(reader.readline()), "12345\n");
    assert.equal(await text(reader.readline()), "1234\n");
  });

  it("drops a line of one byte more through its newline, and says how much", async () => {
    const reader = readerOf(["123456\nnext\n"], { limit: 5 });
    await assert.rejects(reader.readline(), (error: unknown) => {
      assert.ok(error instanceof LineTooLongError);
      assert.ok(error instanceof RangeError);
      assert.equal(error.code, "ERR_LINE_TOO_LONG");
      assert.equal(error.consumed, 7);
      assert.match(error.message, /limit of 5 bytes.* 7 bytes/);
      return true;
    });
    assert.equal(await text(reader.readline()), "next\n");
  });

  it("drops everything if the newline has not come", async () => {
    const reader = readerOf(["1234567"], { limit: 5 });
    await assert.rejects(reader.readline(), { code: "ERR_LINE_TOO_LONG", consumed: 7 });
    reader.feedData("rest of it\nnext\n");
    // Too long again: the rest of the line is a line for itself, as in CPython.
    await assert.rejects(reader.readline(), { code: "ERR_LINE_TOO_LONG", consumed: 11 });
    assert.equal(await text(reader.readline()), "next\n");
  });

  it("waits while the limit is not passed, and rejects the wait when it is", async () => {
    const reader = readerOf(["12345"], { limit: 5 });
    const line = reader.readline();
    assert.equal(await isSettled(line), false);
    reader.feedData("6");
    await assert.rejects(line, { code: "ERR_LINE_TOO_LONG", consumed: 6 });
    assert.equal(await rest(reader), "");
  });

  it("looks at all that came in one turn before it drops", async () => {
    const reader = new StreamReader({ limit: 5 });
    const line = reader.readline();
    reader.feedData("123");
    reader.feedData("456");
    reader.feedData("789\nnext\n");
    await assert.rejects(line, { code: "ERR_LINE_TOO_LONG", consumed: 10 });
    assert.equal(await text(reader.readline()), "next\n");
  });

  it("does not give too long a partial line at EOF either", async () => {
    const reader = endedReaderOf(["123456"], { limit: 5 });
    await assert.rejects(reader.readline(), { code: "ERR_LINE_TOO_LONG", consumed: 6 });
    assert.equal(await text(reader.readline()), "");
  });

  it("gives a partial line of the limit at EOF", async () => {
    assert.equal(await text(endedReaderOf(["12345"], { limit: 5 }).readline()), "12345");
  });

  it("keeps to a limit of one byte", async () => {
    const reader = readerOf(["\na\nab\nb\n"], { limit: 1 });
    assert.equal(await text(reader.readline()), "\n");
    assert.equal(await text(reader.readline()), "a\n");
    await assert.rejects(reader.readline(), { code: "ERR_LINE_TOO_LONG", consumed: 3 });
    assert.equal(await text(reader.readline()), "b\n");
  });

  it("has a limit of 65,536 bytes by default", async () => {
    const line = `${"x".repeat(65_536)}\n`;
    const reader = readerOf([line, `x${line}`]);
    assert.equal(await text(reader.readline()), line);
    await assert.rejects(reader.readline(), { code: "ERR_LINE_TOO_LONG", consumed: 65_538 });
  });
});
