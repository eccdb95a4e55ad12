/** `lengthPrefixed()` with a header that has more in it than a number, by the protocols that have one. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Data } from "asyncio-streams";
import { type FrameCodec, type LengthPrefixedOptions, lengthPrefixed } from "asyncio-streams/framing";
import { endedReaderOf, readerOf } from "../support/readers.js";
import { isSettled } from "../support/turns.js";
import { collectingWriter, encode } from "./written.js";

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex");

/** The header of each protocol, and a message of it, as its specification has it. */
const protocols: Readonly<Record<string, readonly [LengthPrefixedOptions, Buffer]>> = {
  "PostgreSQL, whose length counts itself": [
    { headerSize: 5, lengthOffset: 1, lengthAdjustment: -4 },
    hex("51 0000000d 53454c4543542031 00"),
  ],
  "FastCGI, which pads": [{ headerSize: 8, lengthOffset: 4, prefix: 2, paddingOffset: 6 }, hex("01 05 0001 0003 05 00 616263 0000000000")],
  "HTTP/2, with three bytes": [{ headerSize: 9, prefix: 3 }, hex("000008 06 00 00000000 0102030405060708")],
  "MySQL, little-endian": [{ headerSize: 4, prefix: 3, endian: "little" }, hex("010000 00 0e")],
  "9P, whose length counts all": [{ headerSize: 7, endian: "little", lengthAdjustment: -7 }, hex("0b000000 64 0100 aabbccdd")],
  "BGP, behind a marker": [{ headerSize: 19, lengthOffset: 16, prefix: 2, lengthAdjustment: -19 }, hex(`${"ff".repeat(16)} 0013 04`)],
  "a length of eight bytes": [{ headerSize: 9, lengthOffset: 1, prefix: 8 }, hex("01 0000000000000002 6162")],
  "a length of eight bytes, little-endian": [
    { headerSize: 9, lengthOffset: 1, prefix: 8, endian: "little" },
    hex("01 0200000000000000 6162"),
  ],
};

for (const [name, [options, message]] of Object.entries(protocols)) {
  const codec = lengthPrefixed(options);
  const headerSize = options.headerSize as number;

  describe(`lengthPrefixed() of ${name}`, () => {
    it("reads whole messages, however they are cut", async () => {
      const reader = endedReaderOf([...[...message].map((byte) => Uint8Array.of(byte)), message]);
      assert.deepEqual(await codec.readFrame(reader), message);
      assert.deepEqual(await codec.readFrame(reader), message);
      assert.equal(await codec.readFrame(reader), null);
    });

    it("writes them, with the length filled in, and leaves the caller's bytes alone", () => {
      assert.deepEqual(encode(codec, message), message);
      const { lengthOffset = 0, prefix = 4 } = options;
      const blank = Buffer.from(message).fill(0xee, lengthOffset, lengthOffset + (prefix as number));
      const before = Buffer.from(blank);
      assert.deepEqual(encode(codec, blank), message);
      assert.deepEqual(blank, before);
    });

    it("throws IncompleteReadError at the end inside a message, and consumes nothing when aborted", async () => {
      for (let cut = 1; cut < message.length; cut += 1) {
        const partial = message.subarray(0, cut);
        const expected = cut < headerSize ? null : message.length;
        await assert.rejects(codec.readFrame(endedReaderOf([partial])), {
          code: "ERR_INCOMPLETE_READ",
          partial: Buffer.from(partial),
          expected,
        });
        const reader = readerOf([partial]);
        const controller = new AbortController();
        const frame = codec.readFrame(reader, { signal: controller.signal });
        assert.equal(await isSettled(frame), false);
        controller.abort();
        await assert.rejects(frame, { name: "AbortError" });
        assert.equal(reader.bufferedLength, cut);
      }
    });

    it("refuses a message of a byte more than the maximum, both ways", async () => {
      const fits = lengthPrefixed({ ...options, maxFrameSize: message.length });
      assert.deepEqual(await fits.readFrame(readerOf([encode(fits, message)])), message);
      if (message.length === headerSize) return; // a smaller maximum is refused
      const small = lengthPrefixed({ ...options, maxFrameSize: message.length - 1 });
      const refused = { code: "ERR_FRAME_TOO_LARGE", size: message.length, maximum: message.length - 1 };
      await assert.rejects(small.readFrame(readerOf([message.subarray(0, headerSize)])), refused);
      assert.throws(() => encode(small, message), refused);
    });

    it("refuses to write less than a header", () => {
      const { writer, written } = collectingWriter();
      const refused = { code: "ERR_INVALID_ARG_VALUE", message: new RegExp(`^frame must begin with its header of ${headerSize} bytes`) };
      assert.throws(() => codec.writeFrame(writer, message.subarray(0, headerSize - 1)), refused);
      assert.throws(() => codec.writeFrame(writer, ""), refused);
      assert.equal(written().length, 0);
    });
  });
}

