/** The fast paths of the byte queue: each takes exactly what a search of the text finds, and changes nothing where it does not apply. */
import "../support/leak-guard.js";
import "../property/seed.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { ByteQueue } from "#src/base/byte-queue.js";
import { Separators } from "#src/base/separators.js";

const bytes = (text: string): Buffer => Buffer.from(text, "latin1");

/** A chunk that is kept as it is, not copied behind the first. */
const LARGE = "m".repeat(20_000);

/** A queue whose first chunk is `text` without its first `skipped` bytes, and what it holds. */
function queueOf(text: string, skipped: number, hasMore: boolean): { queue: ByteQueue; rest: string } {
  const queue = new ByteQueue();
  queue.push(bytes(text));
  if (hasMore) queue.push(bytes(LARGE));
  queue.skip(skipped);
  return { queue, rest: text.slice(skipped) };
}

/** Checks that `count` bytes of `rest` were taken, and that the others are still there. */
function assertLeft(queue: ByteQueue, rest: string, hasMore: boolean, count: number): void {
  const left = rest.slice(count) + (hasMore ? LARGE : "");
  assert.equal(queue.length, left.length);
  assert.equal(queue.takeAll().toString("latin1"), left);
}

const text = fc.array(fc.constantFrom("a", "b", ";", "\r", "\n"), { minLength: 2, maxLength: 12 }).map((letters) => letters.join(""));
const piece = fc.array(fc.constantFrom("a", ";", "\r", "\n"), { minLength: 1, maxLength: 3 }).map((letters) => letters.join(""));
const state = fc
  .record({ text, part: fc.double({ min: 0, max: 0.99, noNaN: true }), hasMore: fc.boolean() })
  .map(({ text: all, part, hasMore }) => ({ all, skipped: Math.floor(part * all.length), hasMore }));
const limit = fc.integer({ min: 0, max: 8 });

