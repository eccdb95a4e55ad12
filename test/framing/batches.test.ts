import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StreamReader } from "asyncio-streams";
import {
  contentLength,
  type FrameCodec,
  Framed,
  FrameTooLargeError,
  frameBatches,
  frames,
  InvalidFrameError,
  lengthPrefixed,
  ndjson,
  netstring,
} from "asyncio-streams/framing";
import { endedReaderOf, readerOf, rest } from "../support/readers.js";
import { turns } from "../support/turns.js";
import { collectingWriter } from "./written.js";

function framed<Read>(reader: StreamReader, codec: FrameCodec<Read, never>): Framed<Read, never> {
  return new Framed(reader, collectingWriter().writer, codec);
}

/** A codec of the program, on top of another one. */
const shouted: FrameCodec<string> = {
  async readFrame(reader, options) {
    const frame = await netstring().readFrame(reader, options);
    return frame === null ? null : frame.toString().toUpperCase();
  },
  writeFrame: (writer, frame) => netstring().writeFrame(writer, frame),
};

describe("readFrames", () => {
  it("returns all frames that have arrived, and leaves the beginning of the next one", async () => {
    const reader = readerOf(["1:a,1:b,1:"]);
    assert.deepEqual((await framed(reader, netstring()).readFrames()).map(String), ["a", "b"]);
    assert.equal(reader.bufferedLength, 2);
  });

  it("waits for the first frame only", async () => {
    const reader = readerOf(["3:a"]);
    const batch = framed(reader, netstring()).readFrames();
    await turns();
    reader.feedData("bc,1:");
    assert.deepEqual((await batch).map(String), ["abc"]);
  });

  it("returns frames that span chunks with the others", async () => {
    const long = "x".repeat(1500);
    const reader = readerOf([`1:a,1500:${long}`, `,1:b,1500:${long},1`, ":c,"]);
    assert.deepEqual(
      (await framed(reader, netstring()).readFrames()).map((frame) => frame.length),
      [1, 1500, 1, 1500, 1],
    );
  });

  it("returns an empty array at the end of the stream, again and again", async () => {
    const connection = framed(endedReaderOf(["1:a,"]), netstring());
    assert.equal((await connection.readFrames()).length, 1);
    for (let call = 0; call < 2; call += 1) assert.deepEqual(await connection.readFrames(), []);
  });

  it("returns the frames in front of an invalid one, and then its error, which consumes nothing", async () => {
    const reader = readerOf(["1:a,1:b,01:c,"]);
    const connection = framed(reader, netstring());
    assert.equal((await connection.readFrames()).length, 2);
    for (let call = 0; call < 2; call += 1) await assert.rejects(connection.readFrames(), { name: "InvalidFrameError", offset: 8 });
    assert.equal(await rest(reader), "01:c,");
  });

  it("returns the frames in front of one that is too large, and then its error", async () => {
    const connection = framed(readerOf(["1:a,10:0123456789,"]), netstring({ maxFrameSize: 9 }));
    assert.equal((await connection.readFrames()).length, 1);
    await assert.rejects(connection.readFrames(), FrameTooLargeError);
  });

  it("leaves a broken JSON line for the next call, whatever it reads", async () => {
    const reader = readerOf(["1\n\n2\n{\n3\n"]);
    const connection = framed(reader, ndjson());
    assert.deepEqual(await connection.readFrames(), [1, 2]);
    assert.equal(String(await reader.peek(2)), "{\n");
    await assert.rejects(connection.readFrames(), { name: "InvalidFrameError", line: 4, offset: 5 });
    assert.deepEqual(await connection.readFrames(), [3]);
  });

  it("leaves a body that is not JSON for the next call", async () => {
    const reader = readerOf(["Content-Length: 1\r\n\r\n1Content-Length: 1\r\n\r\n2Content-Length: 1\r\n\r\n{Content-Length: 1\r\n\r\n3"]);
    const connection = framed(reader, contentLength());
    assert.deepEqual(await connection.readFrames(), [1, 2]);
    await assert.rejects(connection.readFrames(), InvalidFrameError);
    assert.deepEqual(await connection.readFrames(), [3]);
  });

  it("leaves an incomplete frame at the end of the stream for the next call", async () => {
    const connection = framed(endedReaderOf(["1:a,3:b"]), netstring());
    assert.equal((await connection.readFrames()).length, 1);
    await assert.rejects(connection.readFrames(), { name: "IncompleteReadError", partial: Buffer.from("3:b") });
  });

  it("consumes nothing if aborted, before and while it waits", async () => {
    const reader = readerOf(["1:a,3:b"]);
    const connection = framed(reader, netstring());
    await assert.rejects(connection.readFrames({ signal: AbortSignal.abort() }), { name: "AbortError" });
    assert.equal(reader.bufferedLength, 7);
    await connection.readFrames();
    const controller = new AbortController();
    const batch = connection.readFrames({ signal: controller.signal });
    controller.abort();
    await assert.rejects(batch, { name: "AbortError" });
    reader.feedData("cd,");
    assert.deepEqual((await connection.readFrames()).map(String), ["bcd"]);
  });

  it("is refused while another read waits, and refuses others while it waits", async () => {
    const reader = new StreamReader();
    const connection = framed(reader, netstring());
    const batch = connection.readFrames();
    await assert.rejects(connection.readFrames(), { name: "ConcurrentReadError" });
    await assert.rejects(reader.readline(), { name: "ConcurrentReadError" });
    reader.feedData("1:a,");
    assert.equal((await batch).length, 1);
  });

  it("asks a codec of the program for one frame", async () => {
    const connection = framed(endedReaderOf(["1:a,1:b,"]), shouted);
    assert.deepEqual(await connection.readFrames(), ["A"]);
    assert.deepEqual(await connection.readFrames(), ["B"]);
    assert.deepEqual(await connection.readFrames(), []);
  });
});

