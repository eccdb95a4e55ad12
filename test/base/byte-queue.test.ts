import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ByteQueue } from "#src/base/byte-queue.js";
import { collectGarbage } from "../support/garbage.js";

/** A queue of these pieces. */
function queueOf(...pieces: readonly (string | Uint8Array)[]): ByteQueue {
  const queue = new ByteQueue();
  for (const piece of pieces) queue.push(typeof piece === "string" ? Buffer.from(piece) : piece);
  return queue;
}

/** A chunk that is kept as it is: 2,000 times the letter. */
function large(letter: string): Buffer {
  return Buffer.alloc(2000, letter);
}

describe("ByteQueue push", () => {
  it("counts the bytes", () => {
    assert.equal(new ByteQueue().length, 0);
    assert.equal(queueOf("ab", "", "cde").length, 5);
  });

  it("takes no note of nothing", () => {
    const queue = queueOf("", "a", "");
    assert.equal(queue.length, 1);
    assert.equal(queue.take(1).toString(), "a");
  });

  it("accepts a plain Uint8Array that is a part of a larger buffer", () => {
    const bytes = new Uint8Array([1, 2, 3, 4, 5]).subarray(1, 4);
    assert.deepEqual([...queueOf(bytes).takeAll()], [2, 3, 4]);
  });

  it("keeps a large chunk without copying it", () => {
    const first = large("a");
    const second = large("b");
    const queue = queueOf(first, second);
    assert.equal(queue.take(10).buffer, first.buffer);
    queue.skip(1990);
    assert.equal(queue.take(10).buffer, second.buffer);
  });

  it("copies small chunks together into few blocks of at most 64 KiB", () => {
    const queue = new ByteQueue();
    for (let index = 0; index < 200_000; index += 1) queue.push(Uint8Array.of(index % 251));
    const blocks = new Set<ArrayBufferLike>();
    for (let index = 0; index < 200_000; index += 1) {
      const byte = queue.take(1);
      assert.equal(byte[0], index % 251);
      // The first byte came when the queue was empty: a chunk of its own. From the last block, which is still appended to, bytes are copied.
      if (byte.buffer.byteLength > 1) blocks.add(byte.buffer);
    }
    assert.ok(blocks.size < 12, `${blocks.size} blocks`);
    assert.ok([...blocks].every((block) => block.byteLength <= 65_536));
  });

  it("starts with a small block, so that a short queue stays small", () => {
    const queue = queueOf("a", "b", "c");
    queue.skip(1);
    assert.ok(queue.take(1).buffer.byteLength <= 1024);
  });

  it("leaves what was taken from a block untouched by later pushes", () => {
    const queue = queueOf("a", "bcd");
    queue.skip(1);
    const taken = queue.take(2);
    for (let index = 0; index < 3000; index += 1) queue.push(Buffer.from("x"));
    assert.equal(taken.toString(), "bc");
    assert.equal(queue.take(2).toString(), "dx");
  });

  it("goes on after a large chunk that follows small ones", () => {
    const queue = queueOf("a", "b", large("c"), "d", "e");
    assert.equal(queue.takeAll().toString(), `ab${"c".repeat(2000)}de`);
  });
});