describe("the fast paths of a ByteQueue", () => {
  it("take through the first of several separators in the first chunk", () => {
    fc.assert(
      fc.property(state, fc.uniqueArray(piece, { minLength: 1, maxLength: 3 }), limit, fc.boolean(), (at, list, most, keep) => {
        const { queue, rest } = queueOf(at.all, at.skipped, at.hasMore);
        const result = queue.takeThrough(new Separators(list.map(bytes)), most, keep);
        let end = 1;
        const endings = (): number[] => list.filter((one) => rest.slice(0, end).endsWith(one)).map(({ length }) => length);
        while (end <= rest.length && endings().length === 0) end += 1;
        if (end > rest.length || end - Math.min(...endings()) > most) {
          assert.equal(result, undefined);
          assertLeft(queue, rest, at.hasMore, 0);
        } else {
          assert.equal(result?.toString("latin1"), rest.slice(0, keep ? end : end - Math.max(...endings())));
          assertLeft(queue, rest, at.hasMore, end);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("take text through a byte, without the byte and another in front of it if that is asked for", () => {
    fc.assert(
      fc.property(state, limit, fc.boolean(), (at, most, keep) => {
        const { queue, rest } = queueOf(at.all, at.skipped, at.hasMore);
        const result = queue.takeTextThroughByte(10, most, "latin1", keep, 13);
        const found = rest.indexOf("\n");
        if (found === -1 || found > most) {
          assert.equal(result, undefined);
          assertLeft(queue, rest, at.hasMore, 0);
        } else {
          assert.equal(result, keep ? rest.slice(0, found + 1) : rest.slice(0, found).replace(/\r$/, ""));
          assertLeft(queue, rest, at.hasMore, found + 1);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it("take and skip a number of bytes, and copy them", () => {
    fc.assert(
      fc.property(state, fc.integer({ min: 1, max: 14 }), fc.nat(6), fc.nat(6), (at, count, one, other) => {
        const make = (): { queue: ByteQueue; rest: string } => queueOf(at.all, at.skipped, at.hasMore);
        const { rest } = make();
        const whole = rest + (at.hasMore ? LARGE : "");
        const isThere = count <= rest.length;
        if (count <= whole.length) {
          const { queue } = make();
          assert.equal(queue.tryTake(count)?.toString("latin1"), whole.slice(0, count));
          assert.equal(queue.takeAll().toString("latin1"), whole.slice(count));
        }
        const [from, to] = [Math.min(one, other, count), Math.min(Math.max(one, other), count)];
        const parted = make();
        assert.equal(parted.queue.takePart(count, from, to)?.toString("latin1"), isThere ? rest.slice(from, to) : undefined);
        assertLeft(parted.queue, rest, at.hasMore, isThere ? count : 0);
        const skipping = make();
        assert.equal(skipping.queue.trySkip(count), isThere);
        assertLeft(skipping.queue, rest, at.hasMore, isThere ? count : 0);
        for (const room of [count - 1, count, count + 1]) {
          const copying = make();
          const target = Buffer.alloc(room);
          assert.equal(copying.queue.copyFirst(target, count), isThere && room >= count);
          assert.equal(target.toString("latin1").replaceAll("\0", ""), isThere && room >= count ? rest.slice(0, count) : "");
          assertLeft(copying.queue, rest, at.hasMore, 0);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it("show the first chunk, its text, and the last of its lines", () => {
    fc.assert(
      fc.property(state, fc.integer({ min: 1, max: 14 }), (at, most) => {
        const { queue, rest } = queueOf(at.all, at.skipped, at.hasMore);
        assert.equal(queue.first?.toString("latin1", queue.firstOffset), rest);
        assert.equal(queue.endOfLast(10, most), rest.slice(0, most).lastIndexOf("\n") + 1);
        const count = Math.min(most, rest.length);
        assert.equal(queue.textOf(count, "latin1"), rest.slice(0, count));
      }),
      { numRuns: 500 },
    );
  });

  it("do not apply to an empty queue", () => {
    for (const queue of [new ByteQueue(), queueOf("ab", 2, false).queue]) {
      assert.equal(queue.takeThroughByte(10, 9), undefined);
      assert.equal(queue.takeThrough(new Separators([bytes("\n")]), 9, true), undefined);
      assert.equal(queue.takeTextThroughByte(10, 9, "latin1", true, 13), undefined);
      assert.equal(queue.takePart(1, 0, 1), undefined);
      assert.equal(queue.trySkip(1), false);
      assert.equal(queue.copyFirst(Buffer.alloc(9), 1), false);
      assert.equal(queue.first, undefined);
      assert.equal(queue.endOfLast(10, 9), 0);
    }
  });

  it("do not apply to a number that is not one, as parsed from bytes that are not there any more", () => {
    for (const count of [Number.NaN, 3]) {
      const { queue } = queueOf("ab", 0, false);
      assert.equal(queue.takePart(count, 0, 1), undefined);
      assert.equal(queue.trySkip(count), false);
      assert.equal(queue.copyFirst(Buffer.alloc(9), count), false);
      assertLeft(queue, "ab", false, 0);
    }
  });

  /** A queue of two small chunks: the second was copied into a block, which more may be appended to. */
  const withBlock = (): ByteQueue => {
    const queue = new ByteQueue();
    for (const small of ["one\r\n", "two\r\n", "three"]) queue.push(bytes(small));
    return queue;
  };

  it("hand out no bytes of a block to which more is appended", () => {
    const queue = withBlock();
    assert.equal(queue.takeThrough(new Separators([bytes("\r\n")]), 9, false), undefined);
    assert.equal(queue.takePart(5, 0, 3), undefined);
    assert.equal(String(queue.takeThroughByte(10, 9)), "one\r\n");
    assert.equal(queue.takePart(5, 0, 3), undefined);
    const taken = queue.tryTake(5);
    assert.equal(String(taken), "two\r\n");
    queue.push(bytes("!"));
    assert.equal(String(taken), "two\r\n");
    assert.equal(String(queue.takeAll()), "three!");
    const text = withBlock();
    for (const line of ["one", "two"]) assert.equal(text.takeTextThroughByte(10, 9, "latin1", false, 13), line);
    assert.equal(text.trySkip(2), true);
    assert.equal(String(text.takeAll()), "ree");
  });

  it("hand out no bytes of memory that the system may read into", () => {
    const reserved = (): ByteQueue => {
      const queue = new ByteQueue();
      queue.push(bytes(`a\r\n${"x".repeat(20_000)}`));
      assert.equal(queue.reserve(70_000)?.length, 70_000 - 20_003);
      return queue;
    };
    const refused = reserved();
    assert.equal(refused.takeThrough(new Separators([bytes("\r\n")]), 9, false), undefined);
    assert.equal(refused.takeTextThroughByte(10, 9, "latin1", false, 13), undefined);
    assert.equal(refused.takePart(3, 0, 1), undefined);
    assert.equal(refused.trySkip(3), false);
    for (const take of [(queue: ByteQueue) => queue.takeThroughByte(10, 9), (queue: ByteQueue) => queue.tryTake(3)]) {
      const queue = reserved();
      const memory = queue.reserve(70_000)?.buffer;
      const taken = take(queue);
      assert.equal(String(taken), "a\r\n");
      assert.notEqual(taken?.buffer, memory);
      assert.equal(queue.length, 20_000);
    }
  });

  it("leave bytes whose memory is detached to the regular read, which reports it", () => {
    const chunk = new Uint8Array(bytes("abc\n"));
    const queue = new ByteQueue();
    queue.push(chunk);
    structuredClone(chunk, { transfer: [chunk.buffer] });
    assert.equal(queue.tryTake(2), undefined);
    assert.equal(queue.takePart(2, 0, 2), undefined);
    assert.equal(queue.trySkip(2), false);
    assert.equal(queue.copyFirst(Buffer.alloc(4), 2), false);
    assert.equal(queue.length, 4);
  });
});
