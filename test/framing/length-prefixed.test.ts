import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FrameTooLargeError, type LengthPrefixedOptions, lengthPrefixed } from "asyncio-streams/framing";
import { endedReaderOf, readerOf, text } from "../support/readers.js";
import { isSettled } from "../support/turns.js";
import { encode } from "./written.js";

/** The header of a frame of 300 bytes; of 200 where that does not fit. */
const headers: readonly [LengthPrefixedOptions | undefined, size: number, header: string][] = [
  [undefined, 300, "0000012c"],
  [{}, 300, "0000012c"],
  [{ prefix: 1 }, 200, "c8"],
  [{ prefix: 1, endian: "little" }, 200, "c8"],
  [{ prefix: 2 }, 300, "012c"],
  [{ prefix: 2, endian: "little" }, 300, "2c01"],
  [{ prefix: 4, endian: "big" }, 300, "0000012c"],
  [{ prefix: 4, endian: "little" }, 300, "2c010000"],
  [{ prefix: 8 }, 300, "000000000000012c"],
  [{ prefix: 8, endian: "little" }, 300, "2c01000000000000"],
  [{ prefix: "varint" }, 300, "ac02"],
];

/** Lengths that are refused before anything of the frame has come: codec, header, size. */
const tooLarge: readonly [LengthPrefixedOptions, header: string, size: number][] = [
  [{ prefix: 4 }, "ffffffff", 2 ** 32 - 1],
  [{ prefix: 4 }, "01000001", 2 ** 24 + 1],
  [{ prefix: 4, endian: "little" }, "01000001", 2 ** 24 + 1],
  [{ prefix: 8 }, "0000000100000000", 2 ** 32],
  [{ prefix: 8, endian: "little" }, "0000000001000000", 2 ** 32],
  [{ prefix: 8 }, "001fffffffffffff", 2 ** 53 - 1],
  [{ prefix: 8 }, "0020000000000000", 2 ** 53],
  [{ prefix: 8 }, "0020000000000001", 2 ** 53],
  [{ prefix: 8 }, "ffffffffffffffff", 2 ** 64],
  [{ prefix: 8, endian: "little" }, "ffffffffffffffff", 2 ** 64],
  [{ prefix: "varint" }, "8180808001", 2 ** 28 + 1],
  [{ prefix: "varint" }, "8080808010", 2 ** 32],
  [{ prefix: "varint" }, "ffffffffffffff0f", 2 ** 53 - 1],
  [{ prefix: "varint" }, "8080808080808010", 2 ** 53],
  [{ prefix: "varint" }, "ffffffffffffffffff01", 2 ** 64],
];

