import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ReaduntilOptions, StreamReader } from "asyncio-streams";
import { endedReaderOf, readerOf, rest, text } from "../support/readers.js";
import { isSettled } from "../support/turns.js";
import { watchedController } from "../support/watched-signal.js";

async function collect<T>(iterable: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const one of iterable) all.push(one);
  return all;
}

describe("a limit per call", () => {
  it("allows longer messages than the reader's", async () => {
    const reader = readerOf(["much too long\nalso too long\n"], { limit: 4 });
    assert.equal(await text(reader.readline({ limit: 100 })), "much too long\n");
    assert.equal(await text(reader.readuntil("\n", { limit: 13 })), "also too long\n");
  });

  it("allows only shorter messages, up to exactly that number", async () => {
    const reader = readerOf(["12345\n1234\n"]);
    await assert.rejects(reader.readuntil("\n", { limit: 4 }), { code: "ERR_LIMIT_OVERRUN", consumed: 5 });
    await assert.rejects(reader.readline({ limit: 4 }), { code: "ERR_LINE_TOO_LONG", consumed: 6 });
    assert.equal(await text(reader.readline({ limit: 4 })), "1234\n");
  });

  it("applies only to that call", async () => {
    const reader = readerOf(["1234567\n1234567\n"], { limit: 4 });
    await reader.readline({ limit: 7 });
    await assert.rejects(reader.readline(), { code: "ERR_LINE_TOO_LONG" });
  });
});

describe("readuntil with keepSeparator: false", () => {
  it("cuts the separator off and consumes it", async () => {
    const reader = readerOf(["a;bc\n\nd"]);
    const options: ReaduntilOptions = { keepSeparator: false };
    assert.equal(await text(reader.readuntil(["\n", ";"], options)), "a");
    assert.equal(await text(reader.readuntil("\n", options)), "bc");
    assert.equal(await text(reader.readuntil("\n", options)), "");
    assert.equal(await rest(reader), "d");
  });

  it("cuts off the longest of the separators that end there", async () => {
    const reader = readerOf(["a\r\nb\n"]);
    assert.equal(await text(reader.readuntil(["\r\n", "\n"], { keepSeparator: false })), "a");
    assert.equal(await text(reader.readuntil(["\r\n", "\n"], { keepSeparator: false })), "b");
  });

  it("consumes nothing when aborted", async () => {
    const reader = readerOf(["ab"]);
    const controller = watchedController();
    const waiting = reader.readuntil("\n", { keepSeparator: false, signal: controller.signal });
    assert.equal(await isSettled(waiting), false);
    controller.abort();
    await assert.rejects(waiting, { name: "AbortError" });
    assert.equal(await rest(reader), "ab");
  });
});

describe("StreamReader.lines", () => {
  const fed = ["one\ntw", "o\r\n\n", "\r\nlast"];

  it("gives the lines without their newlines", async () => {
    const lines = await collect(endedReaderOf(fed).lines());
    assert.deepEqual(lines.map(String), ["one", "two", "", "", "last"]);
    assert.ok(lines.every((line) => Buffer.isBuffer(line)));
  });

  it("gives text in an encoding, with complete characters for any cuts", async () => {
    const bytes = Buffer.from("grün\n€\n");
    const reader = endedReaderOf([...bytes].map((byte) => Uint8Array.of(byte)));
    assert.deepEqual(await collect(reader.lines({ encoding: "utf8" })), ["grün", "€"]);
    assert.deepEqual(await collect(endedReaderOf(["ab\n"]).lines({ encoding: "hex" })), ["6162"]);
  });

  it("keeps the newlines with keepSeparator: true", async () => {
    const lines = await collect(endedReaderOf(fed).lines({ keepSeparator: true, encoding: "utf8" }));
    assert.deepEqual(lines, ["one\n", "two\r\n", "\n", "\r\n", "last"]);
  });

  it("gives no lines of an empty stream", async () => assert.deepEqual(await collect(endedReaderOf([]).lines()), []));

  it("leaves the reader usable after a break", async () => {
    const reader = endedReaderOf(fed);
    for await (const line of reader.lines({ encoding: "utf8" })) if (line === "two") break;
    assert.equal(await text(reader.readline()), "\n");
    assert.deepEqual(await collect(reader.lines({ encoding: "utf8" })), ["", "last"]);
  });

  it("drops a line over the limit and goes on behind it", async () => {
    const reader = endedReaderOf(["12345\n123\n"]);
    const lines = reader.lines({ limit: 4, encoding: "utf8" });
    await assert.rejects(lines.next(), { code: "ERR_LINE_TOO_LONG", consumed: 6 });
    assert.deepEqual(await collect(lines), ["123"]);
  });

  it("uses one signal for all lines, and consumes nothing when that is aborted", async () => {
    const reader = readerOf(["one\ntw"]);
    const controller = watchedController();
    const lines = reader.lines({ signal: controller.signal });
    assert.equal(String((await lines.next()).value), "one");
    const next = lines.next();
    controller.abort();
    await assert.rejects(next, { name: "AbortError" });
    await assert.rejects(lines.next(), { name: "AbortError" });
    assert.equal(controller.listeners(), 0);
    assert.equal(await rest(reader), "tw");
  });
});

describe("StreamReader.chunks", () => {
  it("gives the bytes as they come, at most the given number at a time", async () => {
    const reader = endedReaderOf(["abcdef"]);
    assert.deepEqual((await collect(reader.chunks(4))).map(String), ["abcd", "ef"]);
    assert.deepEqual(await collect(endedReaderOf([]).chunks()), []);
  });

  it("gives at most 65,536 bytes by default", async () => {
    const chunks = await collect(endedReaderOf([Buffer.alloc(100_000)]).chunks());
    assert.deepEqual(
      chunks.map(({ length }) => length),
      [65_536, 34_464],
    );
  });

  it("leaves the reader usable after a break", async () => {
    const reader = endedReaderOf(["abcdef"]);
    for await (const chunk of reader.chunks(2)) if (String(chunk) === "cd") break;
    assert.equal(await rest(reader), "ef");
  });

  it("consumes nothing when aborted", async () => {
    const reader = new StreamReader();
    const controller = watchedController();
    const next = reader.chunks(10, { signal: controller.signal }).next();
    reader.feedData("ab");
    controller.abort();
    await assert.rejects(next, { name: "AbortError" });
    assert.equal(controller.listeners(), 0);
    assert.equal(await rest(reader), "ab");
  });

  it("throws the error of the reader and of a second read", async () => {
    const reader = new StreamReader();
    const first = reader.readline();
    await assert.rejects(reader.chunks().next(), { code: "ERR_CONCURRENT_READ" });
    reader.setException(new Error("set"));
    await assert.rejects(first, { message: "set" });
    await assert.rejects(reader.chunks().next(), { message: "set" });
  });
});