describe("lengthPrefixed() with a header", () => {
  const postgres: FrameCodec<Buffer, Data> = lengthPrefixed({ headerSize: 5, lengthOffset: 1, lengthAdjustment: -4 });

  it("refuses a length that does not count what it has to count, and consumes nothing", async () => {
    for (const length of [0, 1, 3]) {
      const reader = readerOf(["--", Uint8Array.of(0x51, 0, 0, 0, length)]);
      await reader.skip(2);
      await assert.rejects(postgres.readFrame(reader), {
        code: "ERR_INVALID_FRAME",
        offset: 2,
        message: `the frame at byte 2 has a length of ${length}, which is too small`,
      });
      assert.equal(reader.bufferedLength, 5);
    }
    assert.equal((await postgres.readFrame(readerOf([hex("51 00000004")])))?.length, 5);
  });

  it("refuses more than the length can express, and padding that is not there", () => {
    const short = lengthPrefixed({ headerSize: 2, prefix: 1, lengthOffset: 1 });
    assert.equal(encode(short, Buffer.alloc(257))[1], 255);
    assert.throws(() => encode(short, Buffer.alloc(258)), { code: "ERR_FRAME_TOO_LARGE", size: 258, maximum: 257 });
    const padded = lengthPrefixed({ headerSize: 8, lengthOffset: 4, prefix: 2, paddingOffset: 6 });
    assert.throws(() => encode(padded, hex("01 05 0001 0000 03 00 6161")), {
      code: "ERR_INVALID_ARG_VALUE",
      message: "frame must be as long as its header says, not 1 bytes shorter",
    });
  });

  it("names a length of 2 ** 53 or more", async () => {
    const codec = lengthPrefixed({ headerSize: 9, prefix: 8 });
    await assert.rejects(codec.readFrame(readerOf([Buffer.alloc(9, 0xff)])), { code: "ERR_FRAME_TOO_LARGE", message: /2 \*\* 53 or more/ });
  });

  for (const [options, code] of [
    [{ headerSize: 3 }, "ERR_OUT_OF_RANGE"],
    [{ headerSize: 1025 }, "ERR_OUT_OF_RANGE"],
    [{ headerSize: "5" }, "ERR_INVALID_ARG_TYPE"],
    [{ headerSize: 5, lengthOffset: 2 }, "ERR_OUT_OF_RANGE"],
    [{ headerSize: 5, lengthOffset: -1 }, "ERR_OUT_OF_RANGE"],
    [{ headerSize: 5, lengthAdjustment: 0.5 }, "ERR_OUT_OF_RANGE"],
    [{ headerSize: 5, paddingOffset: 5 }, "ERR_OUT_OF_RANGE"],
    [{ headerSize: 5, paddingOffset: 0 }, "ERR_INVALID_ARG_VALUE"],
    [{ headerSize: 5, lengthOffset: 1, paddingOffset: 4 }, "ERR_INVALID_ARG_VALUE"],
    [{ headerSize: 5, maxFrameSize: 4 }, "ERR_OUT_OF_RANGE"],
    [{ headerSize: 5, prefix: "varint" }, "ERR_INVALID_ARG_VALUE"],
    [{ lengthOffset: 1 }, "ERR_INVALID_ARG_VALUE"],
    [{ lengthAdjustment: -4 }, "ERR_INVALID_ARG_VALUE"],
    [{ paddingOffset: 0 }, "ERR_INVALID_ARG_VALUE"],
  ] as const) {
    it(`refuses ${JSON.stringify(options)}`, () => {
      assert.throws(() => lengthPrefixed(options as LengthPrefixedOptions), { code });
    });
  }
});
