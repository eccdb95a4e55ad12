import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { delimited } from "asyncio-streams/framing";
import { endedReaderOf, readerOf, rest } from "../support/readers.js";
import { microtasks } from "../support/turns.js";
import { encode } from "./written.js";

describe("delimited", () => {
  it("takes bytes or text for a delimiter", async () => {
    for (const delimiter of ["\0", Uint8Array.of(0), Buffer.of(0)]) {
      const codec = delimited(delimiter);
      assert.equal(encode(codec, "a").toString(), "a\0");
      const reader = endedReaderOf(["a\0\0b\0"]);
      assert.deepEqual([await codec.readFrame(reader), await codec.readFrame(reader), await codec.readFrame(reader)].map(String), [
        "a",
        "",
        "b",
      ]);
      assert.equal(await codec.readFrame(reader), null);
    }
  });

  it("keeps a delimiter of its own: later changes of the bytes do nothing", () => {
    const delimiter = Buffer.from(";");
    const codec = delimited(delimiter);
    delimiter[0] = 0;
    assert.equal(encode(codec, "a").toString(), "a;");
  });

  for (const [frame, delimiter] of [
    ["a\nb", "\n"],
    ["\n", "\n"],
    ["a--b", "--"],
    ["a-", "--"],
    ["-", "--"],
    ["xaab", "aabaab"],
  ] as const) {
    it(`refuses ${JSON.stringify(frame)}, which would be read as another frame before ${JSON.stringify(delimiter)}`, () => {
      const refused = { name: "TypeError", code: "ERR_INVALID_ARG_VALUE", message: /must not contain the delimiter/ };
      assert.throws(() => encode(delimited(delimiter), frame), refused);
    });
  }

  for (const [frame, delimiter] of [
    ["abab", "abb"],
    ["\r", "\n"],
    ["xab", "aabaab"],
  ] as const) {
    it(`writes ${JSON.stringify(frame)} before ${JSON.stringify(delimiter)}`, async () => {
      const codec = delimited(delimiter);
      assert.equal(String(await codec.readFrame(endedReaderOf([encode(codec, frame)]))), frame);
    });
  }

  it("refuses a frame without an end once more than the maximum has come, and consumes nothing", async () => {
    const codec = delimited("\n", { maxFrameSize: 10 });
    const reader = readerOf(["0123456789"]);
    const frame = codec.readFrame(reader);
    await microtasks(3);
    reader.feedData("ab");
    await assert.rejects(frame, { code: "ERR_FRAME_TOO_LARGE", size: 12, maximum: 10 });
    assert.equal(await rest(reader), "0123456789ab");
  });

  it("ignores the reader's limit", async () => {
    const reader = readerOf([`${"x".repeat(100)}\n`], { limit: 10 });
    assert.equal((await delimited("\n").readFrame(reader))?.length, 100);
  });

  it("throws IncompleteReadError for a last frame without its delimiter", async () => {
    const reader = endedReaderOf(["a\nbc"]);
    const codec = delimited("\n");
    await codec.readFrame(reader);
    await assert.rejects(codec.readFrame(reader), { code: "ERR_INCOMPLETE_READ", partial: Buffer.from("bc"), expected: null });
  });

  it("refuses an empty delimiter, and one that is neither bytes nor text", () => {
    for (const delimiter of ["", new Uint8Array(0)]) assert.throws(() => delimited(delimiter), { code: "ERR_INVALID_ARG_VALUE" });
    for (const delimiter of [undefined, null, 10, ["\n"], /\n/]) {
      assert.throws(
        () => delimited(delimiter as unknown as string),
        { name: "TypeError", code: "ERR_INVALID_ARG_TYPE" },
        String(delimiter),
      );
    }
    assert.throws(() => delimited("\n", 5 as unknown as object), { code: "ERR_INVALID_ARG_TYPE" });
  });
});