describe("frameBatches", () => {
  it("iterates over the frames until the end", async () => {
    const batches: unknown[][] = [];
    for await (const batch of framed(endedReaderOf(["1\n2\n"]), ndjson()).frameBatches()) batches.push(batch);
    assert.deepEqual(batches, [[1, 2]]);
  });

  it("asks a codec of the program for one frame at a time, and can be left", async () => {
    const reader = endedReaderOf(["1:a,1:b,1:c,"]);
    for await (const batch of frameBatches(reader, shouted)) if (batch[0] === "B") break;
    const batches: string[][] = [];
    for await (const batch of frameBatches(reader, shouted)) batches.push(batch);
    assert.deepEqual(batches, [["C"]]);
  });

  it("refuses a value that is not a reader or not a codec, at once", () => {
    const wrong = { name: "TypeError", code: "ERR_INVALID_ARG_TYPE" };
    assert.throws(() => frameBatches({} as StreamReader, netstring()), wrong);
    assert.throws(() => frameBatches(readerOf([]), {} as typeof shouted), wrong);
  });
});

describe("a copy of a codec with another readFrame()", () => {
  const copy: FrameCodec<string, never> = { ...netstring(), readFrame: (reader, options) => shouted.readFrame(reader, options) };

  it("reads with that method, one by one, in a loop and in batches", async () => {
    const reader = endedReaderOf(["1:a,1:b,1:c,"]);
    const connection = framed(reader, copy);
    assert.equal(await connection.readFrame(), "A");
    assert.deepEqual(await connection.readFrames(), ["B"]);
    for await (const frame of connection) assert.equal(frame, "C");
  });
});

describe("frames at hand", () => {
  it("let the event loop turn", async () => {
    const reader = endedReaderOf(["1:a,".repeat(5000)]);
    let turned = false;
    setImmediate(() => {
      turned = true;
    });
    for await (const _ of frames(reader, netstring())) if (turned) break;
    assert.ok(reader.bufferedLength > 0);
  });

  it("are refused while another read waits for the rest of the stream", async () => {
    const reader = readerOf(["1:a,"]);
    const waiting = reader.read();
    await assert.rejects(netstring().readFrame(reader), { name: "ConcurrentReadError" });
    await assert.rejects(frames(reader, netstring()).next(), { name: "ConcurrentReadError" });
    reader.feedEof();
    assert.equal(String(await waiting), "1:a,");
  });

  it("keep other reads away while a loop waits for the rest of one", async () => {
    const reader = readerOf(["2:a"]);
    const next = frames(reader, netstring()).next();
    await assert.rejects(reader.read(1), { name: "ConcurrentReadError" });
    reader.feedData("b,");
    assert.equal(String((await next).value), "ab");
  });

  it("reject with the error of the connection", async () => {
    const reader = readerOf(["1:a,"]);
    reader.setException(new Error("broken"));
    await assert.rejects(netstring().readFrame(reader), { message: "broken" });
    await assert.rejects(frames(reader, netstring()).next(), { message: "broken" });
  });

  for (const [name, codec] of Object.entries({ netstring: netstring(), lengthPrefixed: lengthPrefixed({ prefix: 1 }), ndjson: ndjson() })) {
    it(`reject if the program has detached their memory, and are not invented: ${name}`, async () => {
      const memory = new ArrayBuffer(2000);
      const bytes = Buffer.from(memory);
      bytes.fill(name === "netstring" ? "1:a," : name === "ndjson" ? "100\n" : "\x03abc");
      const reader = new StreamReader();
      reader.feedData(bytes);
      const iteration = frames<unknown>(reader, codec as FrameCodec<unknown, never>);
      assert.equal((await iteration.next()).done, false);
      structuredClone(memory, { transfer: [memory] });
      await assert.rejects(iteration.next(), { code: "ERR_MEMORY_DETACHED" });
      await assert.rejects(codec.readFrame(reader), { code: "ERR_MEMORY_DETACHED" });
    });
  }

  it("take bytes that are UTF-8, U+FFFD itself included, and refuse others", async () => {
    const lines = Array.from({ length: 200 }, (_, line) => Buffer.from(line === 150 ? '"\ufffd"\n' : `"${line}"\n`));
    lines[100] = Buffer.from([0x22, 0xff, 0x22, 0x0a]);
    const reader = endedReaderOf([Buffer.concat(lines)]);
    const values: unknown[] = [];
    for (let line = 0; line < 200; line += 1)
      values.push(
        await ndjson()
          .readFrame(reader)
          .catch((error: Error) => error.name),
      );
    assert.deepEqual(
      values,
      lines.map((_, line) => (line === 100 ? "InvalidFrameError" : line === 150 ? "\ufffd" : String(line))),
    );
  });
});
