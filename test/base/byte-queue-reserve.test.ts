/** Memory that is reserved for a message: what is read into it lies where it belongs, and nobody else's bytes are touched. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ByteQueue } from "#src/base/byte-queue.js";

const MESSAGE_BYTES = 100_000;
/** What has to be there before memory is reserved: a quarter. */
const QUARTER = MESSAGE_BYTES / 4;

function reserved(queue: ByteQueue, count: number = MESSAGE_BYTES): Buffer {
  const memory = queue.reserve(count);
  assert.ok(memory !== null, "nothing was reserved");
  return memory;
}

/** A queue with a quarter of the message, of the value 1, and the memory for the rest. */
function begun(): { readonly queue: ByteQueue; readonly memory: Buffer } {
  const queue = new ByteQueue();
  queue.push(Buffer.alloc(QUARTER, 1));
  return { queue, memory: reserved(queue) };
}

/** As the system does it: fills the beginning of the memory, and pushes that. */
function read(queue: ByteQueue, memory: Buffer, value: number, count: number): void {
  queue.push(memory.fill(value, 0, count).subarray(0, count));
}

const isIn = (memory: Buffer, bytes: Buffer): boolean => bytes.buffer === memory.buffer;

describe("ByteQueue.reserve", () => {
  it("gives the message without another copy", () => {
    const { queue, memory } = begun();
    read(queue, memory, 2, 50_000);
    read(queue, reserved(queue), 3, 25_000);
    assert.equal(queue.length, MESSAGE_BYTES);
    const message = queue.take(MESSAGE_BYTES);
    assert.ok(isIn(memory, message));
    assert.deepEqual(message, Buffer.concat([Buffer.alloc(QUARTER, 1), Buffer.alloc(50_000, 2), Buffer.alloc(25_000, 3)]));
  });

  it("is refused for a message that is short, too long, or complete", () => {
    const queue = new ByteQueue();
    queue.push(Buffer.alloc(60_000));
    assert.equal(queue.reserve(65_535), null);
    assert.equal(queue.reserve(60_000), null);
    queue.push(Buffer.alloc(10_000));
    assert.equal(queue.reserve(70_000), null);
    assert.equal(queue.reserve(69_999), null);
    queue.push(Buffer.alloc(5_000_000));
    assert.equal(queue.reserve(16_777_217), null);
    assert.equal(queue.reserve(16_777_216)?.buffer.byteLength, 16_777_216);
  });

  it("is refused while the queue is empty, also after a message of that length", () => {
    const { queue, memory } = begun();
    read(queue, memory, 2, MESSAGE_BYTES - QUARTER);
    queue.takeAll();
    assert.equal(queue.reserve(MESSAGE_BYTES), null);
    queue.push(Buffer.alloc(1));
    assert.equal(queue.reserve(MESSAGE_BYTES)?.length, MESSAGE_BYTES - 1);
  });

  it("is refused when memory in the queue is detached, and changes nothing", () => {
    const queue = new ByteQueue();
    const lost = new Uint8Array(QUARTER);
    queue.push(lost);
    structuredClone(lost, { transfer: [lost.buffer] });
    assert.equal(queue.reserve(MESSAGE_BYTES), null);
    assert.equal(queue.length, QUARTER);
  });

  it("is refused when there is no memory, and leaves the queue unchanged", () => {
    const allocUnsafeSlow = Buffer.allocUnsafeSlow.bind(Buffer);
    const queue = new ByteQueue();
    queue.push(Buffer.alloc(QUARTER, 1));
    Buffer.allocUnsafeSlow = () => {
      throw new RangeError("Array buffer allocation failed");
    };
    try {
      assert.equal(queue.reserve(MESSAGE_BYTES), null);
    } finally {
      Buffer.allocUnsafeSlow = allocUnsafeSlow;
    }
    assert.deepEqual(queue.takeAll(), Buffer.alloc(QUARTER, 1));
  });

  it("returns the same memory until the message is complete", () => {
    const { queue, memory } = begun();
    read(queue, memory, 2, 10);
    assert.equal(reserved(queue).buffer, memory.buffer);
  });
});

