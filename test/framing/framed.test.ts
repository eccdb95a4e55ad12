import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { SignalOptions, StreamReader, StreamWriter } from "asyncio-streams";
import { type FrameCodec, Framed, frames, lengthPrefixed, ndjson } from "asyncio-streams/framing";
import { kinds, openPair } from "../support/pairs.js";
import { endedReaderOf, readerOf, rest, text } from "../support/readers.js";
import { until } from "../support/turns.js";
import { watchedController } from "../support/watched-signal.js";
import { collectingWriter, encode } from "./written.js";

/** A codec by hand: numbers in decimal, each behind a `#`. */
const decimal: FrameCodec<number> = {
  async readFrame(reader: StreamReader, options?: SignalOptions): Promise<number | null> {
    if ((await reader.peek(1, options)).length === 0) return null;
    return Number((await reader.readuntil("#", { ...options, keepSeparator: false })).toString());
  },
  writeFrame(writer: StreamWriter, value: number): void {
    writer.write(`${value}#`);
  },
};

describe("frames", () => {
  it("gives the frames until the end", async () => {
    const values: number[] = [];
    for await (const value of frames(endedReaderOf(["1#2#3#"]), decimal)) values.push(value);
    assert.deepEqual(values, [1, 2, 3]);
  });

  it("leaves the reader usable behind the last frame after a break", async () => {
    const reader = endedReaderOf(["1#2#3#rest"]);
    for await (const value of frames(reader, decimal)) if (value === 2) break;
    assert.equal(await decimal.readFrame(reader), 3);
    assert.equal(await text(reader.read()), "rest");
  });

  it("uses one signal for all frames", async () => {
    const codec = lengthPrefixed();
    const reader = readerOf([encode(codec, "one"), encode(codec, "two").subarray(0, 5)]);
    const controller = watchedController();
    const iteration = frames(reader, codec, { signal: controller.signal });
    assert.equal(String((await iteration.next()).value), "one");
    const next = iteration.next();
    controller.abort();
    await assert.rejects(next, { name: "AbortError" });
    assert.equal(controller.listeners(), 0);
    assert.equal(await rest(reader), "\0\0\0\x03t");
  });

  it("throws the codec's error", async () => {
    await assert.rejects(frames(endedReaderOf(["\0\0"]), lengthPrefixed()).next(), { code: "ERR_INCOMPLETE_READ" });
  });

  it("refuses a value that is not a reader, and a number as options, at once", () => {
    const wrong = { name: "TypeError", code: "ERR_INVALID_ARG_TYPE" };
    for (const reader of [undefined, null, {}, 5]) assert.throws(() => frames(reader as unknown as StreamReader, decimal), wrong);
    for (const options of [5, null]) assert.throws(() => frames(endedReaderOf([]), decimal, options as unknown as object), wrong);
  });

  it("refuses a value that is not a codec, at once", () => {
    for (const codec of [undefined, null, {}, { readFrame: 5 }]) {
      assert.throws(() => frames(endedReaderOf([]), codec as unknown as typeof decimal), {
        name: "TypeError",
        code: "ERR_INVALID_ARG_TYPE",
      });
    }
  });
});

describe("Framed", () => {
  it("is a reader and a writer with their codec", async () => {
    const { writer, written } = collectingWriter();
    const reader = endedReaderOf(["1#2#3#"]);
    const connection = new Framed(reader, writer, decimal);
    assert.deepEqual([connection.reader, connection.writer, connection.codec], [reader, writer, decimal]);
    connection.writeFrame(12);
    connection.writeFrame(13);
    await connection.drain();
    assert.equal(written().toString(), "12#13#");
    assert.equal(await connection.readFrame(), 1);
    const values: number[] = [];
    for await (const value of connection) values.push(value);
    assert.deepEqual(values, [2, 3]);
    assert.equal(await connection.readFrame(), null);
  });

  it("passes the signal on", async () => {
    const { writer } = collectingWriter();
    const connection = new Framed(readerOf([]), writer, lengthPrefixed());
    const reason = new Error("enough");
    await assert.rejects(connection.readFrame({ signal: AbortSignal.abort(reason) }), (error) => error === reason);
    await assert.rejects(connection.drain({ signal: AbortSignal.abort(reason) }), (error) => error === reason);
  });

  it("refuses values that are not a reader or a writer", () => {
    const { writer } = collectingWriter();
    const wrong = { name: "TypeError", code: "ERR_INVALID_ARG_TYPE" };
    assert.throws(() => new Framed({} as StreamReader, writer, decimal), wrong);
    assert.throws(() => new Framed(readerOf([]), undefined as unknown as StreamWriter, decimal), wrong);
  });

  it("refuses a value that is not a codec", () => {
    const { writer } = collectingWriter();
    for (const codec of [undefined, { ...decimal, writeFrame: undefined }, { ...decimal, readFrame: "no" }]) {
      assert.throws(() => new Framed(readerOf([]), writer, codec as unknown as typeof decimal), { code: "ERR_INVALID_ARG_TYPE" });
    }
  });
});

for (const kind of kinds) {
  describe(`frames over ${kind.name}`, () => {
    it("carry a conversation with large frames", async () => {
      await using pair = await openPair(kind);
      const client = new Framed(pair.client.reader, pair.client.writer, lengthPrefixed());
      const peer = new Framed(pair.peer.reader, pair.peer.writer, lengthPrefixed());
      const serve = async (): Promise<void> => {
        for await (const frame of peer) {
          peer.writeFrame(frame);
          await peer.drain();
        }
        peer.writer.writeEof();
      };
      const served = serve();
      const sizes = [0, 1, 100, 70_000, 5_000_000, 3];
      for (const size of sizes) client.writeFrame(Buffer.alloc(size, size % 256));
      client.writer.writeEof();
      for (const size of sizes) assert.ok((await client.readFrame())?.equals(Buffer.alloc(size, size % 256)));
      assert.equal(await client.readFrame(), null);
      await served;
    });

    it("end with null, not an error, at the server's shutdown between two frames", async () => {
      await using pair = await openPair(kind);
      const codec = ndjson<number>();
      pair.client.writer.write("1\n2");
      assert.equal(await codec.readFrame(pair.peer.reader), 1);
      await until(() => pair.peer.reader.bufferedLength === 1);
      const ended = pair.server.shutdown({ graceMs: 60_000 });
      const half = codec.readFrame(pair.peer.reader); // a part of it has come: it is waited for
      pair.client.writer.write("\n");
      assert.equal(await half, 2);
      assert.equal(await codec.readFrame(pair.peer.reader), null);
      pair.peer.writer.close();
      pair.client.writer.close();
      await ended;
    });

    it("are dropped after close(), where drain() rejects, and refused after writeEof()", async () => {
      await using pair = await openPair(kind);
      const codec = lengthPrefixed();
      pair.client.writer.writeEof();
      assert.throws(() => codec.writeFrame(pair.client.writer, "a"), { code: "ERR_INVALID_STATE" });
      pair.peer.writer.close();
      await pair.peer.writer.waitClosed();
      codec.writeFrame(pair.peer.writer, "a");
      await assert.rejects(pair.peer.writer.drain(), { code: "ECONNRESET" });
      assert.equal(await codec.readFrame(pair.peer.reader), null);
    });
  });
}
