/** Frames that are at hand, and batches of frames, against the same frames read one by one and byte by byte. */
import "../support/leak-guard.js";
import "./seed.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { StreamReader } from "asyncio-streams";
import {
  contentLength,
  delimited,
  type FrameCodec,
  Framed,
  frameBatches,
  frames,
  lengthPrefixed,
  ndjson,
  netstring,
} from "asyncio-streams/framing";
import * as fc from "fast-check";
import { collectingWriter, encode } from "../framing/written.js";

type AnyCodec = FrameCodec<unknown, never>;

const CODECS: Readonly<Record<string, (maxFrameSize: number) => AnyCodec>> = {
  "a byte": (maxFrameSize) => lengthPrefixed({ prefix: 1, maxFrameSize }),
  "four bytes": (maxFrameSize) => lengthPrefixed({ maxFrameSize }),
  "three bytes, little-endian": (maxFrameSize) => lengthPrefixed({ prefix: 3, endian: "little", maxFrameSize }),
  "eight bytes": (maxFrameSize) => lengthPrefixed({ prefix: 8, maxFrameSize }),
  varint: (maxFrameSize) => lengthPrefixed({ prefix: "varint", maxFrameSize }),
  netstring: (maxFrameSize) => netstring({ maxFrameSize }),
  "one delimiter": (maxFrameSize) => delimited(";", { maxFrameSize }),
  "a delimiter that overlaps itself": (maxFrameSize) => delimited(";;a;;", { maxFrameSize }),
  "a header": (maxFrameSize) =>
    lengthPrefixed({ headerSize: 4, lengthOffset: 1, prefix: 2, paddingOffset: 3, lengthAdjustment: -1, maxFrameSize }),
  ndjson: (maxFrameSize) => ndjson({ maxFrameSize }),
  "content-length": (maxFrameSize) => contentLength({ maxFrameSize }),
  base64: (maxFrameSize) => contentLength({ body: "base64", maxFrameSize }),
};

const text = fc.string({ unit: fc.constantFrom("a", ";", "\u00e4", "\ufffd", "\r", "0", ":"), maxLength: 60 });
const noise = fc.oneof(
  fc
    .constantFrom("\n", "\r\n", " \n", "null\n", "{\n", "\u00a0\n", ";", ";;a;;", "0", ",", "9:", "Content-Length: 2\r\n\r\n1}")
    .map((given) => Buffer.from(given as never)),
  fc
    .constantFrom([0xff, 0x0a], [0x22, 0xff, 0x22, 0x0a], [0xef, 0xbb, 0xbf, 0x31, 0x0a], [0, 0, 0, 2], [0x80, 0])
    .map((given) => Buffer.from(given as never)),
  fc.uint8Array({ maxLength: 5 }).map((bytes) => Buffer.from(bytes)),
);
/** What a stream is made of: a text to be framed, or bytes that are in no form. */
const pieces = fc.array(fc.oneof({ weight: 30, arbitrary: text }, { weight: 1, arbitrary: noise }), { minLength: 5, maxLength: 120 });
const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1100, max: 9000 })), { minLength: 1, maxLength: 6 });
const steps = fc.array(
  fc.oneof(
    { weight: 12, arbitrary: fc.constant("frame" as const) },
    { weight: 12, arbitrary: fc.constant("next" as const) },
    { weight: 4, arbitrary: fc.constant("batch" as const) },
    { weight: 4, arbitrary: fc.constant("next batch" as const) },
    { weight: 2, arbitrary: fc.constantFrom("aborted" as const, "read" as const, "unread" as const) },
  ),
  { minLength: 20, maxLength: 200 },
);

function streamOf(codec: AnyCodec, list: readonly (string | Buffer)[]): Buffer {
  const isJson = written(codec, {}) !== null;
  const parts = list.map((piece) => {
    if (typeof piece !== "string") return piece;
    return written(codec, isJson ? { text: piece } : piece) ?? Buffer.from(piece);
  });
  return Buffer.concat(parts);
}

/** Encodes a frame; `null` if the codec does not accept it. */
function written(codec: AnyCodec, frame: unknown): Buffer | null {
  try {
    return encode(codec, frame as never);
  } catch {
    return null;
  }
}

