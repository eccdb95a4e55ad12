/** What holds for every codec. */
import "../support/leak-guard.js";
import "../property/seed.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StreamReader, type StreamWriter } from "asyncio-streams";
import {
  contentLength,
  delimited,
  type FrameCodec,
  Framed,
  FrameTooLargeError,
  frames,
  type LengthPrefixedOptions,
  lengthPrefixed,
  ndjson,
  netstring,
} from "asyncio-streams/framing";
import * as fc from "fast-check";
import { detachedView } from "../support/detached.js";
import { withoutMemory } from "../support/memory.js";
import { connectedStreams, endedReaderOf, readerOf, rest } from "../support/readers.js";
import { isSettled, microtasks } from "../support/turns.js";
import { watchedController } from "../support/watched-signal.js";
import { collectingWriter, encode } from "./written.js";

/** A codec of text, whatever it is made of. */
type TextCodec = FrameCodec<Buffer | string, string>;

const prefixes: readonly LengthPrefixedOptions[] = [
  { prefix: 1 },
  { prefix: 2 },
  { prefix: 3 },
  { prefix: 4 },
  { prefix: 8 },
  { prefix: 2, endian: "little" },
  { prefix: 4, endian: "little" },
  { prefix: 8, endian: "little" },
  { prefix: "varint" },
];

/** Each codec, made with a maximum if there is one. */
const codecs: readonly { readonly name: string; readonly make: (maxFrameSize?: number) => TextCodec }[] = [
  ...prefixes.map((options) => ({
    name: `lengthPrefixed(${JSON.stringify(options)})`,
    make: (maxFrameSize?: number): TextCodec => lengthPrefixed({ ...options, maxFrameSize }),
  })),
  { name: "netstring()", make: (maxFrameSize) => netstring({ maxFrameSize }) },
  { name: 'delimited("\\n")', make: (maxFrameSize) => delimited("\n", { maxFrameSize }) },
  { name: 'delimited("\\r\\n--")', make: (maxFrameSize) => delimited("\r\n--", { maxFrameSize }) },
  { name: "ndjson()", make: (maxFrameSize) => ndjson<string>({ maxFrameSize }) },
  { name: "contentLength()", make: (maxFrameSize) => contentLength<string>({ maxFrameSize }) },
  { name: 'contentLength({ body: "bytes" })', make: (maxFrameSize) => contentLength({ maxFrameSize, body: "bytes" }) },
];