describe("ByteQueue take", () => {
  it("gives an empty Buffer for nothing, of an empty queue too", () => {
    assert.equal(new ByteQueue().take(0).length, 0);
    assert.equal(queueOf("a").take(0).length, 0);
    assert.equal(new ByteQueue().takeAll().length, 0);
  });

  it("gives a view of one chunk, and that chunk itself when it is taken whole", () => {
    const chunk = large("a");
    const queue = queueOf(chunk);
    const part = queue.take(500);
    assert.equal(part.buffer, chunk.buffer);
    assert.equal(part.byteOffset, chunk.byteOffset);
    assert.equal(queueOf(chunk).take(2000), chunk);
  });

  it("copies what lies across a seam into memory of its own, not of Node's pool", () => {
    for (const count of [2, 2001, 3999]) {
      const queue = queueOf(large("a"), large("b"));
      queue.skip(1);
      const taken = queue.take(count === 2 ? 2000 : count - 1);
      assert.equal(taken.buffer.byteLength, taken.length);
      assert.equal(taken.toString(), "a".repeat(1999) + "b".repeat(taken.length - 1999));
    }
  });

  it("takes across every pair of places in several chunks", () => {
    const pieces = [large("a").subarray(0, 1024), "b", "cc", large("d").subarray(0, 1030), "e"];
    const whole = Buffer.concat(pieces.map((piece) => Buffer.from(piece)));
    for (const skip of [0, 1, 1023, 1024, 1025, 1027, 1028, 2056]) {
      for (const count of [1, 2, 4, 1024, 1029]) {
        if (skip + count > whole.length) continue;
        const queue = queueOf(...pieces);
        queue.skip(skip);
        assert.ok(queue.take(count).equals(whole.subarray(skip, skip + count)), `${count} after ${skip}`);
        assert.equal(queue.length, whole.length - skip - count);
        assert.ok(queue.takeAll().equals(whole.subarray(skip + count)), `the rest after ${skip} and ${count}`);
      }
    }
  });

  it("is right through many chunks, when the list of used-up ones is moved up", () => {
    const queue = new ByteQueue();
    for (let index = 0; index < 500; index += 1) queue.push(Buffer.alloc(1024, index % 256));
    for (let index = 0; index < 500; index += 1) {
      assert.equal(queue.take(1024)[5], index % 256);
      if (index % 7 === 0) queue.push(Buffer.alloc(1024, 7));
    }
    assert.equal(queue.length, 72 * 1024);
    assert.ok(queue.takeAll().every((byte) => byte === 7));
  });
});

describe("ByteQueue skip and clear", () => {
  it("skips nothing, also of an empty queue", () => {
    const empty = new ByteQueue();
    empty.skip(0);
    assert.equal(empty.length, 0);
    const queue = queueOf("abc");
    queue.skip(0);
    assert.equal(queue.take(3).toString(), "abc");
  });

  it("skips to the end of a chunk, over several, and everything", () => {
    const queue = queueOf(large("a"), large("b"), large("c"));
    queue.skip(2000);
    assert.equal(queue.take(1).toString(), "b");
    queue.skip(1999 + 10);
    assert.equal(queue.take(1).toString(), "c");
    queue.skip(queue.length);
    assert.equal(queue.length, 0);
  });

  it("does not touch a chunk behind what is skipped or taken: its memory may have been given away", () => {
    const lost = new Uint8Array(2000);
    const queue = queueOf(large("a"), large("b"), lost, large("c"));
    structuredClone(lost, { transfer: [lost.buffer] });
    queue.skip(2000);
    assert.deepEqual(queue.take(2000), large("b"));
    assert.equal(queue.length, 4000);
    assert.throws(() => queue.take(1), { code: "ERR_MEMORY_DETACHED" });
  });

  it("clears everything, and can be filled again", () => {
    const queue = queueOf("a", "b", large("c"));
    queue.skip(1);
    queue.clear();
    assert.equal(queue.length, 0);
    assert.equal(queue.indexOf(Buffer.from("b")), -1);
    queue.push(Buffer.from("d"));
    queue.push(Buffer.from("e"));
    assert.equal(queue.takeAll().toString(), "de");
  });
});

/** How many bytes of memory are behind what is in the queue. Takes it all. */
function keptAlive(queue: ByteQueue): number {
  const memories = new Set<ArrayBufferLike>();
  while (queue.length > 0) memories.add(queue.take(1).buffer);
  return [...memories].reduce((sum, memory) => sum + memory.byteLength, 0);
}

/** So many bytes out of a block as sockets read into. */
function partOfBlock(length: number): Buffer {
  return Buffer.allocUnsafeSlow(65_536).subarray(100, 100 + length);
}

