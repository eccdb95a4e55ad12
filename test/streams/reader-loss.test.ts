import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { StreamReader } from "asyncio-streams";
import { connectedStreams, text } from "../support/readers.js";

const LOST = Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });

/** A reader that has received this before its connection was lost. */
function lostReader(received: string, limit?: number): StreamReader {
  const { reader, protocol } = connectedStreams({ limit });
  if (received !== "") protocol.dataReceived(Buffer.from(received));
  protocol.connectionLost(LOST);
  return reader;
}

async function rejectsWithLoss(result: Promise<unknown>): Promise<void> {
  await assert.rejects(result, (thrown) => thrown === LOST);
}

describe("a StreamReader whose connection was lost", () => {
  it("has the error as its exception, and is not at EOF", () => {
    const reader = lostReader("");
    assert.equal(reader.exception(), LOST);
    assert.equal(reader.atEof(), false);
  });

  it("gives the received bytes first, then the error, again and again", async () => {
    const reader = lostReader("one\ntwo;threefour");
    assert.equal(await text(reader.readline()), "one\n");
    assert.equal(await text(reader.readuntil(";")), "two;");
    assert.equal(await text(reader.readexactly(5)), "three");
    assert.equal(await text(reader.read(100)), "four");
    for (let time = 0; time < 3; time += 1) await rejectsWithLoss(reader.read(100));
    await rejectsWithLoss(reader.readline());
    await rejectsWithLoss(reader.readexactly(1));
    await rejectsWithLoss(reader.readuntil());
    await rejectsWithLoss(reader.read());
    await rejectsWithLoss(reader[Symbol.asyncIterator]().next());
  });

  for (const [name, call] of [
    ["readline()", (reader: StreamReader) => reader.readline()],
    ["readexactly(9)", (reader: StreamReader) => reader.readexactly(9)],
    ["readuntil(;)", (reader: StreamReader) => reader.readuntil(";")],
    ["read()", (reader: StreamReader) => reader.read()],
    ["next()", (reader: StreamReader) => reader[Symbol.asyncIterator]().next()],
  ] as const) {
    it(`throws the error from ${name} for an incomplete message, and keeps its bytes`, async () => {
      const reader = lostReader("partial");
      await rejectsWithLoss(call(reader));
      await rejectsWithLoss(call(reader));
      assert.equal(await text(reader.read(100)), "partial");
      await rejectsWithLoss(reader.read(1));
    });

    it(`rejects a ${name} that waits, and keeps its bytes`, async () => {
      const { reader, protocol } = connectedStreams();
      protocol.dataReceived(Buffer.from("par"));
      const waiting = call(reader);
      protocol.dataReceived(Buffer.from("tial"));
      protocol.connectionLost(LOST);
      await rejectsWithLoss(waiting);
      assert.equal(await text(reader.read(100)), "partial");
    });
  }

  it("still keeps to the limit", async () => {
    const reader = lostReader("123456\n123456", 5);
    await assert.rejects(reader.readuntil(), { code: "ERR_LIMIT_OVERRUN", consumed: 6 });
    await assert.rejects(reader.readline(), { code: "ERR_LINE_TOO_LONG", consumed: 7 });
    await assert.rejects(reader.readline(), { code: "ERR_LINE_TOO_LONG", consumed: 6 });
    await rejectsWithLoss(reader.readline());
  });

  it("is at an orderly end if the peer had ended its side before", async () => {
    const { reader, protocol } = connectedStreams();
    protocol.dataReceived(Buffer.from("one\ntwo"));
    protocol.eofReceived();
    protocol.connectionLost(LOST);
    assert.equal(await text(reader.readline()), "one\n");
    await assert.rejects(reader.readexactly(5), { code: "ERR_INCOMPLETE_READ", partial: Buffer.from("two") });
    assert.equal(await text(reader.read()), "");
    assert.equal(reader.atEof(), true);
    assert.equal(reader.exception(), LOST);
  });
});
