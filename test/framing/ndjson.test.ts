import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { frames, InvalidFrameError, ndjson } from "asyncio-streams/framing";
import { endedReaderOf, readerOf } from "../support/readers.js";
import { isSettled } from "../support/turns.js";
import { collectingWriter, encode } from "./written.js";

describe("ndjson", () => {
  it("writes a value on a line, and reads it, with its type", async () => {
    const codec = ndjson<{ id: number; text: string }>();
    const wire = encode(codec, { id: 1, text: "two\nlines, grün" });
    assert.equal(wire.toString(), '{"id":1,"text":"two\\nlines, grün"}\n');
    const value = await codec.readFrame(endedReaderOf([wire]));
    assert.equal(value?.text, "two\nlines, grün");
  });

  it("reads every kind of value", async () => {
    const reader = endedReaderOf(['1\n"a"\ntrue\nfalse\n[null]\n{}\n0\n""\n']);
    const values: unknown[] = [];
    for await (const value of frames(reader, ndjson())) values.push(value);
    assert.deepEqual(values, [1, "a", true, false, [null], {}, 0, ""]);
  });

  it("passes over blank lines, and takes \\r\\n and a byte order mark", async () => {
    const reader = endedReaderOf(["\ufeff1\r\n\r\n\n  \t\n2\n\n"]);
    const codec = ndjson<number>();
    assert.deepEqual([await codec.readFrame(reader), await codec.readFrame(reader), await codec.readFrame(reader)], [1, 2, null]);
  });

  it("throws for a broken line an error with position and cause, and goes on with the next", async () => {
    const reader = endedReaderOf(["junk before\n", '{"a":1}\n', "\n{broken}\n", '{"a":2}\n', "nope\n", '{"a":3}\n']);
    await reader.readline();
    const codec = ndjson();
    const outcomes: unknown[] = [];
    for (let index = 0; index < 6; index += 1) {
      const outcome = await codec.readFrame(reader).catch((error: unknown) => error);
      outcomes.push(outcome instanceof InvalidFrameError ? [outcome.line, outcome.offset, (outcome.cause as Error).name] : outcome);
    }
    assert.deepEqual(outcomes, [{ a: 1 }, [3, 21, "SyntaxError"], { a: 2 }, [5, 38, "SyntaxError"], { a: 3 }, null]);
  });

  it("names the line and the byte in the message", async () => {
    await assert.rejects(ndjson().readFrame(endedReaderOf(["{\n"])), /^InvalidFrameError: line 1, at byte 0, is not JSON: /);
  });

  it("counts the lines of each reader", async () => {
    const codec = ndjson();
    const readers = [endedReaderOf(["1\n2\nx\n"]), endedReaderOf(["x\n"])];
    await codec.readFrame(readers[0] as (typeof readers)[0]);
    await codec.readFrame(readers[0] as (typeof readers)[0]);
    await assert.rejects(codec.readFrame(readers[0] as (typeof readers)[0]), { line: 3 });
    await assert.rejects(codec.readFrame(readers[1] as (typeof readers)[0]), { line: 1 });
  });

  it("ends a for-await loop at a broken line, and the next loop goes on behind it", async () => {
    const reader = endedReaderOf(["1\n?\n2\n3\n"]);
    const codec = ndjson<number>();
    const values: number[] = [];
    const loop = async (): Promise<void> => {
      for await (const value of frames(reader, codec)) values.push(value);
    };
    await assert.rejects(loop(), { code: "ERR_INVALID_FRAME", line: 2 });
    await loop();
    assert.deepEqual(values, [1, 2, 3]);
  });

  it("refuses bytes that are not UTF-8, and goes on", async () => {
    const reader = endedReaderOf(['"', Uint8Array.of(0xff), '"\n', '"ok"\n']);
    await assert.rejects(ndjson().readFrame(reader), { code: "ERR_INVALID_FRAME", offset: 0 });
    assert.equal(await ndjson().readFrame(reader), "ok");
  });

  it("refuses null both ways, because null means the end", async () => {
    const reader = endedReaderOf(["null\n1\n"]);
    await assert.rejects(ndjson().readFrame(reader), { code: "ERR_INVALID_FRAME", message: /is null/ });
    assert.equal(await ndjson().readFrame(reader), 1);
    for (const value of [null, Number.NaN, { toJSON: () => null }]) {
      assert.throws(() => encode(ndjson(), value), { name: "TypeError", code: "ERR_INVALID_ARG_TYPE" });
    }
  });

  it("refuses a last line without a newline, because 12 may have been 123", async () => {
    const reader = endedReaderOf(["1\n12"]);
    const codec = ndjson();
    assert.equal(await codec.readFrame(reader), 1);
    await assert.rejects(codec.readFrame(reader), { code: "ERR_INCOMPLETE_READ", partial: Buffer.from("12") });
    assert.equal(await codec.readFrame(reader), null);
  });

  it("refuses a line over the maximum while it comes, and leaves it", async () => {
    const codec = ndjson({ maxFrameSize: 10 });
    const reader = readerOf(['"0123']);
    const frame = codec.readFrame(reader);
    assert.equal(await isSettled(frame), false);
    reader.feedData("45678901234");
    await assert.rejects(frame, { code: "ERR_FRAME_TOO_LARGE", size: 16, maximum: 10 });
    assert.equal(reader.bufferedLength, 16);
    assert.throws(() => encode(codec, "123456789"), { code: "ERR_FRAME_TOO_LARGE", size: 11 });
  });

  it("refuses values that JSON cannot represent, and writes nothing", () => {
    const { writer, written } = collectingWriter();
    const cycle: unknown[] = [];
    cycle.push(cycle);
    for (const value of [undefined, () => 1, Symbol("a"), 1n, { deep: [1n] }]) {
      assert.throws(() => ndjson().writeFrame(writer, value), { name: "TypeError", code: "ERR_INVALID_ARG_TYPE" });
    }
    assert.throws(
      () => ndjson().writeFrame(writer, cycle),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, "ERR_INVALID_ARG_VALUE");
        assert.match(error.message, /^cannot write the frame as JSON: ./);
        assert.ok(error.cause instanceof TypeError);
        return true;
      },
    );
    assert.equal(written().length, 0);
  });

  it("states the place of a bigint, which JSON cannot represent", () => {
    const shared = [null, "text"];
    const frame: Record<string, unknown> = { id: 1, shared, again: shared, list: [{}, [], { "a key": 7n }, 8n] };
    frame["self"] = frame;
    for (const [value, message] of [
      [5n, "frame must be a JSON value, not bigint 5n"],
      [frame, 'frame["list"][2]["a key"] must be a JSON value, not bigint 7n'],
    ] as const) {
      assert.throws(() => encode(ndjson(), value), { name: "TypeError", code: "ERR_INVALID_ARG_TYPE", message });
    }
  });

  it("throws the error of a toJSON()", () => {
    const failure = new RangeError("on purpose");
    const toJSON = (): never => {
      throw failure;
    };
    assert.throws(
      () => encode(ndjson(), { toJSON }),
      (error) => error === failure,
    );
  });
});