describe("ByteQueue memory", () => {
  it("copies what is less than a quarter of its memory, up to 16 KiB, and keeps the rest", () => {
    const cases: [length: number, memory: number, isKept: boolean][] = [
      [16_384, 65_536, true],
      [16_384, 1_000_000, true],
      [16_383, 65_536, false],
      [2_000, 8_000, true],
      [2_000, 8_001, false],
      [1_024, 4_096, true],
      [1_024, 4_097, false],
    ];
    for (const [length, memory, isKept] of cases) {
      const chunk = Buffer.allocUnsafeSlow(memory)
        .fill("x")
        .subarray(memory - length);
      const queue = queueOf("first", chunk, "last");
      queue.skip(5);
      const taken = queue.take(length);
      assert.equal(taken.buffer === chunk.buffer, isKept, `${length} of ${memory}`);
      assert.ok(taken.equals(chunk));
      assert.equal(queue.takeAll().toString(), "last");
    }
  });

  it("keeps alive five times its length at most, and 128 KiB, whatever the pieces are that a peer chose", () => {
    for (const long of [1, 1_000, 1_024, 4_096, 16_383, 16_384, 30_000]) {
      for (const short of [1, 500, 1_023, 1_024, 1_500, 8_000]) {
        const queue = new ByteQueue();
        while (queue.length < 200_000) {
          queue.push(partOfBlock(long));
          queue.push(partOfBlock(short));
        }
        const { length } = queue;
        const kept = keptAlive(queue);
        assert.ok(kept <= 5 * length + 131_072, `${kept} bytes for ${length}, in pieces of ${long} and ${short}`);
      }
    }
  });

  it("takes a block that is just long enough", () => {
    for (const size of [1024, 2048]) {
      const queue = queueOf("first", partOfBlock(size));
      queue.skip(5);
      assert.equal(queue.take(size).buffer.byteLength, size);
    }
  });

  it("keeps alive no more where pieces are put back between others", () => {
    const queue = new ByteQueue();
    for (let index = 0; index < 3_000; index += 1) {
      queue.push(Buffer.of(index % 251));
      queue.unshift(queue.take(1));
    }
    for (let index = 0; index < 2_000; index += 1) assert.equal(queue.take(1)[0], index % 251);
    const kept = keptAlive(queue);
    assert.ok(kept <= 8_192, `${kept} bytes`);
  });

  it("goes on in order behind a part of a block that was taken and put back", () => {
    const queue = queueOf("first", "abc");
    queue.skip(5);
    queue.unshift(queue.take(2));
    queue.push(Buffer.from("d"));
    assert.equal([queue.take(2), queue.take(1), queue.take(1)].join(" "), "ab c d");
  });

  it("lets go of the chunk of the last line when it is empty, and when it goes on to the next", async () => {
    const queues: ByteQueue[] = [];
    const chunks: WeakRef<ArrayBufferLike>[] = [];
    const fill = (): void => {
      for (let index = 0; index < 60; index += 1) {
        const chunk = Buffer.allocUnsafeSlow(2000).fill("a line\n");
        chunks.push(new WeakRef(chunk.buffer));
        const queue = queueOf(chunk);
        if (index % 2 === 0) queue.push(large("b"));
        queue.takeThroughByte(0x0a, 100);
        queue.skip(2000 - 7);
        queues.push(queue);
      }
    };
    fill();
    await collectGarbage();
    const held = chunks.filter((chunk) => chunk.deref() !== undefined).length;
    assert.ok(held < 10, `${held} of 60 chunks are held`);
    assert.equal(
      queues.reduce((sum, { length }) => sum + length, 0),
      30 * 2000,
    );
  });

  it("begins with small blocks again behind a chunk that was kept", () => {
    const queue = new ByteQueue();
    while (queue.length < 100_000) queue.push(Buffer.from("trickles in"));
    queue.push(large("a"));
    queue.push(Buffer.from("b"));
    queue.skip(queue.length - 1);
    assert.ok(queue.take(1).buffer.byteLength <= 1024);
  });

  it("lets go of chunks that are used up while others are left", async () => {
    const queue = new ByteQueue();
    const chunks: WeakRef<ArrayBufferLike>[] = [];
    const fill = (): void => {
      for (let index = 0; index < 60; index += 1) {
        const chunk = Buffer.allocUnsafeSlow(2000);
        chunks.push(new WeakRef(chunk.buffer));
        queue.push(chunk);
      }
    };
    fill();
    queue.skip(49 * 2000);
    assert.equal(queue.take(2000).length, 2000);
    await collectGarbage();
    const held = chunks.filter((chunk) => chunk.deref() !== undefined).length;
    // The ten that are left, and a few that a runtime may hold on to for a while.
    assert.ok(held >= 10 && held < 20, `${held} of 60 chunks are held`);
    assert.equal(queue.length, 20_000);
  });
});