/** Shows what came of a call. */
function show(value: unknown): string {
  return Buffer.isBuffer(value) ? `bytes ${value.toString("hex")}` : JSON.stringify(value);
}

function showError(error: unknown): string {
  const { name, message, offset, line, partial } = error as Error & { offset?: number; line?: number | null; partial?: Buffer };
  return `${name} ${message} ${offset} ${line} ${partial?.toString("hex")}`;
}

class Failure {
  readonly shown: string;

  constructor(error: unknown) {
    this.shown = showError(error);
  }
}

/** Two readers of the same stream: one gets it in chunks, the other byte by byte, so that no frame lies in its first chunk. */
class Pair {
  readonly chunked: StreamReader = new StreamReader({ limit: 2 ** 24 });
  readonly bytewise: StreamReader = new StreamReader({ limit: 2 ** 24 });
  readonly #stream: Buffer;
  readonly #sizes: readonly number[];
  #fed = 0;
  #count = 0;
  hasEnded = false;

  constructor(stream: Buffer, chunkSizes: readonly number[]) {
    this.#stream = stream;
    this.#sizes = chunkSizes;
  }

  feed(): void {
    const size = this.#sizes[this.#count % this.#sizes.length] as number;
    this.#count += 1;
    const bytes = this.#stream.subarray(this.#fed, this.#fed + size);
    this.#fed += bytes.length;
    if (bytes.length > 0) {
      const chunk = Buffer.allocUnsafeSlow(bytes.length);
      bytes.copy(chunk);
      this.chunked.feedData(chunk);
      for (const byte of bytes) this.bytewise.feedData(Buffer.of(byte));
    } else if (!this.hasEnded) {
      this.hasEnded = true;
      this.chunked.feedEof();
      this.bytewise.feedEof();
    }
  }

  /** Waits for a call, and feeds both readers until it has an outcome. */
  async outcome(call: Promise<unknown>): Promise<unknown> {
    let isPending = true;
    const settled = call.then(
      (value) => {
        isPending = false;
        return value;
      },
      (error: unknown) => {
        isPending = false;
        return new Failure(error);
      },
    );
    for (await turn(); isPending; await turn()) this.feed();
    return await settled;
  }
}

async function compare(codec: AnyCodec, stream: Buffer, chunkSizes: readonly number[], walk: readonly string[]): Promise<void> {
  const pair = new Pair(stream, chunkSizes);
  const { chunked, bytewise } = pair;
  const framed = new Framed(chunked, collectingWriter().writer, codec);
  const iterator = frames(chunked, codec);
  const batches = frameBatches(chunked, codec);
  /** Reads the same frames from the other reader. */
  const expectSame = async (shown: readonly string[]): Promise<void> => {
    for (const one of shown) {
      const expected = await codec.readFrame(bytewise).then(show, showError);
      assert.equal(one, expected);
    }
  };
  for (const step of walk) {
    if (step === "aborted") {
      assert.match(((await pair.outcome(framed.readFrames({ signal: AbortSignal.abort() }))) as Failure).shown, /^AbortError/);
      assert.equal(chunked.bufferedLength, bytewise.bufferedLength);
    } else if (step === "read") {
      if (chunked.bufferedLength === 0) continue;
      assert.deepEqual(await chunked.readexactly(1), await bytewise.readexactly(1));
    } else if (step === "unread") {
      chunked.unread("1");
      bytewise.unread("1");
    } else {
      let outcome: unknown;
      if (step === "frame") outcome = await pair.outcome(codec.readFrame(chunked));
      else if (step === "batch") outcome = await pair.outcome(framed.readFrames());
      else outcome = await pair.outcome((step === "next" ? iterator : batches).next().then(({ value }) => value ?? null));
      const isBatch = step.endsWith("batch") && Array.isArray(outcome);
      if (outcome instanceof Failure) await expectSame([outcome.shown]);
      else
        await expectSame(
          isBatch && (outcome as unknown[]).length > 0 ? (outcome as unknown[]).map(show) : [show(isBatch ? null : outcome)],
        );
    }
    assert.equal(chunked.bufferedLength, bytewise.bufferedLength);
  }
}

