/** Memory that is reserved for a message: what is read into it lies where it belongs, and nobody else's bytes are touched. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ByteQueue } from "#src/base/byte-queue.js";

const MESSAGE_BYTES = 100_000;

function reserved(queue: ByteQueue, count: number = MESSAGE_BYTES): Buffer {
  const memory = queue.reserve(count);
  assert.ok(memory !== null, "nothing was reserved");
  return memory;
}

/** As the system does it: fills the beginning of the memory, and pushes that. */
function read(queue: ByteQueue, memory: Buffer, value: number, count: number): void {
  queue.push(memory.fill(value, 0, count).subarray(0, count));
}

describe("ByteQueue.reserve", () => {
  it("makes room for the rest of the message, behind what has come", () => {
    const queue = new ByteQueue();
    queue.push(Buffer.alloc(2000, 1));
    assert.equal(reserved(queue).length, MESSAGE_BYTES - 2000);
  });

  it("gives the message without another copy", () => {
    const queue = new ByteQueue();
    queue.push(Buffer.alloc(2000, 1));
    const memory = reserved(queue);
    read(queue, memory, 2, 50_000);
    read(queue, reserved(queue), 3, 48_000);
    assert.equal(queue.length, MESSAGE_BYTES);
    const message = queue.take(MESSAGE_BYTES);
    assert.equal(message.buffer, memory.buffer);
    assert.deepEqual(message, Buffer.concat([Buffer.alloc(2000, 1), Buffer.alloc(50_000, 2), Buffer.alloc(48_000, 3)]));
  });

  it("is refused for what is short, too long, or there already", () => {
    const queue = new ByteQueue();
    assert.equal(queue.reserve(10_000), null);
    assert.equal(queue.reserve(2 ** 30), null);
    queue.push(Buffer.alloc(70_000));
    assert.equal(queue.reserve(70_000), null);
  });

  it("does no harm when something else is pushed", () => {
    const queue = new ByteQueue();
    const memory = reserved(queue);
    read(queue, memory, 1, 1000);
    queue.push(Buffer.from("other"));
    read(queue, memory.subarray(1000), 2, 1000);
    assert.deepEqual(queue.takeAll(), Buffer.concat([Buffer.alloc(1000, 1), Buffer.from("other"), Buffer.alloc(1000, 2)]));
  });

  it("does no harm when what had come is taken or put back meanwhile", () => {
    const queue = new ByteQueue();
    const memory = reserved(queue);
    read(queue, memory, 1, 3000);
    const taken = queue.take(1000);
    queue.unshift(Buffer.from("back"));
    const late = memory.subarray(3000);
    read(queue, late, 2, 2000);
    assert.deepEqual(taken, Buffer.alloc(1000, 1));
    assert.deepEqual(queue.takeAll(), Buffer.concat([Buffer.from("back"), Buffer.alloc(2000, 1), Buffer.alloc(2000, 2)]));
  });

  it("does no harm when everything is taken before the system has read", () => {
    const queue = new ByteQueue();
    const memory = reserved(queue);
    read(queue, memory, 1, 10);
    const taken = queue.takeAll();
    read(queue, memory.subarray(10), 2, 10);
    queue.push(Buffer.alloc(10, 3));
    assert.deepEqual(taken, Buffer.alloc(10, 1));
    assert.deepEqual(queue.takeAll(), Buffer.concat([Buffer.alloc(10, 2), Buffer.alloc(10, 3)]));
  });
});