describe("lengthPrefixed", () => {
  for (const [options, size, header] of headers) {
    it(`writes the length ${size} as ${header} and reads it: ${JSON.stringify(options)}`, async () => {
      const codec = lengthPrefixed(options);
      const body = "x".repeat(size);
      const wire = encode(codec, body);
      assert.equal(wire.subarray(0, -size).toString("hex"), header);
      assert.equal(String(await codec.readFrame(endedReaderOf([wire]))), body);
    });
  }

  for (const [options, header, size] of tooLarge) {
    it(`refuses ${header} before anything else has come: ${JSON.stringify(options)}`, async () => {
      const reader = readerOf([Buffer.from(header, "hex")]);
      const frame = lengthPrefixed(options).readFrame(reader);
      await assert.rejects(frame, { name: "FrameTooLargeError", code: "ERR_FRAME_TOO_LARGE", size, maximum: 16_777_216 });
      assert.equal(reader.bufferedLength, header.length / 2);
    });
  }

  it("states size and maximum, but no size that a number cannot hold", async () => {
    const codec = lengthPrefixed({ prefix: 8, maxFrameSize: 1000 });
    const refusal = (header: string): Promise<unknown> =>
      codec.readFrame(readerOf([Buffer.from(header, "hex")])).catch((error: unknown) => error);
    assert.match(String(await refusal("0000000100000000")), /a frame of 4294967296 bytes: the maximum is 1000/);
    assert.match(String(await refusal("ffffffffffffffff")), /a frame of 2 \*\* 53 or more bytes: the maximum is 1000/);
  });

  it("allocates no memory for an announced 4 GiB, and refuses it at once", async () => {
    const codec = lengthPrefixed({ prefix: 8 });
    const reader = readerOf([Buffer.from("00000001", "hex")]);
    const frame = codec.readFrame(reader);
    assert.equal(await isSettled(frame), false);
    reader.feedData(Buffer.from("00000000", "hex"));
    await assert.rejects(frame, FrameTooLargeError);
    assert.equal(reader.bufferedLength, 8);
  });

  it("allows a larger maximum, up to the range of the prefix", () => {
    assert.equal(encode(lengthPrefixed({ prefix: 1 }), Buffer.alloc(255)).length, 256);
    assert.throws(() => encode(lengthPrefixed({ prefix: 1 }), Buffer.alloc(256)), { size: 256, maximum: 255 });
    assert.equal(encode(lengthPrefixed({ prefix: 2 }), Buffer.alloc(65_535)).length, 65_537);
    assert.throws(() => encode(lengthPrefixed({ prefix: 2 }), Buffer.alloc(65_536)), { size: 65_536, maximum: 65_535 });
    const large = Buffer.alloc(16_777_217);
    assert.throws(() => encode(lengthPrefixed(), large), { size: 16_777_217, maximum: 16_777_216 });
    assert.equal(encode(lengthPrefixed({ maxFrameSize: 20_000_000 }), large).length, large.length + 4);
  });

  it("leaves a frame that is too large in the reader, so that the program can skip it", async () => {
    const codec = lengthPrefixed({ prefix: 1, maxFrameSize: 3 });
    const reader = endedReaderOf([Uint8Array.of(5), "abcde", Uint8Array.of(2), "fg"]);
    const error: unknown = await codec.readFrame(reader).catch((thrown: unknown) => thrown);
    assert.ok(error instanceof FrameTooLargeError);
    await reader.skip(1 + error.size);
    assert.equal(String(await codec.readFrame(reader)), "fg");
  });

  it("states the expected length when the stream ends in the body, and none when it ends in the prefix", async () => {
    await assert.rejects(lengthPrefixed().readFrame(endedReaderOf([Uint8Array.of(0, 0, 0, 9), "abc"])), { expected: 13 });
    await assert.rejects(lengthPrefixed().readFrame(endedReaderOf([Uint8Array.of(0, 0, 0)])), { expected: null });
  });

  it("reads a header that unread() has put in front", async () => {
    const reader = readerOf([Uint8Array.of(5), "ab"]);
    const frame = lengthPrefixed({ prefix: 1 }).readFrame(reader);
    assert.equal(await isSettled(frame), false);
    reader.unread(Uint8Array.of(1, 0x78));
    assert.equal(String(await frame), "x");
    assert.equal(reader.bufferedLength, 3);
  });

  it("reads frames and other things in turn", async () => {
    const reader = endedReaderOf(["HELLO\n", Uint8Array.of(2), "ab", "rest\n"]);
    assert.equal(await text(reader.readline()), "HELLO\n");
    assert.equal(String(await lengthPrefixed({ prefix: 1 }).readFrame(reader)), "ab");
    assert.equal(await text(reader.readline()), "rest\n");
  });

  for (const prefix of [0, 3, 5, 16, "4", "Varint", null, Number.NaN]) {
    it(`refuses a prefix of ${JSON.stringify(prefix)}`, () => {
      assert.throws(() => lengthPrefixed({ prefix: prefix as unknown as 4 }), {
        name: "TypeError",
        code: "ERR_INVALID_ARG_VALUE",
        message: /^prefix must be/,
      });
    });
  }

  it("refuses an unknown byte order, any with a varint, and a number as options", () => {
    const wrongValue = { name: "TypeError", code: "ERR_INVALID_ARG_VALUE", message: /^endian / };
    assert.throws(() => lengthPrefixed({ endian: "LE" as "little" }), wrongValue);
    assert.throws(() => lengthPrefixed({ prefix: "varint", endian: "little" }), wrongValue);
    assert.throws(() => lengthPrefixed(4 as unknown as object), { code: "ERR_INVALID_ARG_TYPE" });
    assert.throws(() => lengthPrefixed({ maxFrameSize: "1k" as unknown as number }), { code: "ERR_INVALID_ARG_TYPE" });
  });
});

describe("a varint", () => {
  const codec = lengthPrefixed({ prefix: "varint" });

  for (const [size, header] of [
    [0, "00"],
    [1, "01"],
    [127, "7f"],
    [128, "8001"],
    [16_383, "ff7f"],
    [16_384, "808001"],
    [2_097_152, "80808001"],
  ] as const) {
    it(`of ${size} is ${header}`, async () => {
      const wire = encode(codec, Buffer.alloc(size));
      assert.equal(wire.subarray(0, header.length / 2).toString("hex"), header);
      assert.equal((await codec.readFrame(endedReaderOf([wire])))?.length, size);
    });
  }

  for (const header of ["8000", "818000", "80808080808080808000"]) {
    it(`that is longer than necessary is refused: ${header}`, async () => {
      const reader = readerOf(["ab", Buffer.from(header, "hex")]);
      await reader.skip(2);
      const refused = { name: "InvalidFrameError", code: "ERR_INVALID_FRAME", offset: 2, line: null, message: /not in its shortest form/ };
      await assert.rejects(codec.readFrame(reader), refused);
      await assert.rejects(codec.readFrame(reader), refused, "nothing is consumed");
    });
  }

  it("that does not end is refused after ten bytes", async () => {
    const reader = readerOf([Buffer.alloc(9, 0xff)]);
    const frame = codec.readFrame(reader);
    assert.equal(await isSettled(frame), false);
    reader.feedData(Uint8Array.of(0xff));
    await assert.rejects(frame, { code: "ERR_INVALID_FRAME", message: /longer than 10 bytes/ });
  });
});
