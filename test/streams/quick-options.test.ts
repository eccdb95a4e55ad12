import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StreamReader } from "asyncio-streams";
import { delimited, frameBatches, frames } from "asyncio-streams/framing";

/** Every call that can return at once, with the data for it at hand. */
const CALLS: readonly (readonly [string, (reader: StreamReader, options: object) => Promise<unknown>])[] = [
  ["read", (reader, options) => reader.read(4, options)],
  ["readline", (reader, options) => reader.readline(options)],
  ["readexactly", (reader, options) => reader.readexactly(4, options)],
  ["readuntil", (reader, options) => reader.readuntil("\r\n", options)],
  ["readuntil with a list", (reader, options) => reader.readuntil(["\r\n", ";"], options)],
  ["peek", (reader, options) => reader.peek(4, options)],
  ["readinto", (reader, options) => reader.readinto(new Uint8Array(4), options)],
  ["lines", (reader, options) => reader.lines(options).next()],
  ["lines of text", (reader, options) => reader.lines({ ...options, encoding: "utf8" }).next()],
  ["readlines", (reader, options) => reader.readlines(options)],
  ["lineBatches of text", (reader, options) => reader.lineBatches({ ...options, encoding: "utf8" }).next()],
  ["readFrame", (reader, options) => delimited("\r\n").readFrame(reader, options)],
  ["frames", (reader, options) => frames(reader, delimited("\r\n"), options).next()],
  ["frameBatches", (reader, options) => frameBatches(reader, delimited("\r\n"), options).next()],
  ["chunks", (reader, options) => reader.chunks(4, options).next()],
];

function readerWithData(): StreamReader {
  const reader = new StreamReader();
  reader.feedData(Buffer.from("abcdefgh\r\nijkl\r\n"));
  return reader;
}

for (const [name, call] of CALLS) {
  describe(`${name} with the data at hand`, () => {
    it("accepts a time-out and a signal that is not aborted", async () => {
      for (const options of [{ timeout: 0 }, { timeout: 1000 }, { signal: new AbortController().signal }]) {
        const reader = readerWithData();
        assert.ok(await call(reader, options));
      }
    });

    it("rejects with the reason of an aborted signal, and consumes nothing", async () => {
      const reader = readerWithData();
      await assert.rejects(call(reader, { signal: AbortSignal.abort(new Error("no more")) }), { message: "no more" });
      assert.equal(reader.bufferedLength, 16);
    });

    it("rejects a wrong time-out and a wrong signal, and consumes nothing", async () => {
      for (const options of [{ timeout: -1 }, { timeout: 0.5 }, { timeout: "1" }, { timeout: 2 ** 31 }, { signal: {} }, { signal: 5 }]) {
        const reader = readerWithData();
        await assert.rejects(call(reader, options), { code: /^ERR_/ });
        assert.equal(reader.bufferedLength, 16);
      }
    });

    it("settles if a getter of the options has taken the data", async () => {
      const reader = readerWithData();
      const taking = {
        get timeout(): number {
          reader.read(100).catch(() => {});
          return 1000;
        },
      };
      const settled = Promise.allSettled([call(reader, taking)]);
      reader.feedEof();
      await settled;
      assert.equal(reader.bufferedLength, 0);
    });
  });
}

describe("readline and readuntil with the message at hand", () => {
  it("reject a wrong limit, and consume nothing", async () => {
    for (const limit of [0, -1, 1.5, "9"]) {
      const reader = readerWithData();
      await assert.rejects(reader.readline({ limit: limit as number }), { code: /^ERR_/ });
      await assert.rejects(reader.readuntil("\r\n", { limit: limit as number }), { code: /^ERR_/ });
      assert.equal(reader.bufferedLength, 16);
    }
  });

  it("reject a keepSeparator that is not a boolean, and consume nothing", async () => {
    const reader = readerWithData();
    await assert.rejects(reader.readuntil("\r\n", { keepSeparator: 1 as never }), { code: "ERR_INVALID_ARG_TYPE" });
    assert.equal(reader.bufferedLength, 16);
  });

  it("reject if a getter of the options throws", async () => {
    const reader = readerWithData();
    const throwing = (name: string): object => Object.defineProperty({}, name, { get: () => assert.fail("a getter that throws") });
    for (const name of ["signal", "timeout", "limit", "keepSeparator"]) {
      await assert.rejects(reader.readuntil("\r\n", throwing(name)), { message: "a getter that throws" });
      if (name !== "keepSeparator") await assert.rejects(reader.readline(throwing(name)), { message: "a getter that throws" });
    }
    assert.equal(reader.bufferedLength, 16);
  });
});