describe("ByteQueue copy and matches", () => {
  it("copies a range without taking it, into memory of its own", () => {
    const queue = queueOf(large("a"), "b", "c");
    queue.skip(1);
    const copied = queue.copy(1998, 2001);
    assert.equal(copied.toString(), "abc");
    assert.equal(copied.buffer.byteLength, 3);
    assert.equal(queue.length, 2001);
  });

  it("tells whether bytes stand at a position, which may be past the end", () => {
    const queue = queueOf(large("a"), "bc");
    assert.equal(queue.matches(Buffer.from("ab"), 1999), true);
    assert.equal(queue.matches(Buffer.from("ab"), 1998), false);
    assert.equal(queue.matches(Buffer.from("c"), 2001), true);
    assert.equal(queue.matches(Buffer.from("c"), 2002), false);
    assert.equal(queue.matches(Buffer.from("cd"), 2001), false);
  });
});

describe("ByteQueue.takeThroughByte", () => {
  /** A queue in which the first chunk is partly taken. */
  function queueOf(...chunks: readonly string[]): ByteQueue {
    const queue = new ByteQueue();
    for (const chunk of chunks) queue.push(Buffer.from(chunk.padEnd(2000, "-")));
    return queue;
  }

  it("takes through the first such byte of the first chunk", () => {
    const queue = queueOf("..ab\ncd\n");
    queue.skip(2);
    assert.equal(queue.takeThroughByte(10, 5)?.toString(), "ab\n");
    assert.equal(queue.takeThroughByte(10, 2)?.toString(), "cd\n");
    assert.equal(queue.length, 1992);
  });

  it("takes nothing if more than so many come before it", () => {
    const queue = queueOf("..ab\n");
    queue.skip(2);
    assert.equal(queue.takeThroughByte(10, 1), undefined);
    assert.equal(queue.length, 1998);
    assert.equal(queue.takeThroughByte(10, 2)?.toString(), "ab\n");
  });

  it("takes nothing if there is none in the first chunk, or no chunk", () => {
    const queue = queueOf("ab", "c\n");
    assert.equal(queue.takeThroughByte(10, 5000), undefined);
    assert.equal(queue.length, 4000);
    assert.equal(new ByteQueue().takeThroughByte(10, 5), undefined);
  });

  it("takes message after message, and gives back the chunk itself if there is but one in it", () => {
    const queue = new ByteQueue();
    const only = Buffer.from("only\n");
    queue.push(only);
    assert.equal(queue.takeThroughByte(10, 9), only);
    queue.push(Buffer.from("a\nbc\nd\n"));
    const next = Buffer.alloc(2000, "e");
    queue.push(next);
    for (const [line, left] of [
      ["a\n", 2005],
      ["bc\n", 2002],
      ["d\n", 2000],
    ] as const) {
      assert.equal(queue.takeThroughByte(10, 9)?.toString(), line);
      assert.equal(queue.length, left);
      assert.equal(queue.taken, 2012 - left);
    }
    assert.equal(queue.takeThroughByte(10, 9), undefined);
    assert.equal(queue.take(2000), next);
  });

  it("takes a byte that comes first", () => {
    assert.equal(queueOf("\nab").takeThroughByte(10, 0)?.toString(), "\n");
  });
});

