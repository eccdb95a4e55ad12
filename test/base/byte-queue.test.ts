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
});

describe("the block of a ByteQueue to which small chunks are appended", () => {
  const takers: Readonly<Record<string, (queue: ByteQueue, count: number) => Buffer | undefined>> = {
    take: (queue, count) => queue.take(count),
    tryTake: (queue, count) => queue.tryTake(count),
    takeThroughByte: (queue) => queue.takeThroughByte(0x0a, 1000),
  };

  for (const [name, taker] of Object.entries(takers)) {
    it(`is never written to after ${name}() has handed a part of it out`, () => {
      for (const filled of [10, 1000]) {
        const queue = queueOf("a", `${"b".repeat(filled - 1)}\n`, "more");
        queue.skip(1);
        const taken = taker(queue, filled) as Buffer;
        const before = Buffer.from(taken.buffer).toString("latin1");
        queue.push(Buffer.from("c"));
        assert.equal(Buffer.from(taken.buffer).toString("latin1"), before);
        assert.equal(taken.toString(), `${"b".repeat(filled - 1)}\n`);
        assert.equal(queue.takeAll().toString(), "morec");
      }
    });
  }

  it("goes on behind what was put back in front of the rest of it", () => {
    const queue = queueOf("a", "bbbbbbbbbb");
    queue.skip(1);
    assert.equal(queue.take(3).toString(), "bbb");
    queue.unshift(Buffer.from("zz"));
    queue.push(Buffer.from("ccccc"));
    queue.push(large("d"));
    assert.equal(queue.takeAll().toString(), `zzbbbbbbbccccc${large("d")}`);
  });
});

describe("ByteQueue take", () => {
  it("returns a view of one chunk, or the chunk itself if all of it is taken", () => {
    const chunk = large("a");
    const queue = queueOf(chunk);
    const part = queue.take(500);
    assert.equal(part.buffer, chunk.buffer);
    assert.equal(part.byteOffset, chunk.byteOffset);
    assert.equal(queueOf(chunk).take(2000), chunk);
  });

  it("copies bytes across a seam into memory of their own, not of Node's pool", () => {
    for (const count of [2000, 3998]) {
      const queue = queueOf(large("a"), large("b"));
      queue.skip(1);
      const taken = queue.take(count);
      assert.equal(taken.buffer.byteLength, taken.length);
      assert.equal(taken.toString(), "a".repeat(1999) + "b".repeat(taken.length - 1999));
    }
  });
});

describe("ByteQueue skip and clear", () => {
  it("does not touch the chunks behind the bytes it skips or takes, because their memory may be detached", () => {
    const lost = new Uint8Array(2000);
    const queue = queueOf(large("a"), large("b"), lost, large("c"));
    structuredClone(lost, { transfer: [lost.buffer] });
    queue.skip(2000);
    assert.deepEqual(queue.take(2000), large("b"));
    assert.equal(queue.length, 4000);
    assert.throws(() => queue.take(1), { code: "ERR_MEMORY_DETACHED" });
  });
});

/** Empties the queue, and returns how much memory it kept alive. A look at each hundredth byte finds every chunk that matters. */
function keptAlive(queue: ByteQueue): number {
  const memories = new Set<ArrayBufferLike>();
  for (; queue.length > 0; queue.skip(Math.min(99, queue.length))) memories.add(queue.take(1).buffer);
  return [...memories].reduce((sum, memory) => sum + memory.byteLength, 0);
}

/** So many bytes out of a block as sockets read into. */
function partOfBlock(length: number): Buffer {
  return Buffer.allocUnsafeSlow(65_536).subarray(100, 100 + length);
}

describe("ByteQueue memory", () => {
  it("copies a chunk of less than 16 KiB and a quarter of its memory, and keeps any other", () => {
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

  it("keeps alive at most five times its length plus 128 KiB, whatever pieces a peer sends", () => {
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

  it("begins a block that is just long enough", () => {
    for (const size of [1024, 2048]) {
      const queue = queueOf("first", partOfBlock(size));
      queue.skip(5);
      assert.equal(queue.take(size).buffer.byteLength, size);
    }
  });

  it("keeps alive no more memory when pieces are put back between others", () => {
    const queue = new ByteQueue();
    for (let index = 0; index < 3_000; index += 1) {
      queue.push(Buffer.of(index % 251));
      queue.unshift(queue.take(1));
    }
    for (let index = 0; index < 2_000; index += 1) assert.equal(queue.take(1)[0], index % 251);
    const kept = keptAlive(queue);
    assert.ok(kept <= 8_192, `${kept} bytes`);
  });

  it("releases the chunk of the last line when it is empty, and when it goes on to the next", async () => {
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

  it("releases consumed chunks while others are left", async () => {
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

  it("takes nothing if the first chunk does not hold the byte, or if there is no chunk", () => {
    const queue = queueOf("ab", "c\n");
    assert.equal(queue.takeThroughByte(10, 5000), undefined);
    assert.equal(queue.length, 4000);
    assert.equal(new ByteQueue().takeThroughByte(10, 5), undefined);
  });

  it("takes message after message, and returns the chunk itself if it holds only one", () => {
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
});

describe("the chunks of a ByteQueue", () => {
  it("are kept without a copy if they are first, or not small", () => {
    const queue = new ByteQueue();
    const chunks = [Buffer.from("small"), Buffer.alloc(1024), Buffer.alloc(1025)];
    queue.push(Buffer.alloc(0));
    for (const chunk of chunks) queue.push(chunk);
    for (const chunk of chunks) assert.equal(queue.take(chunk.length), chunk);
  });

  it("are copied into one block until its last byte is used", () => {
    const queue = new ByteQueue();
    queue.push(Buffer.from("first"));
    for (const size of [1000, 24, 1]) queue.push(Buffer.alloc(size));
    queue.skip(5);
    const [most, last, next] = [queue.take(1000), queue.take(24), queue.take(1)];
    assert.equal(most.buffer, last.buffer);
    assert.notEqual(last.buffer, next.buffer);
  });
});

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
  for (const needle of ["n", "ne", "nee", "needle", "aab", "aaaa"]) {
    const text = `..nn.aaab..needle..needle aaaa..`;
    it(`finds ${JSON.stringify(needle)} across a seam at any position`, () => {
      for (let place = 0; place <= text.length; place += 1) {
        // Fill to a large chunk after the seam too, or the pieces would be copied into one block.
        const padded = text + ".".repeat(LARGE);
        assert.equal(split(padded, place).indexOf(Buffer.from(needle)), padded.indexOf(needle), `split at ${place}`);
      }
    });
  }

  it("finds only matches that lie completely within the range", () => {
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

describe("the fast paths of ByteQueue", () => {
  it("take nothing for a count that is not a number, as parsed from bytes that are not there any more", () => {
    for (const queue of [queueOf(large("a")), queueOf(large("a"), large("b")), new ByteQueue()]) {
      const { length } = queue;
      assert.equal(queue.takePart(Number.NaN, 0, Number.NaN), undefined);
      assert.equal(queue.trySkip(Number.NaN), false);
      assert.equal(queue.copyFirst(new Uint8Array(8), Number.NaN), false);
      assert.deepEqual([queue.length, queue.taken], [length, 0]);
    }
  });
});