describe("what was reserved in a ByteQueue", () => {
  const COUNT = 70_000;

  /** Reserves memory behind `text`, which is in it then, and lets the system read `more` into the rest of it. */
  function reserved(queue: ByteQueue, text: string, more: string): Buffer {
    const first = queue.reserve(COUNT) as Buffer;
    queue.push(first.subarray(0, first.write(text)));
    const rest = queue.reserve(COUNT) as Buffer;
    return rest.subarray(0, rest.write(more));
  }

  it("may be as little and as much as pays", () => {
    const queue = new ByteQueue();
    assert.equal(queue.reserve(65_535), null);
    assert.equal(queue.reserve(65_536)?.length, 65_536);
    assert.equal(queue.reserve(16_777_216)?.length, 16_777_216);
    assert.equal(queue.reserve(16_777_217), null);
  });

  it("is the same memory from the first byte on", () => {
    const queue = new ByteQueue();
    const first = queue.reserve(COUNT) as Buffer;
    queue.push(first.subarray(0, 10));
    assert.equal(queue.reserve(COUNT)?.buffer, first.buffer);
  });

  it("is other memory after everything was taken: nobody's bytes are written over", () => {
    const queue = new ByteQueue();
    reserved(queue, "taken", "");
    const taken = queue.takeAll();
    const again = queue.reserve(COUNT) as Buffer;
    again.fill("x");
    assert.notEqual(again.buffer, taken.buffer);
    assert.equal(taken.toString(), "taken");
  });

  it("does not take other bytes for those it waits for, though they lie as far into their memory", () => {
    const queue = new ByteQueue();
    queue.reserve(COUNT);
    queue.push(Buffer.alloc(2000, "x"));
    assert.equal(queue.takeAll().toString(), "x".repeat(2000));
  });

  it("does not bring back bytes in whose place others were put", () => {
    const queue = new ByteQueue();
    const arriving = reserved(queue, "old", "!");
    queue.take(2);
    queue.unshift(Buffer.from("ne"));
    queue.push(arriving);
    assert.equal(queue.takeAll().toString(), "ned!");
  });

  it("does not put right the order in which bytes were put back", () => {
    const queue = new ByteQueue();
    const arriving = reserved(queue, "abcd", "!");
    const [a, b] = [queue.take(1), queue.take(1)];
    queue.unshift(a);
    queue.unshift(b);
    queue.push(arriving);
    assert.equal(queue.takeAll().toString(), "bacd!");
  });

  it("does not take bytes from the middle of its memory for its beginning", () => {
    const queue = new ByteQueue();
    const memory = queue.reserve(COUNT) as Buffer;
    memory.write("beginning, middle");
    queue.push(memory.subarray(11, 17));
    assert.equal(queue.takeAll().toString(), "middle");
  });

  it("leaves no trace when other bytes come first: they are taken as they are, not copied", () => {
    const queue = new ByteQueue();
    queue.reserve(COUNT);
    const other = Buffer.from("other");
    queue.push(other);
    assert.equal(queue.takeAll(), other);
  });

  it("is other memory after a part was taken: what is left is not written over", () => {
    const queue = new ByteQueue();
    queue.push(reserved(queue, "ab", "cd"));
    assert.equal(queue.take(1).toString(), "a");
    const again = queue.reserve(COUNT) as Buffer;
    again.fill("x");
    assert.equal(again.length, COUNT - 3);
    queue.push(again.subarray(0, 2));
    assert.equal(queue.takeAll().toString(), "bcdxx");
  });

  /** What has come of "abcd", with something taken or put back that leaves `left`; each leaves another trace of the memory at the front of the queue. */
  const meddlings: readonly (readonly [what: string, left: string, meddle: (queue: ByteQueue) => void])[] = [
    [
      "a part was taken behind other bytes that were put back",
      "cd",
      (queue) => {
        queue.take(2);
        queue.unshift(Buffer.from("other"));
        queue.take(5);
      },
    ],
    [
      "its beginning was put back, and taken in part",
      "bd",
      (queue) => {
        const ab = queue.take(2);
        queue.take(1);
        queue.unshift(ab);
        queue.take(1);
      },
    ],
    [
      "its beginning was put back without what came behind it",
      "acd",
      (queue) => {
        const a = queue.take(1);
        queue.take(1);
        queue.unshift(a);
      },
    ],
  ];
  for (const [what, left, meddle] of meddlings) {
    it(`is other memory after ${what}: what is left is not written over`, () => {
      const queue = new ByteQueue();
      queue.push(reserved(queue, "ab", "cd"));
      meddle(queue);
      const again = queue.reserve(COUNT) as Buffer;
      again.fill("x");
      queue.push(again.subarray(0, 1));
      assert.equal(queue.takeAll().toString(), `${left}x`);
    });
  }
});

