import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ByteQueue } from "#src/base/byte-queue.js";

/** Chunks from this size on stay chunks of their own, so that there is a seam between them. */
const LARGE = 1024;

/** A queue of the text, with seams exactly at these places: each piece stands in a chunk of its own, the fill before it skipped. */
function split(text: string, ...places: readonly number[]): ByteQueue {
  const queue = new ByteQueue();
  // A large chunk starts each piece, so only the first may be short; what is before the text is skipped.
  const bounds = [0, ...places, text.length];
  for (let index = 0; index + 1 < bounds.length; index += 1) {
    const piece = text.slice(bounds[index], bounds[index + 1]);
    queue.push(Buffer.from(index === 0 ? "-".repeat(LARGE) + piece : piece));
  }
  queue.skip(LARGE);
  return queue;
}

describe("ByteQueue indexOf", () => {
  it("finds nothing in an empty queue", () => {
    assert.equal(new ByteQueue().indexOf(Buffer.from("a")), -1);
  });

  it("finds the first of several, from the front of what is left", () => {
    const queue = split("xx,yy,zz", 4);
    assert.equal(queue.indexOf(Buffer.from(",")), 2);
    queue.skip(3);
    assert.equal(queue.indexOf(Buffer.from(",")), 2);
    assert.equal(queue.indexOf(Buffer.from(","), 3), -1);
  });

  it("does not find what has been taken", () => {
    const queue = split("a\nb");
    queue.skip(2);
    assert.equal(queue.indexOf(Buffer.from("\n")), -1);
    assert.equal(queue.indexOf(Buffer.from("\nb")), -1);
  });

  for (const needle of ["n", "ne", "nee", "needle", "aab", "aaaa"]) {
    const text = `..nn.aaab..needle..needle aaaa..`;
    it(`finds ${JSON.stringify(needle)} across one seam, wherever that is`, () => {
      for (let place = 0; place <= text.length; place += 1) {
        // Fill to a large chunk after the seam too, or the pieces would be copied into one block.
        const padded = text + ".".repeat(LARGE);
        assert.equal(split(padded, place).indexOf(Buffer.from(needle)), padded.indexOf(needle), `split at ${place}`);
      }
    });
  }

  it("finds what lies across three large chunks and more", () => {
    const parts = ["a", "b", "c", "d"].map((letter) => letter.repeat(LARGE));
    const queue = new ByteQueue();
    for (const part of parts) queue.push(Buffer.from(part));
    const text = parts.join("");
    for (const [from, to] of [
      [LARGE - 1, 2 * LARGE + 1],
      [LARGE - 1, 3 * LARGE + 1],
      [0, 4 * LARGE],
      [5, 3 * LARGE + 9],
    ] as const) {
      assert.equal(queue.indexOf(Buffer.from(text.slice(from, to))), from);
      assert.equal(queue.indexOf(Buffer.from(`${text.slice(from, to)}x`)), -1);
    }
  });

  it("takes the earlier one if one lies across the seam and one behind it", () => {
    const queue = split(`ab--ab${"-".repeat(LARGE)}`, 1);
    assert.equal(queue.indexOf(Buffer.from("ab")), 0);
    assert.equal(queue.indexOf(Buffer.from("ab"), 1), 4);
  });

  it("keeps to its range: whole within it, or not found", () => {
    const text = `0123456789${"-".repeat(LARGE)}`;
    for (const place of [0, 1, 4, 5, 6, 10]) {
      const queue = split(text, place);
      for (let from = 0; from <= 10; from += 1) {
        for (let to = from; to <= 10; to += 1) {
          for (const needle of ["4", "45", "3456"]) {
            const start = text.indexOf(needle);
            const expected = start >= from && start + needle.length <= to ? start : -1;
            assert.equal(queue.indexOf(Buffer.from(needle), from, to), expected, `${needle} in ${from}..${to}, split at ${place}`);
          }
        }
      }
    }
  });

  it("treats bytes as bytes, not as text", () => {
    const queue = new ByteQueue();
    queue.push(Buffer.from([0, 255, 254, 0, 128]));
    assert.equal(queue.indexOf(Uint8Array.of(254, 0)), 2);
    assert.equal(queue.indexOf(Uint8Array.of(0), 1), 3);
    assert.equal(queue.indexOf(Uint8Array.of(128)), 4);
  });
});