for (const { name, make } of codecs) {
  const codec = make();
  const wire = encode(codec, "hello");
  const read = async (reader: StreamReader, one: TextCodec = codec): Promise<string | null> => {
    const frame = await one.readFrame(reader);
    return frame === null ? null : frame.toString();
  };

  describe(name, () => {
    it("reads what it writes, and null at the end, again and again", async () => {
      const reader = endedReaderOf([encode(codec, "one"), encode(codec, ""), encode(codec, "grün")]);
      assert.deepEqual([await read(reader), await read(reader), await read(reader)], ["one", "", "grün"]);
      assert.deepEqual([await read(reader), await read(reader)], [null, null]);
    });

    it("reads any frames, however they are cut (property)", async () => {
      const texts = fc.array(fc.string({ unit: fc.constantFrom("a", "€", "0", ",", "\t", "-"), maxLength: 60 }), { maxLength: 8 });
      const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 });
      const property = async (frames: readonly string[], sizes: readonly number[]): Promise<void> => {
        const bytes = Buffer.concat(frames.map((frame) => encode(codec, frame)));
        const reader = new StreamReader({ limit: 1 });
        const readAll = async (): Promise<(string | null)[]> => {
          const all: (string | null)[] = [];
          for (let index = 0; index <= frames.length; index += 1) all.push(await read(reader));
          return all;
        };
        const results = readAll();
        for (let at = 0, step = 0; at < bytes.length; step += 1) {
          const size = sizes[step % sizes.length] as number;
          reader.feedData(bytes.subarray(at, at + size));
          at += size;
          if (step % 3 === 0) await microtasks(4);
        }
        reader.feedEof();
        assert.deepEqual(await results, [...frames, null]);
      };
      await fc.assert(fc.asyncProperty(texts, cuts, property), { numRuns: 60 });
    });

    it("throws IncompleteReadError with the partial bytes at an end anywhere inside a frame", async () => {
      for (let cut = 1; cut < wire.length; cut += 1) {
        const partial = wire.subarray(0, cut);
        const reader = endedReaderOf([partial]);
        await assert.rejects(read(reader), { code: "ERR_INCOMPLETE_READ", partial: Buffer.from(partial) }, `cut at ${cut}`);
        assert.equal(reader.atEof(), true);
        assert.equal(await read(reader), null);
      }
    });

    it("consumes nothing when aborted, wherever the frame is cut", async () => {
      for (let cut = 0; cut < wire.length; cut += 1) {
        const reader = readerOf([wire.subarray(0, cut)]);
        const controller = watchedController();
        const reason = new Error("enough");
        const frame = codec.readFrame(reader, { signal: controller.signal });
        assert.equal(await isSettled(frame), false, `cut at ${cut}`);
        controller.abort(reason);
        await assert.rejects(frame, (error) => error === reason);
        assert.equal(controller.listeners(), 0);
        assert.equal(reader.bufferedLength, cut);
        reader.feedData(wire.subarray(cut));
        assert.equal(await read(reader), "hello");
      }
    });

    it("consumes nothing when aborted in the turn in which the rest comes, or before the call", async () => {
      const reader = readerOf([wire.subarray(0, 2)]);
      const controller = watchedController();
      const frame = codec.readFrame(reader, { signal: controller.signal });
      reader.feedData(wire.subarray(2));
      controller.abort();
      await assert.rejects(frame, { name: "AbortError" });
      await assert.rejects(codec.readFrame(reader, { signal: AbortSignal.abort() }), { name: "AbortError" });
      assert.equal(await rest(reader), wire.toString("latin1"));
    });

    it("lets no other read take bytes while it waits", async () => {
      const reader = readerOf([wire.subarray(0, 2)]);
      const frame = read(reader);
      await assert.rejects(reader.read(1), { code: "ERR_CONCURRENT_READ" });
      await assert.rejects(codec.readFrame(reader), { code: "ERR_CONCURRENT_READ" });
      reader.feedData(wire.subarray(2));
      assert.equal(await frame, "hello");
    });

    it("throws the error of a lost connection, between frames and inside one, and keeps the received bytes", async () => {
      for (const cut of [0, 2]) {
        const { reader, protocol } = connectedStreams();
        protocol.dataReceived(wire);
        if (cut > 0) protocol.dataReceived(Buffer.from(wire.subarray(0, cut)));
        protocol.connectionLost(new Error("lost"));
        assert.equal(await read(reader), "hello");
        await assert.rejects(read(reader), { message: "lost" });
        assert.equal(reader.bufferedLength, cut);
      }
    });

    it("throws the error of setException()", async () => {
      const reader = readerOf([wire]);
      const error = new Error("set");
      reader.setException(error);
      await assert.rejects(read(reader), (thrown) => thrown === error);
    });

    it("reads a frame that is far larger than the reader's limit, and keeps the transport going for it", async () => {
      const large = "x".repeat(200);
      const { reader, protocol, transport } = connectedStreams({ limit: 1 });
      const frame = read(reader);
      for (const byte of encode(codec, large)) protocol.dataReceived(Buffer.of(byte));
      assert.equal(await frame, large);
      assert.deepEqual(transport.calls.filter((call) => call === "pauseReading").length, 0);
    });

    it("reads and writes a frame of the maximum, and refuses one more byte, both ways", async () => {
      const quotes = name === "ndjson()" || name === "contentLength()" ? 2 : 0;
      const small = make(100);
      const fits = "x".repeat(100 - quotes);
      assert.equal(await read(endedReaderOf([encode(small, fits)]), small), fits);
      const tooLarge = { name: "FrameTooLargeError", code: "ERR_FRAME_TOO_LARGE", size: 101, maximum: 100 };
      assert.throws(() => encode(small, `${fits}x`), tooLarge);
      const reader = readerOf([encode(codec, `${fits}x`)]);
      const before = reader.bufferedLength;
      await assert.rejects(read(reader, small), tooLarge);
      await assert.rejects(read(reader, small), /101 bytes: the maximum is 100/);
      assert.equal(reader.bufferedLength, before, "nothing is consumed");
      assert.equal(await read(reader), `${fits}x`);
    });

    it("writes nothing of a frame that it refuses", () => {
      const { writer, written } = collectingWriter();
      assert.throws(() => make(3).writeFrame(writer, "abcdef"), FrameTooLargeError);
      assert.equal(written().length, 0);
    });

    for (const maxFrameSize of [0, -1, 1.5, Number.NaN, 2 ** 53]) {
      it(`refuses a maximum of ${maxFrameSize}`, () => {
        assert.throws(() => make(maxFrameSize), { name: "RangeError", code: "ERR_OUT_OF_RANGE" });
      });
    }

    it("refuses anything but a StreamReader and a StreamWriter", async () => {
      const wrong = { name: "TypeError", code: "ERR_INVALID_ARG_TYPE" };
      for (const other of [undefined, null, {}, new Uint8Array(1)]) {
        await assert.rejects(codec.readFrame(other as StreamReader), wrong);
        assert.throws(() => codec.writeFrame(other as StreamWriter, "a"), wrong);
      }
      await assert.rejects(codec.readFrame(new StreamReader(), 5 as unknown as object), wrong);
    });

    it("works on many readers at a time", async () => {
      const readers = Array.from({ length: 10 }, () => new StreamReader());
      const frames = readers.map((reader) => read(reader));
      for (const byte of wire) for (const reader of readers) reader.feedData(Uint8Array.of(byte));
      assert.deepEqual(
        await Promise.all(frames),
        readers.map(() => "hello"),
      );
    });
  });
}