describe("ByteQueue.unshift", () => {
  it("puts bytes back in front, and counts how often", () => {
    const queue = new ByteQueue();
    assert.equal(queue.putBack, 0);
    queue.unshift(Buffer.from("b"));
    queue.unshift(Buffer.from("a"));
    queue.unshift(Buffer.alloc(0));
    assert.equal(queue.putBack, 2);
    assert.equal(queue.length, 2);
    queue.push(Buffer.from("c"));
    assert.equal(queue.takeAll().toString(), "abc");
  });

  it("puts them behind what was taken, whole chunks and parts of one", () => {
    const queue = new ByteQueue();
    for (const letter of "abc") queue.push(Buffer.alloc(2000, letter));
    queue.skip(2500);
    queue.unshift(Buffer.from("x"));
    assert.equal(queue.take(3).toString(), "xbb");
    assert.equal(queue.length, 3498);
    assert.equal(queue.takeAll().toString(), "b".repeat(1498) + "c".repeat(2000));
  });

  it("leaves what was taken before as it is", () => {
    const queue = new ByteQueue();
    queue.push(Buffer.from("ab"));
    queue.push(Buffer.from("cd"));
    const taken = queue.take(3);
    queue.unshift(Buffer.from("x"));
    queue.push(Buffer.from("e"));
    assert.equal(taken.toString(), "abc");
    assert.equal(queue.takeAll().toString(), "xde");
  });
});

describe("ByteQueue.copyTo", () => {
  it("copies across chunks, from where the first is taken, and takes nothing", () => {
    const queue = new ByteQueue();
    for (const letter of "abc") queue.push(Buffer.alloc(2000, letter));
    queue.skip(1999);
    const target = Buffer.alloc(2003, "-");
    queue.copyTo(target, 2002);
    assert.equal(target.toString(), `a${"b".repeat(2000)}c-`);
    assert.equal(queue.length, 4001);
    queue.copyTo(target, 0);
    assert.equal(target.toString(), `a${"b".repeat(2000)}c-`);
  });
});

describe("the chunks of a ByteQueue", () => {
  it("are kept as they are if they are first, or not small", () => {
    const queue = new ByteQueue();
    const chunks = [Buffer.from("small"), Buffer.alloc(1024), Buffer.alloc(1025)];
    queue.push(Buffer.alloc(0));
    for (const chunk of chunks) queue.push(chunk);
    for (const chunk of chunks) assert.equal(queue.take(chunk.length), chunk);
  });

  it("are copied behind each other as long as the block has room, to its last byte", () => {
    const queue = new ByteQueue();
    queue.push(Buffer.from("first"));
    for (const size of [1000, 24, 1]) queue.push(Buffer.alloc(size));
    queue.skip(5);
    const [most, last, next] = [queue.take(1000), queue.take(24), queue.take(1)];
    assert.equal(most.buffer, last.buffer);
    assert.notEqual(last.buffer, next.buffer);
  });
});

describe("ByteQueue.taken", () => {
  it("counts what was taken, skipped and cleared", () => {
    const queue = new ByteQueue();
    assert.equal(queue.taken, 0);
    queue.push(Buffer.alloc(100));
    queue.take(10);
    assert.equal(queue.taken, 10);
    queue.skip(5);
    assert.equal(queue.taken, 15);
    queue.clear();
    assert.equal(queue.taken, 100);
    queue.push(Buffer.alloc(3));
    queue.takeAll();
    assert.equal(queue.taken, 103);
  });
});
