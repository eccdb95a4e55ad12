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
  it("makes room for the rest of the message, behind what has come", () => {
    const { memory } = begun();
    assert.deepEqual([memory.length, memory.buffer.byteLength], [MESSAGE_BYTES - QUARTER, MESSAGE_BYTES]);
  });

  it("gives the message without another copy", () => {
    const { queue, memory } = begun();
    read(queue, memory, 2, 50_000);
    read(queue, reserved(queue), 3, 25_000);
    assert.equal(queue.length, MESSAGE_BYTES);
    const message = queue.take(MESSAGE_BYTES);
    assert.ok(isIn(memory, message));
    assert.deepEqual(message, Buffer.concat([Buffer.alloc(QUARTER, 1), Buffer.alloc(50_000, 2), Buffer.alloc(25_000, 3)]));
  });

  it("is refused for what is short, too long, or there already", () => {
    const queue = new ByteQueue();
    queue.push(Buffer.alloc(60_000));
    assert.equal(queue.reserve(65_535), null);
    assert.equal(queue.reserve(60_000), null);
    queue.push(Buffer.alloc(5_000_000));
    assert.equal(queue.reserve(16_777_217), null);
    assert.equal(queue.reserve(16_777_216)?.buffer.byteLength, 16_777_216);
  });

  it("is refused where memory in the queue was given away, and changes nothing", () => {
    const queue = new ByteQueue();
    const lost = new Uint8Array(QUARTER);
    queue.push(lost);
    structuredClone(lost, { transfer: [lost.buffer] });
    assert.equal(queue.reserve(MESSAGE_BYTES), null);
    assert.equal(queue.length, QUARTER);
  });

  it("is refused before a quarter of the message has come, since an announcement costs a peer nothing", () => {
    const queue = new ByteQueue();
    assert.equal(queue.reserve(MESSAGE_BYTES), null);
    queue.push(Buffer.alloc(QUARTER - 1));
    assert.equal(queue.reserve(MESSAGE_BYTES), null);
    queue.push(Buffer.alloc(1));
    assert.equal(queue.reserve(MESSAGE_BYTES)?.length, MESSAGE_BYTES - QUARTER);
  });

  it("is refused where there is no memory, and leaves the queue as it was", () => {
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

  it("is the same memory until the message is whole", () => {
    const { queue, memory } = begun();
    read(queue, memory, 2, 10);
    assert.equal(reserved(queue).buffer, memory.buffer);
  });
});

/** What a program or a peer may do meanwhile, and what is left in the queue then. The system reads 100 bytes of the value 2 afterwards. */
const meddlings: readonly (readonly [what: string, left: Buffer, meddle: (queue: ByteQueue) => void])[] = [
  [
    "something else is pushed",
    Buffer.concat([Buffer.alloc(QUARTER, 1), Buffer.from("other")]),
    (queue) => queue.push(Buffer.from("other")),
  ],
  ["a part is taken", Buffer.alloc(QUARTER - 10, 1), (queue) => queue.take(10)],
  ["everything is taken", Buffer.alloc(0), (queue) => queue.takeAll()],
  ["a part is dropped", Buffer.alloc(QUARTER - 10, 1), (queue) => queue.skip(10)],
  ["everything is dropped", Buffer.alloc(0), (queue) => queue.clear()],
  ["bytes are put back", Buffer.concat([Buffer.from("back"), Buffer.alloc(QUARTER, 1)]), (queue) => queue.unshift(Buffer.from("back"))],
  [
    "its beginning is taken and put back",
    Buffer.alloc(QUARTER, 1),
    (queue) => {
      queue.unshift(queue.take(10));
    },
  ],
  ["a line is looked for and taken", Buffer.alloc(QUARTER - 1, 1), (queue) => queue.takeThroughByte(1, 100)],
  ["the read is given up", Buffer.alloc(QUARTER, 1), (queue) => queue.release()],
];

describe("what was reserved in a ByteQueue", () => {
  for (const [what, left, meddle] of meddlings) {
    it(`is not shown to the program while the system may read into it: ${what}`, () => {
      const { queue, memory } = begun();
      meddle(queue);
      const shown = queue.takeAll();
      memory.fill(9); // as the system may do now
      assert.equal(isIn(memory, shown), false);
      assert.deepEqual(shown, left);
    });

    it(`loses nothing that the system reads there afterwards: ${what}`, () => {
      const { queue, memory } = begun();
      meddle(queue);
      read(queue, memory, 2, 100);
      assert.deepEqual(queue.takeAll(), Buffer.concat([left, Buffer.alloc(100, 2)]));
      queue.push(Buffer.alloc(10, 3));
      assert.deepEqual(queue.takeAll(), Buffer.alloc(10, 3));
    });

    it(`is other memory for the next message: ${what}`, () => {
      const { queue, memory } = begun();
      meddle(queue);
      read(queue, memory, 2, 100);
      queue.push(Buffer.alloc(QUARTER, 3));
      assert.notEqual(reserved(queue).buffer, memory.buffer);
    });
  }

  it("is what was taken in one piece before is not: that stays as it was", () => {
    const { queue, memory } = begun();
    const taken = queue.take(10);
    memory.fill(9);
    read(queue, memory, 2, 100);
    assert.deepEqual(taken, Buffer.alloc(10, 1));
  });

  it("does not take bytes from the middle of its memory for its beginning", () => {
    const { queue, memory } = begun();
    queue.push(memory.subarray(11, 17).fill(2));
    assert.deepEqual(queue.takeAll(), Buffer.concat([Buffer.alloc(QUARTER, 1), Buffer.alloc(6, 2)]));
  });

  it("stays where there is no memory for a copy: whoever takes the bytes hears of it, and nothing is lost", () => {
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
});

describe("ByteQueue.release", () => {
  it("copies the little that the system reads there once more, which would keep all of it alive", () => {
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

  it("looks at the next bytes only, wherever they are from", () => {
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

  it("does nothing where nothing was reserved, or all of it has come", () => {
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
  it("lets go of the memory: nothing is read into it any more", () => {
    const { queue, memory } = begun();
    queue.endReading();
    queue.clear();
    queue.push(memory.subarray(0, 10));
    assert.ok(isIn(memory, queue.takeAll()));
  });
});
