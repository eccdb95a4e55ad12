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
  for (const [name, call] of Object.entries(calls)) {
    it(`${name} is refused by its name while another read waits`, async () => {
      const reader = new StreamReader();
      const waiting = reader.readline();
      await assert.rejects(call(reader), (error: unknown) => {
        assert.ok(error instanceof ConcurrentReadError);
        assert.ok(error.message.startsWith(`cannot ${name.slice(0, name.indexOf("("))}()`), error.message);
        return true;
      });
      reader.feedEof();
      await waiting;
    });
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

  it("is allowed once the first is aborted", async () => {
    const reader = new StreamReader();
    const controller = new AbortController();
    const first = reader.read(-1, { signal: controller.signal });
    reader.feedData("abc");
    controller.abort();
    assert.equal(await text(reader.read(2)), "ab");
    await assert.rejects(first, { name: "AbortError" });
  });

  for (const [name, call] of [
    ["readline", (reader: StreamReader) => reader.readline()],
    ["readuntil", (reader: StreamReader) => reader.readuntil(["\n", "END"])],
    ["iteration", async (reader: StreamReader) => (await reader[Symbol.asyncIterator]().next()).value ?? Buffer.alloc(0)],
  ] as const) {
    // CPython: misses the newline here, and goes on waiting.
    it(`that takes bytes a waiting ${name} has searched does not make it miss its separator`, async () => {
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