describe("the reserved memory of a ByteQueue", () => {
  it("is kept when there is no memory for a copy: take() throws, and no bytes are lost", () => {
    const allocUnsafeSlow = Buffer.allocUnsafeSlow.bind(Buffer);
    const { queue } = begun();
    Buffer.allocUnsafeSlow = () => {
      throw new RangeError("Array buffer allocation failed");
    };
    try {
      queue.release();
      assert.throws(() => queue.take(10), { name: "ConnectionMemoryError", code: "ENOMEM" });
    } finally {
      Buffer.allocUnsafeSlow = allocUnsafeSlow;
    }
    assert.deepEqual(queue.takeAll(), Buffer.alloc(QUARTER, 1));
  });

  it("is given up for bytes of other memory, wherever they lie in it", () => {
    const { queue } = begun();
    const other = Buffer.allocUnsafeSlow(MESSAGE_BYTES).fill(7);
    queue.push(other.subarray(QUARTER, QUARTER + 10));
    assert.deepEqual(queue.take(QUARTER + 10), Buffer.concat([Buffer.alloc(QUARTER, 1), Buffer.alloc(10, 7)]));
    assert.equal(queue.length, 0);
  });

  it("is given up for bytes of a wrong place in it", () => {
    const { queue, memory } = begun();
    queue.push(memory.fill(2, 0, 20).subarray(10, 20));
    const taken = queue.takeAll();
    assert.deepEqual([taken, isIn(memory, taken)], [Buffer.concat([Buffer.alloc(QUARTER, 1), Buffer.alloc(10, 2)]), false]);
  });

  for (const isReleased of [true, false]) {
    it(`may be read into once more after another ${isReleased ? "has been reserved behind a release" : "has taken its place"}`, () => {
      const queue = new ByteQueue();
      queue.push(Buffer.alloc(30_000, 1));
      const first = reserved(queue, 100_000);
      if (isReleased) queue.release();
      reserved(queue, 110_000);
      read(queue, first, 2, 20_000);
      queue.skip(30_000);
      const late = queue.takeAll();
      assert.deepEqual([late, isIn(first, late)], [Buffer.alloc(20_000, 2), false]);
    });
  }
});

describe("ByteQueue.tryTake", () => {
  it("takes a copy from the beginning of reserved memory", () => {
    const { queue, memory } = begun();
    const taken = queue.tryTake(10) as Buffer;
    assert.deepEqual([taken, isIn(memory, taken), queue.length], [Buffer.alloc(10, 1), false, QUARTER - 10]);
  });
});

describe("ByteQueue.takeThroughByte", () => {
  it("takes a copy of a message from the beginning of reserved memory", () => {
    const { queue, memory } = begun();
    const taken = queue.takeThroughByte(1, 100) as Buffer;
    assert.deepEqual([taken, isIn(memory, taken), queue.length], [Buffer.of(1), false, QUARTER - 1]);
  });
});

describe("ByteQueue.release", () => {
  it("copies a small last read out of the memory, so that it does not keep all of it alive", () => {
    const { queue, memory } = begun();
    queue.release();
    queue.clear();
    read(queue, memory, 2, 24_999);
    const shown = queue.takeAll();
    assert.deepEqual([shown, shown.buffer.byteLength], [Buffer.alloc(24_999, 2), 24_999]);
  });

  it("keeps a quarter of the memory, or more", () => {
    const { queue, memory } = begun();
    queue.release();
    queue.clear();
    read(queue, memory, 2, 25_000);
    assert.ok(isIn(memory, queue.takeAll()));
  });

  it("affects only the next push", () => {
    for (const size of [1, 2000]) {
      const { queue, memory } = begun();
      queue.release();
      queue.clear();
      const other = Buffer.alloc(size);
      queue.push(other);
      assert.equal(queue.takeAll(), other);
      queue.push(memory.subarray(10, 20));
      assert.ok(isIn(memory, queue.takeAll()));
    }
  });

  it("does nothing if no memory is reserved, or if the message is complete", () => {
    new ByteQueue().release();
    const { queue, memory } = begun();
    read(queue, memory, 1, MESSAGE_BYTES - QUARTER);
    queue.release();
    assert.ok(isIn(memory, queue.takeAll()));
    queue.push(memory.subarray(0, 1));
    assert.ok(isIn(memory, queue.takeAll()));
  });
});

describe("ByteQueue.endReading", () => {
  it("drops the memory, because the system reads into it no more", () => {
    const { queue, memory } = begun();
    queue.endReading();
    queue.clear();
    queue.push(memory.subarray(0, 10));
    assert.ok(isIn(memory, queue.takeAll()));
  });
});