describe("the codecs of bytes", () => {
  const contents = {
    "contentLength of bytes": () => contentLength({ body: "bytes" }),
    "contentLength of base64": () => contentLength({ body: "base64" }),
  };
  const makers = { lengthPrefixed: () => lengthPrefixed(), netstring: () => netstring(), delimited: () => delimited("\0"), ...contents };
  for (const [name, make] of Object.entries(makers)) {
    it(`write bytes as they are, and read them into a Buffer: ${name}`, async () => {
      const bytes = Uint8Array.of(1, 255, 128, 10);
      const frame: Buffer | null = await make().readFrame(endedReaderOf([encode(make(), bytes)]));
      assert.deepEqual(frame, Buffer.from(bytes));
    });

    it(`refuse values that are neither bytes nor text, and detached bytes: ${name}`, () => {
      for (const frame of [undefined, null, 5, [1], new ArrayBuffer(2), {}, detachedView()]) {
        assert.throws(() => encode(make(), frame as Uint8Array), { name: "TypeError", code: "ERR_INVALID_ARG_TYPE" });
      }
    });
  }
});

/** The codecs that announce the size of a frame. */
const counted: Readonly<Record<string, FrameCodec<Buffer, string | Uint8Array>>> = {
  "lengthPrefixed()": lengthPrefixed(),
  "lengthPrefixed() with a varint": lengthPrefixed({ prefix: "varint" }),
  "netstring()": netstring(),
  "contentLength()": contentLength({ body: "bytes" }),
};

for (const [name, codec] of Object.entries(counted)) {
  describe(`a frame of ${name}`, () => {
    it("stays in the reader with its header if there is no memory for it", async () => {
      const wire = encode(codec, "ab".repeat(1500));
      const reader = readerOf([...wire.subarray(0, 20)].map((byte) => Uint8Array.of(byte)));
      reader.feedData(wire.subarray(20));
      {
        using _lack = withoutMemory();
        await assert.rejects(codec.readFrame(reader), { code: "ENOMEM" });
      }
      assert.equal(reader.bufferedLength, wire.length);
      assert.equal(String(await codec.readFrame(reader)), "ab".repeat(1500));
    });

    const reads: Readonly<Record<string, (reader: StreamReader) => Promise<Buffer | null | undefined>>> = {
      "readFrame()": (reader) => codec.readFrame(reader),
      "frames()": async (reader) => (await frames(reader, codec)[Symbol.asyncIterator]().next()).value,
      "readFrames()": async (reader) => (await new Framed(reader, collectingWriter().writer, codec).readFrames())[0],
    };
    for (const [call, read] of Object.entries(reads)) {
      it(`is received in its own memory by ${call}, once a quarter of it has come`, async () => {
        const { reader, protocol } = connectedStreams();
        const body = Buffer.alloc(200_000, "body");
        const wire = encode(codec, body);
        const frame = read(reader);
        protocol.dataReceived(Buffer.from(wire.subarray(0, 40_000)));
        await microtasks(10);
        assert.equal(protocol["asyncio-streams:nextMemory"](), null);
        protocol.dataReceived(Buffer.from(wire.subarray(40_000, 60_000)));
        await microtasks(10);
        const memory = protocol["asyncio-streams:nextMemory"]();
        assert.equal(memory?.length, wire.length - 60_000);
        memory.set(wire.subarray(60_000));
        protocol.dataReceived(memory);
        const received = await frame;
        assert.ok(received?.equals(body));
        assert.equal(received?.buffer, memory.buffer);
      });
    }
  });
}
