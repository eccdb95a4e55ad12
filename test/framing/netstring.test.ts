import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { netstring } from "asyncio-streams/framing";
import { endedReaderOf, readerOf } from "../support/readers.js";
import { isSettled } from "../support/turns.js";
import { encode } from "./written.js";

const codec = netstring();

describe("netstring", () => {
  it("writes the example of the specification", () => {
    assert.equal(encode(codec, "hello world!").toString(), "12:hello world!,");
    assert.equal(encode(codec, "").toString(), "0:,");
    assert.equal(encode(codec, "€").toString("latin1"), "3:\xe2\x82\xac,");
  });

  for (const [wire, why] of [
    ["x", "a length that is not a decimal number"],
    [":", "a length that is not a decimal number"],
    ["-1:a,", "a length that is not a decimal number"],
    [" 1:a,", "a length that is not a decimal number"],
    ["1 :a,", "a length that is not a decimal number"],
    ["1a", "a length that is not a decimal number"],
    ["00:,", "a leading zero"],
    ["01:a,", "a leading zero"],
    ["1:ab", 'does not end in ","'],
    ["0:x", 'does not end in ","'],
    ["3:abc;", 'does not end in ","'],
  ] as const) {
    it(`refuses ${JSON.stringify(wire)}, and consumes nothing`, async () => {
      const reader = readerOf(["--", wire]);
      await reader.skip(2);
      const refused = { name: "InvalidFrameError", code: "ERR_INVALID_FRAME", offset: 2, line: null, message: new RegExp(why) };
      await assert.rejects(codec.readFrame(reader), refused);
      assert.equal(reader.bufferedLength, wire.length);
    });
  }

  it("waits for the end of a length that is too large, to name it", async () => {
    const reader = readerOf(["99999999"]);
    const frame = codec.readFrame(reader);
    assert.equal(await isSettled(frame), false);
    reader.feedData("99:");
    await assert.rejects(frame, { code: "ERR_FRAME_TOO_LARGE", size: 9_999_999_999, maximum: 16_777_216 });
  });

  it("does not wait for the end of a length that has none", async () => {
    const reader = readerOf(["1".repeat(16)]);
    const frame = codec.readFrame(reader);
    assert.equal(await isSettled(frame), false);
    reader.feedData("1");
    await assert.rejects(frame, { code: "ERR_FRAME_TOO_LARGE", message: /2 \*\* 53 or more/ });
    await assert.rejects(codec.readFrame(readerOf(["0".repeat(17)])), { code: "ERR_INVALID_FRAME" });
  });

  it("carries any bytes, also commas and colons", async () => {
    const reader = endedReaderOf(["6:1:a,,:,", "1:,,"]);
    assert.equal(String(await codec.readFrame(reader)), "1:a,,:");
    assert.equal(String(await codec.readFrame(reader)), ",");
    assert.equal(await codec.readFrame(reader), null);
  });

  it("refuses a number for options", () => assert.throws(() => netstring(5 as unknown as object), { code: "ERR_INVALID_ARG_TYPE" }));
});
