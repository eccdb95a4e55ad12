import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ConcurrentReadError, StreamReader } from "asyncio-streams";
import { readerOf, rest, text } from "../support/readers.js";
import { isSettled, turns } from "../support/turns.js";

const calls = {
  "read(3)": (reader: StreamReader) => reader.read(3),
  "read()": (reader: StreamReader) => reader.read(),
  "readline()": (reader: StreamReader) => reader.readline(),
  "readexactly(9)": (reader: StreamReader) => reader.readexactly(9),
  "readuntil(;)": (reader: StreamReader) => reader.readuntil(";"),
} as const;

describe("a second read on a StreamReader", () => {
  for (const [first, firstCall] of Object.entries(calls)) {
    for (const [second, secondCall] of Object.entries(calls)) {
      it(`${second} is refused while ${first} waits, which goes on unharmed`, async () => {
        const reader = new StreamReader();
        const waiting = firstCall(reader);
        await assert.rejects(secondCall(reader), (error: unknown) => {
          assert.ok(error instanceof ConcurrentReadError);
          assert.equal(error.code, "ERR_CONCURRENT_READ");
          assert.ok(error.message.startsWith(`cannot ${second.slice(0, second.indexOf("("))}()`), error.message);
          return true;
        });
        assert.equal(await isSettled(waiting), false);
        reader.feedData("12345678;\n");
        reader.feedEof();
        const got = await text(waiting);
        assert.equal(got + (await text(reader.read())), "12345678;\n");
        assert.ok(got.length > 0);
      });
    }
  }

  for (const [name, call] of Object.entries(calls)) {
    it(`${name} is refused while read() waits for EOF, though bytes are there`, async () => {
      const reader = readerOf(["123;\n6789 and more"]);
      const all = reader.read();
      await assert.rejects(call(reader), { code: "ERR_CONCURRENT_READ" });
      reader.feedEof();
      assert.equal(await text(all), "123;\n6789 and more");
    });
  }

  it("of nothing is answered while another one waits", async () => {
    for (const first of Object.values(calls)) {
      const reader = new StreamReader();
      const waiting = first(reader);
      assert.equal(await text(reader.read(0)), "");
      assert.equal(await text(reader.readexactly(0)), "");
      reader.feedData("12345678;\n");
      reader.feedEof();
      await waiting;
    }
  });

  it("is allowed once the first has its data", async () => {
    const reader = new StreamReader();
    const first = reader.readline();
    reader.feedData("one\ntwo\n");
    // In the same turn: the first is still to be woken, but its line is its own.
    const second = reader.readline();
    assert.equal(await text(second), "two\n");
    assert.equal(await text(first), "one\n");
  });

  it("is allowed once the first is aborted", async () => {
    const reader = new StreamReader();
    const controller = new AbortController();
    const first = reader.read(-1, { signal: controller.signal });
    reader.feedData("abc");
    controller.abort();
    assert.equal(await text(reader.read(2)), "ab");
    await assert.rejects(first, { name: "AbortError" });
  });

  it("is allowed once the first has failed", async () => {
    const reader = readerOf(["ab"]);
    const first = reader.readexactly(3);
    reader.feedEof();
    assert.equal(await text(reader.read()), "");
    await assert.rejects(first, { code: "ERR_INCOMPLETE_READ" });
  });

  it("that need not wait takes its bytes from one that waits for more, as in CPython", async () => {
    const reader = readerOf(["abc"]);
    const exactly = reader.readexactly(4);
    assert.equal(await text(reader.read(2)), "ab");
    reader.feedData("def");
    assert.equal(await text(exactly), "cdef");
  });

  for (const [name, call] of [
    ["readline", (reader: StreamReader) => reader.readline()],
    ["readuntil", (reader: StreamReader) => reader.readuntil(["\n", "END"])],
    ["iteration", async (reader: StreamReader) => (await reader[Symbol.asyncIterator]().next()).value ?? Buffer.alloc(0)],
  ] as const) {
    // CPython: misses the newline here, and goes on waiting.
    it(`that takes bytes from under a waiting ${name} does not make it miss its separator`, async () => {
      const reader = readerOf(["0123456789"]);
      const line = call(reader);
      await turns();
      assert.equal(await text(reader.read(8)), "01234567");
      reader.feedData("a\nb");
      assert.equal(await isSettled(line), true);
      reader.feedEof();
      assert.equal(await text(line), "89a\n");
      assert.equal(await rest(reader), "b");
    });
  }
});
