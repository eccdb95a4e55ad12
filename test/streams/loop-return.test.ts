/** Leaving a loop while its next step waits: `return()` by the program, or by a stream that is made from the iterator. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { describe, it } from "node:test";
import { StreamReader } from "asyncio-streams";
import { contentLength, delimited, type FrameCodec, frameBatches, frames, lengthPrefixed, ndjson } from "asyncio-streams/framing";
import { connectedStreams } from "../support/readers.js";
import { turns } from "../support/turns.js";

/** A codec of a program, which reads in two steps and puts back the header if the second fails. */
const ownCodec: Pick<FrameCodec<Buffer, never>, "readFrame"> = {
  async readFrame(reader) {
    const head = await reader.readexactly(1);
    try {
      return Buffer.concat([head, await reader.readline()]);
    } catch (error) {
      reader.unread(head);
      throw error;
    }
  },
};

const loops: Readonly<Record<string, (reader: StreamReader) => AsyncIterator<unknown>>> = {
  "for await": (reader) => reader[Symbol.asyncIterator](),
  "lines()": (reader) => reader.lines(),
  "lines() of text": (reader) => reader.lines({ encoding: "utf8" }),
  "lines() with a time-out": (reader) => reader.lines({ timeout: 60_000 }),
  "lines() with a signal": (reader) => reader.lines({ signal: new AbortController().signal }),
  "lineBatches()": (reader) => reader.lineBatches(),
  "frames()": (reader) => frames(reader, delimited("\n")),
  "frames() with a time-out": (reader) => frames(reader, lengthPrefixed(), { timeout: 60_000 }),
  "frames() of ndjson()": (reader) => frames(reader, ndjson()),
  "frames() of contentLength()": (reader) => frames(reader, contentLength()),
  "frames() of another codec": (reader) => frames(reader, ownCodec),
  "frameBatches()": (reader) => frameBatches(reader, delimited("\n")),
  "frameBatches() of another codec": (reader) => frameBatches(reader, ownCodec),
};

/** Loops that take whatever arrives. */
const greedy: Readonly<Record<string, (reader: StreamReader) => AsyncIterator<unknown>>> = {
  "chunks()": (reader) => reader.chunks(),
  "chunks() with a time-out": (reader) => reader.chunks(10, { timeout: 60_000 }),
};

const DONE = { done: true, value: undefined };

for (const [name, loop] of Object.entries({ ...loops, ...greedy })) {
  describe(`a loop that is left while it waits: ${name}`, () => {
    it("ends a step that waits, and leaves the reader to the next read", async () => {
      const reader = new StreamReader();
      const iterator = loop(reader);
      const step = iterator.next();
      await turns(2);
      assert.deepEqual(await iterator.return?.(), DONE);
      assert.deepEqual(await step, DONE);
      const line = reader.readline();
      reader.feedData("important\n");
      assert.equal(String(await line), "important\n");
    });

    it("takes nothing of what arrives in the same turn", async () => {
      const reader = new StreamReader();
      const iterator = loop(reader);
      const step = iterator.next();
      await turns(2);
      const returned = iterator.return?.();
      reader.feedData("important\n");
      assert.deepEqual([await returned, await step], [DONE, DONE]);
      assert.equal(String(await reader.readline()), "important\n");
    });

    it("ends the waits of a stream made from it", async () => {
      const reader = new StreamReader();
      const readable = Readable.from({ [Symbol.asyncIterator]: () => loop(reader) }, { objectMode: true }).on("data", () => {});
      await turns(2);
      readable.destroy();
      await turns(2);
      const second = StreamReader.from({ [Symbol.asyncIterator]: () => loop(reader) } as AsyncIterable<Buffer>);
      await turns(2);
      await second.cancel();
      const line = reader.readline();
      reader.feedData("important\n");
      assert.equal(String(await line), "important\n");
    });
  });
}

for (const [name, loop] of Object.entries(loops)) {
  describe(`a loop that is left while it waits, with a part of its message: ${name}`, () => {
    it("leaves the part in the reader", async () => {
      const reader = new StreamReader();
      const iterator = loop(reader);
      const step = iterator.next();
      reader.feedData("\0\0");
      await turns(2);
      await iterator.return?.();
      assert.deepEqual(await step, DONE);
      assert.equal(reader.bufferedLength, 2);
    });
  });
}

describe("return() of a loop over frames whose frame is longer than the buffer", () => {
  it("lets the transport pause", async () => {
    const { reader, protocol, transport } = connectedStreams({ limit: 8 });
    const iterator = frames(reader, lengthPrefixed());
    const step = iterator.next();
    protocol.dataReceived(Buffer.concat([Buffer.from([0, 0, 1, 0]), Buffer.alloc(100)]));
    await turns(2);
    assert.deepEqual(transport.calls, []);
    await iterator.return?.();
    assert.deepEqual(await step, DONE);
    assert.deepEqual(transport.calls, ["pauseReading"]);
    assert.equal(reader.bufferedLength, 104);
  });
});

describe("return() of a loop that does not wait", () => {
  it("leaves the read of another caller alone", async () => {
    for (const loop of Object.values({ ...loops, ...greedy })) {
      const reader = new StreamReader();
      const line = reader.readline();
      assert.deepEqual(await loop(reader).return?.(), DONE);
      reader.feedData("line\n");
      assert.equal(String(await line), "line\n");
    }
  });
});

describe("a step of a codec of the program", () => {
  it("still throws its errors", async () => {
    const reader = new StreamReader();
    const step = frames(reader, ownCodec).next();
    reader.feedEof();
    await assert.rejects(step, { name: "IncompleteReadError" });
  });

  it("is done when the loop is left while it waits for something else", async () => {
    let resolve!: (frame: null) => void;
    const reader = new StreamReader();
    const iterator = frames(reader, { readFrame: () => new Promise((done) => (resolve = done)) });
    const step = iterator.next();
    assert.deepEqual(await iterator.return?.(), DONE);
    resolve(null);
    assert.deepEqual(await step, DONE);
  });
});