describe("ByteQueue.release", () => {
  const isIn = (memory: Buffer, bytes: Buffer): boolean => bytes.buffer === memory.buffer;

  it("copies the little that has come, and what the system reads there once more", () => {
    const queue = new ByteQueue();
    const memory = reserved(queue);
    read(queue, memory, 1, 24_999);
    queue.release();
    const first = queue.takeAll();
    read(queue, memory.subarray(24_999), 2, 24_999);
    const second = queue.takeAll();
    assert.deepEqual([isIn(memory, first), isIn(memory, second)], [false, false]);
    assert.deepEqual([first, second], [Buffer.alloc(24_999, 1), Buffer.alloc(24_999, 2)]);
    assert.deepEqual([first.buffer.byteLength, second.buffer.byteLength], [24_999, 24_999]);
  });

  it("keeps what is a quarter of the memory, or more", () => {
    const queue = new ByteQueue();
    const memory = reserved(queue);
    read(queue, memory, 1, 25_000);
    queue.release();
    assert.ok(isIn(memory, queue.takeAll()));
    read(queue, memory.subarray(25_000), 2, 25_000);
    assert.ok(isIn(memory, queue.takeAll()));
  });

  it("copies what the system reads there behind other bytes", () => {
    const queue = new ByteQueue();
    const memory = reserved(queue);
    read(queue, memory, 1, 10);
    queue.release();
    read(queue, memory.subarray(10), 2, 20_000);
    queue.skip(10);
    const second = queue.takeAll();
    assert.equal(second.buffer.byteLength, 20_000);
    assert.deepEqual(second, Buffer.alloc(20_000, 2));
  });

  it("looks at the next bytes only, wherever they are from", () => {
    for (const size of [1, 2000]) {
      const queue = new ByteQueue();
      const memory = reserved(queue);
      read(queue, memory, 1, 10);
      queue.release();
      const other = Buffer.alloc(size);
      queue.push(other);
      queue.skip(10);
      assert.equal(queue.takeAll().length, size);
      queue.push(memory.subarray(10, 20));
      assert.ok(isIn(memory, queue.takeAll()));
    }
  });

  it("leaves other bytes of much memory as they are", () => {
    const queue = new ByteQueue();
    const memory = reserved(queue);
    read(queue, memory, 1, 10);
    queue.release();
    queue.clear();
    const other = Buffer.alloc(MESSAGE_BYTES).subarray(0, 10);
    queue.push(other);
    assert.equal(queue.takeAll(), other);
  });

  it("does nothing where nothing was reserved, or all of it has come", () => {
    const queue = new ByteQueue();
    queue.release();
    const memory = reserved(queue);
    read(queue, memory, 1, MESSAGE_BYTES);
    queue.release();
    assert.ok(isIn(memory, queue.takeAll()));
    queue.push(memory.subarray(0, 1));
    assert.ok(isIn(memory, queue.takeAll()));
  });

  it("finds what has come where something was put back before it, and taken again", () => {
    const queue = new ByteQueue();
    const memory = reserved(queue);
    read(queue, memory, 1, 1000);
    queue.unshift(Buffer.from("put back"));
    queue.skip(8);
    queue.release();
    const left = queue.takeAll();
    assert.deepEqual(left, Buffer.alloc(1000, 1));
    assert.equal(left.buffer.byteLength, 1000);
  });

  it("does not take for the beginning of the message what is not", () => {
    const queue = new ByteQueue();
    const memory = reserved(queue);
    read(queue, memory, 1, 1000);
    queue.take(500);
    queue.release();
    assert.deepEqual(queue.takeAll(), Buffer.alloc(500, 1));
  });

  it("is done, too, where other bytes come than those that were reserved for", () => {
    const queue = new ByteQueue();
    const memory = reserved(queue);
    read(queue, memory, 1, 1000);
    queue.push(Buffer.alloc(2000, 2));
    assert.equal(isIn(memory, queue.take(1000)), false);
    assert.deepEqual(queue.takeAll(), Buffer.alloc(2000, 2));
  });
});
