import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { createInterface } from "node:readline";
import { PassThrough } from "node:stream";
import { pipeline } from "node:stream/promises";
import { describe, it } from "node:test";
import { connectedStreams, endedReaderOf, readerOf, text } from "../support/readers.js";
import { turns, until } from "../support/turns.js";
import { closed, gather } from "./ended.js";

describe("StreamReader.toReadable", () => {
  it("gives what the reader receives, and its end", async () => {
    const reader = readerOf(["one"]);
    const all = gather(reader.toReadable());
    await turns(3);
    reader.feedData("two");
    await turns(3);
    reader.feedEof();
    assert.equal(await all, "onetwo");
  });

  it("works in a pipeline and under node:readline", async () => {
    const through = new PassThrough();
    const piped = pipeline(endedReaderOf(["abc"]).toReadable(), through);
    assert.equal(await gather(through), "abc");
    await piped;
    const lines: string[] = [];
    for await (const line of createInterface({ input: endedReaderOf(["one\ntwo\n"]).toReadable() })) lines.push(line);
    assert.deepEqual(lines, ["one", "two"]);
  });

  it("slows the peer while it is not read, and goes on when it is", async () => {
    const { reader, protocol, transport } = connectedStreams({ limit: 1000 });
    const readable = reader.toReadable({ highWaterMark: 1000 });
    readable.read(0);
    for (let index = 0; index < 50; index += 1) {
      protocol.dataReceived(Buffer.alloc(100));
      await turns(1);
    }
    assert.deepEqual(transport.calls, ["pauseReading"]);
    assert.ok(readable.readableLength >= 1000 && readable.readableLength < 1200, String(readable.readableLength));
    protocol.eofReceived();
    assert.equal((await gather(readable)).length, 5000);
    assert.equal(transport.calls.at(-1), "resumeReading");
  });

  it("is destroyed with the reader's error, after the data that came before", async () => {
    const { reader, protocol } = connectedStreams();
    const lost = new Error("lost");
    protocol.dataReceived(Buffer.from("abc"));
    protocol.connectionLost(lost);
    const readable = reader.toReadable();
    const seen: string[] = [];
    readable.on("data", (chunk: Buffer) => seen.push(String(chunk)));
    assert.equal(await closed(readable), lost);
    assert.deepEqual(seen, ["abc"]);
  });

  it("gives the reader back when it is destroyed while it waits, and no bytes are lost", async () => {
    const reader = readerOf([]);
    const readable = reader.toReadable();
    readable.on("data", () => assert.fail("there is no data"));
    await turns(2);
    readable.destroy();
    assert.equal(await closed(readable), null);
    reader.feedData("abc");
    assert.equal(await text(reader.read(3)), "abc");
  });

  it("gives back the data of the turn in which it is destroyed", async () => {
    const reader = readerOf([]);
    const readable = reader.toReadable();
    readable.resume();
    await turns(2);
    reader.feedData("abc");
    await Promise.resolve(); // the read has its data, and has not told
    readable.destroy();
    await closed(readable);
    assert.equal(await text(reader.read(3)), "abc");
  });

  it("emits the error that it is destroyed with", async () => {
    const readable = readerOf([]).toReadable();
    const error = new Error("enough");
    readable.destroy(error);
    assert.equal(await closed(readable), error);
  });

  it("fails while another read waits", async () => {
    const reader = readerOf([]);
    const line = reader.readline();
    const readable = reader.toReadable();
    readable.resume();
    assert.equal(((await closed(readable)) as { code?: string } | null)?.code, "ERR_CONCURRENT_READ");
    reader.feedEof();
    await line;
  });

  it("carries megabytes", async () => {
    const reader = readerOf([]);
    const all = gather(reader.toReadable());
    for (let index = 0; index < 64; index += 1) {
      reader.feedData(Buffer.alloc(65_536, 97 + (index % 26)));
      if (index % 4 === 0) await until(() => reader.bufferedLength < 65_536);
    }
    reader.feedEof();
    assert.equal((await all).length, 64 * 65_536);
  });

  it("refuses wrong options", () => {
    assert.throws(() => readerOf([]).toReadable({ highWaterMark: -1 }), { code: "ERR_OUT_OF_RANGE" });
    assert.throws(() => readerOf([]).toReadable(5 as unknown as object), { code: "ERR_INVALID_ARG_TYPE" });
  });
});