describe("frames at hand, and batches", () => {
  for (const [name, makeCodec] of Object.entries(CODECS)) {
    it(`are those of regular reads, with the same errors: ${name}`, async () => {
      const property = fc.asyncProperty(pieces, sizes, steps, fc.constantFrom(50, 1000), async (list, chunkSizes, walk, maximum) => {
        await compare(makeCodec(maximum), streamOf(makeCodec(1000), list), chunkSizes, walk);
      });
      await fc.assert(property, { numRuns: 60 });
    });
  }
});

/** A line of JSON, of white space, or of something else. */
const line = fc.oneof(
  { weight: 20, arbitrary: fc.jsonValue().map((value) => Buffer.from(JSON.stringify(value))) },
  { weight: 4, arbitrary: fc.string({ unit: "grapheme", maxLength: 20 }).map((value) => Buffer.from(JSON.stringify(`${value}\ufffd`))) },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom("", "\r", " \t", "\u00a0", "\ufeff", "\ufeff1", " 2\r", "null", "[", "1 2")
      .map((value) => Buffer.from(value)),
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 4 }).map((bytes) => Buffer.from(bytes.filter((byte) => byte !== 0x0a))) },
);

/** What `ndjson()` has to read, in its plainest form. */
function expectedOf(lines: readonly Buffer[]): string[] {
  const utf8 = new TextDecoder("utf-8", { fatal: true });
  let offset = 0;
  return lines.flatMap((bytes, index) => {
    const from = offset;
    offset += bytes.length + 1;
    try {
      const decoded = utf8.decode(bytes);
      if (decoded.trim() === "") return [];
      const value: unknown = JSON.parse(decoded);
      if (value !== null) return [show(value)];
    } catch {
      // as below
    }
    return [`InvalidFrameError ${from} ${index + 1}`];
  });
}

describe("ndjson", () => {
  it("reads what decoding and parsing line by line reads, one by one, in a loop and in batches", async () => {
    const property = fc.asyncProperty(
      fc.array(line, { minLength: 1, maxLength: 300 }),
      sizes,
      fc.constantFrom("frame", "next", "batch"),
      async (lines, chunkSizes, way) => {
        const pair = new Pair(Buffer.concat(lines.flatMap((bytes) => [bytes, Buffer.from("\n")])), chunkSizes);
        while (!pair.hasEnded) pair.feed();
        const connection = new Framed(pair.chunked, collectingWriter().writer, ndjson());
        const read = async (): Promise<unknown[]> => {
          if (way === "batch") return await connection.readFrames();
          const value = way === "frame" ? await connection.readFrame() : (await connection[Symbol.asyncIterator]().next()).value;
          return value === null || value === undefined ? [] : [value];
        };
        const seen: string[] = [];
        for (;;) {
          try {
            const values = await read();
            if (values.length === 0) break;
            seen.push(...values.map(show));
          } catch (error) {
            const { name, offset, line: number } = error as Error & { offset: number; line: number };
            seen.push(`${name} ${offset} ${number}`);
          }
        }
        assert.deepEqual(seen, expectedOf(lines));
      },
    );
    await fc.assert(property, { numRuns: 200 });
  });
});

/** The sizes of bodies around the one up to which a frame is written in one piece. */
const bodySize = fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 1000, max: 1040 }), fc.constantFrom(4096, 70_000));

describe("frames that are written", () => {
  it("are the header and the body, as they are made by hand, whether joined or not", () => {
    const prefixed = lengthPrefixed();
    const strings = netstring();
    const property = fc.property(bodySize, fc.integer({ min: 0, max: 255 }), (size, byte) => {
      const body = Buffer.alloc(size, byte);
      const header = Buffer.alloc(4);
      header.writeUInt32BE(size);
      assert.deepEqual(encode(prefixed, body), Buffer.concat([header, body]));
      assert.deepEqual(encode(strings, body), Buffer.concat([Buffer.from(`${size}:`), body, Buffer.from(",")]));
    });
    fc.assert(property, { numRuns: 300 });
  });
});
