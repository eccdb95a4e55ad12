import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StreamReader } from "asyncio-streams";
import { countedMethods, countWork } from "./count-work.js";

const MIB = 1024 * 1024;

/** The message that comes byte by byte: a square of it would be 17 thousand million. */
const TRICKLE_BYTES = 128 * 1024;

/** Already fulfilled: to wait for it is to let the microtasks run, at the least cost. */
const microtask = Promise.resolve();

/** Feeds this many chunks, and lets the read that waits look after each. */
async function feedSlowly(reader: StreamReader, chunk: Uint8Array, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    reader.feedData(chunk);
    await microtask;
  }
}

describe("countWork", () => {
  it("counts searched and copied bytes, and restores the methods", async () => {
    const untouched = countedMethods();
    const bytes = Buffer.alloc(100);
    const work = await countWork(async () => {
      bytes.indexOf(1);
      bytes.indexOf(1, 90);
      bytes.copy(Buffer.alloc(10));
      Buffer.alloc(100).set(bytes.subarray(0, 7));
      Buffer.concat([bytes]);
    });
    assert.equal(work.searched, 110);
    assert.ok(work.copied >= 117 && work.copied <= 217, `${work.copied}`); // concat may count itself twice
    assert.deepEqual(countedMethods(), untouched);
  });
});

describe("the cost of a long message", () => {
  const length = 16 * MIB;

  for (const [name, call, end] of [
    ["readline", (reader: StreamReader) => reader.readline(), "\n"],
    ["readuntil of one separator", (reader: StreamReader) => reader.readuntil("\r\n\r\n"), "\r\n\r\n"],
    ["readuntil of three separators", (reader: StreamReader) => reader.readuntil(["\r\n", "\n", "END"]), "\n"],
    ["readexactly", (reader: StreamReader) => reader.readexactly(length + 1), "\n"],
  ] as const) {
    it(`is linear for ${name}: 16 MiB in chunks of 1 KiB`, async () => {
      const reader = new StreamReader({ limit: length });
      const chunk = Buffer.alloc(1024, "x");
      const work = await countWork(async () => {
        const message = call(reader);
        await feedSlowly(reader, chunk, length / chunk.length);
        reader.feedData(end);
        assert.equal((await message).length, length + end.length);
      });
      // Each separator may look at each byte once, and at the seams again; the message is joined once.
      const separators = name.includes("three") ? 3 : 1;
      assert.ok(work.searched <= 1.1 * separators * length, `${work.searched} bytes searched`);
      assert.ok(work.copied <= 1.1 * length, `${work.copied} bytes copied`);
    });
  }

  for (const [name, call, most] of [
    ["readline", (reader: StreamReader) => reader.readline(), 2],
    ["readuntil of one separator", (reader: StreamReader) => reader.readuntil("END\n"), 6],
    ["readuntil of two separators", (reader: StreamReader) => reader.readuntil(["\n", "END\n"]), 12],
    ["readexactly", (reader: StreamReader) => reader.readexactly(TRICKLE_BYTES + 4), 2],
  ] as const) {
    it(`is linear for ${name}: 128 KiB byte by byte`, async () => {
      const reader = new StreamReader({ limit: 2 * TRICKLE_BYTES });
      const byte = Buffer.from("x");
      const work = await countWork(async () => {
        const message = call(reader);
        await feedSlowly(reader, byte, TRICKLE_BYTES);
        reader.feedData("END\n");
        assert.equal((await message).length, TRICKLE_BYTES + 4);
      });
      // A separator of four bytes is looked for in the last three bytes again each time.
      assert.ok(work.searched <= most * TRICKLE_BYTES, `${work.searched} bytes searched`);
      // Into the block, and out of the blocks into the message.
      assert.ok(work.copied <= 2.1 * TRICKLE_BYTES, `${work.copied} bytes copied`);
    });
  }

  it("is linear for a read to EOF", async () => {
    const reader = new StreamReader();
    const chunk = Buffer.alloc(1024, "x");
    const work = await countWork(async () => {
      const all = reader.read();
      await feedSlowly(reader, chunk, 16 * 1024);
      reader.feedEof();
      assert.equal((await all).length, 16 * MIB);
    });
    assert.equal(work.searched, 0);
    assert.ok(work.copied <= 1.1 * 16 * MIB, `${work.copied} bytes copied`);
  });
});

describe("the cost of taking from the front", () => {
  it("copies only the lines across seams: 250,000 small lines out of chunks of 64 KiB", async () => {
    const line = Buffer.from("a line of 23 bytes in it\n".slice(2));
    const count = 250_000;
    const chunkSize = 65_536;
    const all = Buffer.alloc(line.length * count, line);
    const reader = new StreamReader({ limit: all.length });
    for (let start = 0; start < all.length; start += chunkSize) reader.feedData(all.subarray(start, start + chunkSize));
    const seams = Math.floor(all.length / chunkSize);
    const work = await countWork(async () => {
      for (let index = 0; index < count; index += 1) {
        const taken = await reader.readline();
        if (taken.length !== line.length) assert.fail(`a line of ${taken.length} bytes`);
      }
    });
    assert.ok(work.copied <= seams * line.length, `${work.copied} bytes copied at ${seams} seams`);
    assert.ok(work.searched <= 1.01 * all.length, `${work.searched} bytes searched`);
  });

  it("does not look for a rare separator through the whole buffer for each short message", async () => {
    const all = Buffer.alloc(MIB, "0123456\n");
    const reader = new StreamReader({ limit: all.length });
    reader.feedData(all);
    const work = await countWork(async () => {
      for (let index = 0; index < all.length / 8; index += 1) await reader.readuntil(["\n", "RARE SEPARATOR"]);
    });
    assert.ok(work.copied <= 64 * (all.length / 8), `${work.copied} bytes copied`);
    assert.ok(work.searched <= 4 * all.length, `${work.searched} bytes searched`);
  });
});
