/** What was written in a turn comes out in order, joined, and its memory is used again only when it is free. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { release, WriteBatch } from "#src/transports/write-batch.js";

type Taken = ReturnType<WriteBatch["take"]>;

const piecesOf = (taken: Taken): readonly Uint8Array[] => (taken instanceof Uint8Array ? [taken] : taken);
const textOf = (taken: Taken): string => Buffer.concat(piecesOf(taken)).toString();

function filled(...texts: string[]): WriteBatch {
  const batch = new WriteBatch();
  for (const text of texts) batch.push(Buffer.from(text));
  return batch;
}

describe("WriteBatch", () => {
  it("copies a short piece at once, so that its memory may be changed or detached before it is sent", () => {
    const piece = Buffer.from("alone");
    const batch = new WriteBatch();
    batch.push(piece);
    piece.fill("x");
    assert.equal(textOf(batch.take()), "alone");
  });

  it("returns a single long piece without a copy", () => {
    const piece = Buffer.alloc(4096);
    const batch = new WriteBatch();
    batch.push(piece);
    assert.equal(batch.take(), piece);
  });

  it("refuses to return bytes whose memory is detached or shrunk, and is empty afterwards", () => {
    const lost = [
      (): Uint8Array => {
        const piece = new Uint8Array(5000);
        pushed.push(piece);
        structuredClone(piece, { transfer: [piece.buffer] });
        return piece;
      },
      (): Uint8Array => {
        const memory = new (
          ArrayBuffer as unknown as new (
            length: number,
            options: object,
          ) => ArrayBuffer & { resize(length: number): void }
        )(5000, { maxByteLength: 5000 });
        const piece = new Uint8Array(memory);
        pushed.push(piece);
        memory.resize(1000);
        return piece;
      },
    ];
    let pushed = new WriteBatch();
    for (const lose of lost) {
      pushed = new WriteBatch();
      pushed.push(Buffer.from("before "));
      lose();
      assert.throws(() => pushed.take(), { name: "DetachedMemoryError", code: "ERR_MEMORY_DETACHED" });
      pushed.push(Buffer.from("next"));
      assert.equal(textOf(pushed.take()), "next");
    }
  });

  it("refuses a short piece whose memory is detached", () => {
    const batch = filled("before ");
    const piece = Buffer.allocUnsafeSlow(100);
    structuredClone(piece, { transfer: [piece.buffer] });
    assert.throws(() => batch.push(piece), { name: "DetachedMemoryError", code: "ERR_MEMORY_DETACHED" });
    assert.equal(batch.length, 7);
    assert.equal(textOf(batch.take()), "before ");
  });

  it("joins short pieces into one", () => {
    const batch = filled("one ", "two ", "three");
    assert.equal(batch.length, 13);
    const taken = batch.take();
    assert.equal(piecesOf(taken).length, 1);
    assert.equal(textOf(taken), "one two three");
    assert.equal(batch.length, 0);
  });

  it("does not copy long pieces, and keeps the order", () => {
    const long = Buffer.alloc(10_000, "x");
    const batch = filled("before ", "it ");
    batch.push(long);
    batch.push(Buffer.from(" after"));
    const taken = batch.take();
    assert.equal(textOf(taken), `before it ${long} after`);
    assert.ok(piecesOf(taken).includes(long));
  });

  it("keeps the pieces of alternating writers apart", () => {
    const a = new WriteBatch();
    const b = new WriteBatch();
    for (let number = 0; number < 10; number += 1) {
      a.push(Buffer.from(`a${number} `));
      b.push(Buffer.from(`b${number} `));
    }
    assert.equal(textOf(a.take()), "a0 a1 a2 a3 a4 a5 a6 a7 a8 a9 ");
    assert.equal(textOf(b.take()), "b0 b1 b2 b3 b4 b5 b6 b7 b8 b9 ");
  });

  it("does not reuse memory that was taken and not released", () => {
    const taken = filled("first ", "run").take();
    const other = filled("second ", "run").take();
    assert.deepEqual([textOf(taken), textOf(other)], ["first run", "second run"]);
  });

  it("reuses released memory", () => {
    const taken = filled("first ", "run").take() as Uint8Array;
    release(taken);
    const other = filled("second ", "run").take() as Uint8Array;
    assert.deepEqual([other.buffer, other.byteOffset], [taken.buffer, taken.byteOffset]);
  });

  it("does not reuse memory behind which another run has begun", () => {
    const taken = filled("first ", "run").take();
    const open = filled("second ", "run");
    release(taken);
    const third = filled("third ", "run");
    assert.deepEqual([textOf(open.take()), textOf(third.take())], ["second run", "third run"]);
  });

  it("goes on in a new block when one is full", () => {
    const batch = new WriteBatch();
    const pieces = Array.from({ length: 200 }, (_, index) => Buffer.alloc(1000, index));
    for (const piece of pieces) batch.push(piece);
    assert.deepEqual(Buffer.concat(piecesOf(batch.take())), Buffer.concat(pieces));
  });

  it("drops everything when it is cleared, and may be used again", () => {
    const batch = filled("never ", "sent");
    batch.clear();
    assert.equal(batch.length, 0);
    batch.push(Buffer.from("sent"));
    assert.equal(textOf(batch.take()), "sent");
  });
});
