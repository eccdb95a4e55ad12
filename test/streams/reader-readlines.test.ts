import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ConcurrentReadError, LineTooLongError, StreamReader } from "asyncio-streams";

/** A reader with data, given in chunks. */
function fed(chunks: readonly string[], limit: number = 100): StreamReader {
  const reader = new StreamReader({ limit });
  for (const chunk of chunks) reader.feedData(chunk);
  return reader;
}

const text = (lines: readonly Buffer[]): string[] => lines.map(String);

describe("readlines", () => {
  it("returns all complete lines, also those that span chunks", async () => {
    const reader = fed([`${"a".repeat(40)}\nbb\ncc`, "c\nd\n", "rest"], 2000);
    assert.deepEqual(text(await reader.readlines()), [`${"a".repeat(40)}\n`, "bb\n", "ccc\n", "d\n"]);
    assert.equal(reader.bufferedLength, 4);
  });

  it("waits for a line, and returns with all that have arrived in that turn", async () => {
    const reader = fed(["unfinished"]);
    const reading = reader.readlines({ encoding: "utf8" });
    reader.feedData(" line\nanother\nand");
    reader.feedData(" more\nthe ");
    assert.deepEqual(await reading, ["unfinished line\n", "another\n", "and more\n"]);
  });

  it("returns the rest at EOF as a list of its own, then empty lists", async () => {
    const reader = fed(["one\ntwo\nrest"]);
    reader.feedEof();
    assert.deepEqual(text(await reader.readlines()), ["one\n", "two\n"]);
    assert.deepEqual(text(await reader.readlines()), ["rest"]);
    assert.deepEqual(await reader.readlines(), []);
    assert.deepEqual(await reader.readlines({ encoding: "utf8" }), []);
  });

  it("removes both ends of lines if asked", async () => {
    assert.deepEqual(text(await fed(["a\r\nb\n\r\n\n"]).readlines({ keepSeparator: false })), ["a", "b", "", ""]);
    assert.deepEqual(await fed(["a\r\nb\n\r\n\n"]).readlines({ keepSeparator: false, encoding: "latin1" }), ["a", "b", "", ""]);
  });

  it("decodes long blocks of lines at once, and removes their ends", async () => {
    const lines = Array.from({ length: 300 }, (_, index) => `line ${index} ${"x".repeat(index % 50)}`);
    const reader = fed([`${lines.join("\n")}\nthe rest`], 9000);
    assert.deepEqual(await reader.readlines({ encoding: "utf8", keepSeparator: false }), lines);
    assert.equal(reader.bufferedLength, 8);
  });

  it("decodes line by line where a block is longer than the limit", async () => {
    const reader = fed([`${"short\n".repeat(600)}${"x".repeat(200)}\nlast\n`]);
    const lines = await reader.readlines({ encoding: "utf8", keepSeparator: false, limit: 150 });
    assert.deepEqual(
      lines,
      Array.from({ length: 600 }, () => "short"),
    );
    await assert.rejects(reader.readlines({ limit: 150 }), LineTooLongError);
    assert.deepEqual(text(await reader.readlines()), ["last\n"]);
  });

  it("ends a list before a line over the limit, whose error is the next call's", async () => {
    const reader = fed([`one\n${"x".repeat(50)}\nthree\n`]);
    for (const encoding of [undefined, "utf8"] as const) {
      const options = { limit: 10, encoding } as { encoding: BufferEncoding };
      assert.deepEqual(text((await reader.readlines(options)) as never), ["one\n"]);
      await assert.rejects(reader.readlines(options), LineTooLongError);
      assert.deepEqual(text((await reader.readlines(options)) as never), ["three\n"]);
      reader.unread(`one\n${"x".repeat(50)}\nthree\n`);
    }
  });

  it("consumes nothing if aborted, and leaves the lines to the next read", async () => {
    const reader = fed(["unfinished"]);
    const controller = new AbortController();
    const reading = reader.readlines({ signal: controller.signal });
    controller.abort(new Error("enough"));
    await assert.rejects(reading, { message: "enough" });
    reader.feedData(" line\n");
    assert.equal(String(await reader.readline()), "unfinished line\n");
  });

  it("rejects an encoding in which a newline byte can be part of a character, and one that does not exist", async () => {
    for (const encoding of ["utf16le", "ucs2", "klingon", 7]) {
      await assert.rejects(fed(["a\n"]).readlines({ encoding: encoding as BufferEncoding }), TypeError);
      assert.throws(() => fed(["a\n"]).lineBatches({ encoding: encoding as BufferEncoding }), TypeError);
    }
  });

  it("is refused while another read waits", async () => {
    const reader = fed([]);
    const reading = reader.readline();
    await assert.rejects(reader.readlines(), ConcurrentReadError);
    reader.feedData("line\n");
    await reading;
  });

  it("returns the lines in front of a chunk whose memory was transferred, and then rejects", async () => {
    const reader = new StreamReader();
    const lost = Buffer.alloc(2000, "y\n");
    reader.feedData(Buffer.alloc(2000, "x\n"));
    reader.feedData(lost);
    structuredClone(lost.buffer, { transfer: [lost.buffer] });
    assert.equal((await reader.readlines()).length, 1000);
    await assert.rejects(reader.readlines(), { code: "ERR_MEMORY_DETACHED" });
  });
});

describe("lineBatches", () => {
  it("yields arrays of lines without their ends, until the stream ends", async () => {
    const reader = fed(["one\r\ntwo\n"]);
    const batches: string[][] = [];
    for await (const batch of reader.lineBatches({ encoding: "utf8" })) {
      batches.push(batch);
      if (batches.length === 1) reader.feedData("three\nfour");
      if (batches.length === 2) reader.feedEof();
    }
    assert.deepEqual(batches, [["one", "two"], ["three"], ["four"]]);
  });

  it("leaves what it did not yield when the loop is left", async () => {
    const reader = fed(["one\ntwo\nth"]);
    for await (const batch of reader.lineBatches()) {
      assert.equal(batch.length, 2);
      break;
    }
    reader.feedData("ree\n");
    assert.equal(String(await reader.readline()), "three\n");
  });
});
