/** Facts of the reading calls that the cases recorded from CPython (`parity/`) and the models (`property/`) do not check. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LimitOverrunError, LineTooLongError, StreamReader } from "asyncio-streams";
import { connectedStreams, endedReaderOf, readerOf, rest, text } from "../support/readers.js";
import { isSettled } from "../support/turns.js";

describe("StreamReader.read", () => {
  it("returns a Buffer, whatever was fed", async () => {
    const bytes = await readerOf([Uint8Array.of(1, 2, 3)]).read(3);
    assert.ok(Buffer.isBuffer(bytes));
    assert.deepEqual([...bytes], [1, 2, 3]);
  });

  it("without an argument waits for EOF, and returns everything", async () => {
    const reader = readerOf(["ab"]);
    const read = reader.read();
    reader.feedData("cd");
    assert.equal(await isSettled(read), false);
    reader.feedEof();
    assert.equal(await text(read), "abcd");
  });

  it("to EOF returns far more than the limit", async () => {
    const pieces = Array.from({ length: 100 }, (_, index) => Buffer.alloc(1500, index));
    assert.equal(await rest(readerOf(pieces, { limit: 10 })), Buffer.concat(pieces).toString("latin1"));
  });
});

describe("StreamReader.readline", () => {
  it("throws an error that states the limit and the dropped bytes", async () => {
    await assert.rejects(readerOf(["123456\nnext\n"], { limit: 5 }).readline(), (error: unknown) => {
      assert.ok(error instanceof LineTooLongError);
      assert.ok(error instanceof RangeError);
      assert.match(error.message, /limit of 5 bytes.* 7 bytes/);
      return true;
    });
  });

  it("drops everything if the newline has not come", async () => {
    const reader = readerOf(["1234567"], { limit: 5 });
    await assert.rejects(reader.readline(), { code: "ERR_LINE_TOO_LONG", consumed: 7 });
    reader.feedData("rest of it\nnext\n");
    // Too long again: the rest of the line is a line for itself, as in CPython.
    await assert.rejects(reader.readline(), { code: "ERR_LINE_TOO_LONG", consumed: 11 });
    assert.equal(await text(reader.readline()), "next\n");
  });

  it("has a limit of 65,536 bytes by default", async () => {
    const line = `${"x".repeat(65_536)}\n`;
    const reader = readerOf([line, `x${line}`]);
    assert.equal(await text(reader.readline()), line);
    await assert.rejects(reader.readline(), { code: "ERR_LINE_TOO_LONG", consumed: 65_538 });
  });
});

describe("StreamReader.readuntil", () => {
  it("reads through a newline by default", async () => {
    const reader = readerOf(["one\ntwo"]);
    assert.equal(await text(reader.readuntil()), "one\n");
    reader.feedData("\n");
    assert.equal(await text(reader.readuntil(undefined, {})), "two\n");
  });

  it("takes text and bytes as separators", async () => {
    const reader = readerOf(["a;b\0c\r\n\r\nd\r\ne"]);
    assert.equal(await text(reader.readuntil(";")), "a;");
    assert.equal(await text(reader.readuntil(Uint8Array.of(0))), "b\0");
    assert.equal(await text(reader.readuntil(Buffer.from("\r\n\r\n"))), "c\r\n\r\n");
    assert.equal(await text(reader.readuntil([Buffer.from("\r\n"), "\n"])), "d\r\n");
    assert.equal(await rest(reader), "e");
  });

  it("finds a separator in bytes that an earlier search has passed", async () => {
    const reader = readerOf(["one;two"]);
    const controller = new AbortController();
    const aborted = reader.readuntil("\n", { signal: controller.signal });
    controller.abort();
    await assert.rejects(aborted, { name: "AbortError" });
    assert.equal(await text(reader.readuntil(";")), "one;");
  });

  it("keeps its own copy of the list of separators", async () => {
    const reader = new StreamReader();
    const separators = [";"];
    const until = reader.readuntil(separators);
    separators[0] = "x";
    separators.push("y");
    reader.feedData("axyb;");
    assert.equal(await text(until), "axyb;");
  });

  it("throws over the limit an error that states the position and the limit", async () => {
    for (const [fed, consumed, message] of [
      ["123456--x", 6, /after 6 bytes.*limit is 5/],
      ["12345-6-", 7, /no separator.*first 7 bytes.*limit is 5/],
    ] as const) {
      await assert.rejects(readerOf([fed], { limit: 5 }).readuntil("--"), (error: unknown) => {
        assert.ok(error instanceof LimitOverrunError);
        assert.equal(error.consumed, consumed);
        assert.match(error.message, message);
        return true;
      });
    }
  });
});

describe("iterating over a StreamReader", () => {
  it("waits for lines that have not come", async () => {
    const reader = new StreamReader();
    const lines: string[] = [];
    const loop = (async () => {
      for await (const line of reader) lines.push(line.toString());
    })();
    for (const piece of ["on", "e\ntw", "o\n"]) {
      reader.feedData(piece);
      await isSettled(loop);
    }
    assert.deepEqual(lines, ["one\n", "two\n"]);
    reader.feedEof();
    await loop;
  });

  it("allows other reads inside the loop", async () => {
    const reader = endedReaderOf(["3\nabc5\nde\nfg"]);
    const bodies: string[] = [];
    for await (const line of reader) bodies.push(await text(reader.readexactly(Number.parseInt(line.toString(), 10))));
    assert.deepEqual(bodies, ["abc", "de\nfg"]);
  });

  it("is done again and again after the end", async () => {
    const iterator = endedReaderOf(["x"])[Symbol.asyncIterator]();
    assert.deepEqual(await iterator.next(), { done: false, value: Buffer.from("x") });
    for (let time = 0; time < 2; time += 1) assert.deepEqual(await iterator.next(), { done: true, value: undefined });
  });

  it("goes on behind a line over the limit", async () => {
    const iterator = endedReaderOf(["123456\nok\n"], { limit: 5 })[Symbol.asyncIterator]();
    await assert.rejects(iterator.next(), { code: "ERR_LINE_TOO_LONG", consumed: 7 });
    assert.deepEqual(await iterator.next(), { done: false, value: Buffer.from("ok\n") });
  });

  it("throws the error of a lost connection after the complete lines", async () => {
    const { reader, protocol } = connectedStreams();
    const lost = new Error("lost");
    protocol.dataReceived(Buffer.from("one\ntwo\nthr"));
    protocol.connectionLost(lost);
    const lines: string[] = [];
    await assert.rejects(
      async () => {
        for await (const line of reader) lines.push(line.toString());
      },
      (error) => error === lost,
    );
    assert.deepEqual(lines, ["one\n", "two\n"]);
    assert.equal(await text(reader.read(100)), "thr");
  });

  it("refuses a second read while it waits", async () => {
    const reader = new StreamReader();
    const next = reader[Symbol.asyncIterator]().next();
    await assert.rejects(reader.readline(), { code: "ERR_CONCURRENT_READ" });
    await assert.rejects(reader[Symbol.asyncIterator]().next(), { code: "ERR_CONCURRENT_READ" });
    reader.feedData("a\n");
    assert.deepEqual(await next, { done: false, value: Buffer.from("a\n") });
  });
});
