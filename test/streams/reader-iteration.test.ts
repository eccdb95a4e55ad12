import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StreamReader } from "asyncio-streams";
import { connectedStreams, endedReaderOf, readerOf, rest, text } from "../support/readers.js";
import { isSettled } from "../support/turns.js";

describe("iterating over a StreamReader", () => {
  it("gives the lines with their newlines, the last without if it has none", async () => {
    const lines: string[] = [];
    for await (const line of endedReaderOf(["one\ntwo\n", "\nlast"])) lines.push(line.toString());
    assert.deepEqual(lines, ["one\n", "two\n", "\n", "last"]);
  });

  it("gives nothing if the stream ends at once", async () => {
    for await (const line of endedReaderOf([])) assert.fail(`a line: ${line.toString()}`);
  });

  it("waits for lines that are still to come", async () => {
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

  it("takes nothing with it when the loop is left", async () => {
    const reader = readerOf(["one\ntwo\nthree"]);
    for await (const line of reader) {
      assert.equal(line.toString(), "one\n");
      break;
    }
    for await (const line of reader) {
      assert.equal(line.toString(), "two\n");
      break;
    }
    assert.equal(await rest(reader), "three");
  });

  it("can be mixed with other reads inside the loop", async () => {
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

  it("throws for a line over the limit, and can go on after it", async () => {
    const iterator = endedReaderOf(["123456\nok\n"], { limit: 5 })[Symbol.asyncIterator]();
    await assert.rejects(iterator.next(), { code: "ERR_LINE_TOO_LONG", consumed: 7 });
    assert.deepEqual(await iterator.next(), { done: false, value: Buffer.from("ok\n") });
    assert.deepEqual(await iterator.next(), { done: true, value: undefined });
  });

  it("throws the error of a lost connection after the whole lines", async () => {
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

  it("is a read like others: no second one may wait beside it", async () => {
    const reader = new StreamReader();
    const next = reader[Symbol.asyncIterator]().next();
    await assert.rejects(reader.readline(), { code: "ERR_CONCURRENT_READ" });
    await assert.rejects(reader[Symbol.asyncIterator]().next(), { code: "ERR_CONCURRENT_READ" });
    reader.feedData("a\n");
    assert.deepEqual(await next, { done: false, value: Buffer.from("a\n") });
  });
});
