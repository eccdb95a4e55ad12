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
