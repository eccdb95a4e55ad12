/** The byte queue against a plain buffer, a few counters, and the rules of `reserve()`. */
import "../support/leak-guard.js";
import "./seed.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { ByteQueue } from "#src/base/byte-queue.js";

/** A part of the bytes in the queue, from 0 to 1. */
type Part = number;
/** A needle: these bytes, or a piece of what the queue holds. */
type Needle = Buffer | { readonly at: Part; readonly length: number };

type Operation =
  | { readonly name: "push" | "unshift"; readonly bytes: Uint8Array }
  | { readonly name: "pushMany"; readonly count: number }
  | { readonly name: "take" | "skip" | "copyTo" | "takeAndPutBack"; readonly part: Part }
  | { readonly name: "reserve"; readonly count: number | "fourfold" | "more than fourfold" | "the last" }
  | { readonly name: "arrive"; readonly part: Part; readonly text: string; readonly offset: number }
  | { readonly name: "takeThroughByte"; readonly byte: number; readonly limit: number }
  | { readonly name: "takeAll" | "clear" | "release" | "endReading" }
  | { readonly name: "copy"; readonly from: Part; readonly to: Part }
  | { readonly name: "indexOf"; readonly needle: Needle; readonly from: Part; readonly to: Part }
  | { readonly name: "matches"; readonly needle: Needle; readonly from: Part };

const part = fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom(0, 0.001, 0.01, 0.1, 1));
// With two letters, many places nearly match.
const letters = fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 12 }).map((text) => Buffer.from(text));
const needle: fc.Arbitrary<Needle> = fc.oneof(
  { weight: 3, arbitrary: fc.string({ unit: fc.constantFrom("a", "b"), minLength: 1, maxLength: 5 }).map((text) => Buffer.from(text)) },
  { weight: 1, arbitrary: fc.record({ at: part, length: fc.constantFrom(1, 2, 3, 7, 1100, 3000) }) },
);
const pattern = fc.string({ unit: fc.constantFrom("a", "b"), minLength: 1, maxLength: 12 });
// On both sides of 1 KiB, where small chunks end, and of 64 KiB, where blocks do.
const large = fc.constantFrom(1019, 1023, 1024, 1030, 70_000).chain((size) => pattern.map((text) => Buffer.alloc(size, text)));
// Parts of what sockets read into, on both sides of a quarter of it.
const partOfBlock = fc
  .constantFrom(1023, 1024, 5000, 16_383, 16_384, 40_000)
  .chain((size) => pattern.map((text) => Buffer.alloc(65_536, text).subarray(65_536 - size)));
const plain = letters.map((bytes) => new Uint8Array([0, ...bytes, 0]).subarray(1, bytes.length + 1));

const anyOperation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      name: fc.constantFrom("push" as const, "push" as const, "push" as const, "unshift" as const),
      bytes: fc.oneof(
        { weight: 4, arbitrary: letters },
        { weight: 1, arbitrary: plain },
        { weight: 2, arbitrary: large },
        { weight: 1, arbitrary: partOfBlock },
      ),
    }),
  },
  // More chunks than the consumed entries that the list keeps.
  { weight: 1, arbitrary: fc.record({ name: fc.constant("pushMany" as const), count: fc.constantFrom(3, 70, 140) }) },
  { weight: 4, arbitrary: fc.record({ name: fc.constantFrom("take" as const, "skip" as const), part }) },
  { weight: 1, arbitrary: fc.record({ name: fc.constantFrom("copyTo" as const, "takeAndPutBack" as const), part }) },
  {
    weight: 3,
    arbitrary: fc.record({
      name: fc.constant("reserve" as const),
      count: fc.constantFrom(65_535, 65_536, 200_000, "fourfold" as const, "more than fourfold" as const, "the last" as const),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      name: fc.constant("arrive" as const),
      part,
      text: fc.constantFrom("a", "b", "ab", "c"),
      offset: fc.constantFrom(0, 0, 0, 11),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      name: fc.constant("takeThroughByte" as const),
      byte: fc.constantFrom(0x61, 0x62, 0x63),
      limit: fc.integer({ min: 0, max: 20 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ name: fc.constantFrom("takeAll" as const, "clear" as const, "release" as const, "endReading" as const) }),
  },
  { weight: 1, arbitrary: fc.record({ name: fc.constant("copy" as const), from: part, to: part }) },
  { weight: 4, arbitrary: fc.record({ name: fc.constant("indexOf" as const), needle, from: part, to: part }) },
  { weight: 2, arbitrary: fc.record({ name: fc.constant("matches" as const), needle, from: part }) },
);

const MIN_RESERVED_BYTES = 65_536;
const MAX_RESERVED_BYTES = 16_777_216;

/** The queue and its model: each operation is done with both, and the results are compared. */
class SideBySide {
  readonly queue = new ByteQueue();
  #bytes: Buffer = Buffer.alloc(0);
  #taken = 0;
  #putBack = 0;
  /** The memory reserved for a message, and the length of the message; `null` if none is reserved or if it was given up. */
  #reserved: { readonly memory: ArrayBufferLike; readonly count: number } | null = null;
  /** Length of the last message that was completely read into reserved memory. */
  #proven = 0;
  /** Where the system has been told to read to. It may do so after the queue has given up the memory. */
  #target: Buffer | null = null;
  /** All memory that was ever reserved. */
  readonly #memories = new Set<ArrayBufferLike>();
  /** Every Buffer that was handed out, and a copy of its bytes at that time. */
  readonly #handedOut: [bytes: Buffer, then: Buffer][] = [];

  get #length(): number {
    return this.#bytes.length;
  }

  #at(share: Part): number {
    return Math.floor(share * this.#length);
  }

  #range(a: Part, b: Part): readonly [from: number, to: number] {
    return [Math.min(this.#at(a), this.#at(b)), Math.max(this.#at(a), this.#at(b))];
  }

  #needle(given: Needle): Buffer {
    return "at" in given && !Buffer.isBuffer(given)
      ? this.#bytes.subarray(this.#at(given.at)).subarray(0, given.length)
      : (given as Buffer);
  }

  #drop(count: number): void {
    this.#bytes = this.#bytes.subarray(count);
    this.#taken += count;
    this.#reserved = null;
  }

  /** Notes that the queue has handed out its first `count` bytes. */
  #take(actual: Buffer, count: number): void {
    assert.ok(actual.equals(this.#bytes.subarray(0, count)));
    this.#handedOut.push([actual, Buffer.from(actual)]);
    if (count > 0) this.#drop(count);
  }

  #push(bytes: Uint8Array): void {
    this.queue.push(bytes);
    if (bytes.length > 0) this.#reserved = null;
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
  }

  #unshift(bytes: Uint8Array): void {
    this.queue.unshift(bytes);
    this.#bytes = Buffer.concat([bytes, this.#bytes]);
    if (bytes.length === 0) return;
    this.#putBack += 1;
    this.#reserved = null;
  }

  #reserve(count: number): void {
    const isAgain = this.#reserved?.count === count;
    const isLikely = this.#length > 0 && (count <= this.#proven || count <= 4 * this.#length);
    const isInBounds = count >= MIN_RESERVED_BYTES && count <= MAX_RESERVED_BYTES && count > this.#length;
    const memory = this.queue.reserve(count);
    assert.equal(memory !== null, isInBounds && (isAgain || isLikely), `reserve(${count})`);
    if (memory === null) return;
    assert.equal(memory.length, count - this.#length);
    assert.equal(this.#memories.has(memory.buffer), isAgain);
    this.#memories.add(memory.buffer);
    this.#reserved = { memory: memory.buffer, count };
    this.#target = memory;
  }

  /** The system reads into the memory that it was given. It may write to all of it, and says how much it has read. */
  #arrive(share: Part, text: string, offset: number): void {
    const target = this.#target;
    if (target === null) return;
    this.#target = null;
    target.fill("?");
    const length = Math.min(target.length, 1 + Math.floor(share * (target.length - 1)) + offset);
    const reserved = offset === 0 && this.#reserved?.memory === target.buffer ? this.#reserved : null;
    this.#push(target.subarray(offset, length).fill(text));
    if (reserved === null) return;
    if (this.#length === reserved.count) this.#proven = reserved.count;
    else this.#reserved = reserved;
  }

  /** The fast path may return `undefined` for any reason. Otherwise the result is the whole message. */
  #takeThroughByte(byte: number, limit: number): void {
    const bytes = this.queue.takeThroughByte(byte, limit);
    if (bytes === undefined) return;
    const found = this.#bytes.indexOf(byte);
    assert.ok(found <= limit);
    this.#take(bytes, found + 1);
  }

  #copyTo(count: number): void {
    const target = Buffer.alloc(count + 1, "-");
    this.queue.copyTo(target, count);
    assert.ok(target.equals(Buffer.concat([this.#bytes.subarray(0, count), Buffer.from("-")])));
  }

  #copy(from: number, to: number): void {
    if (from === to) return; // the queue's own callers copy at least one byte
    const copied = this.queue.copy(from, to);
    assert.ok(copied.equals(this.#bytes.subarray(from, to)));
    assert.equal(copied.buffer.byteLength, to - from);
  }

  #indexOf(bytes: Buffer, from: number, to: number): void {
    if (bytes.length === 0) return; // an empty queue has no piece to look for
    const found = this.#bytes.subarray(from, to).indexOf(bytes);
    assert.equal(this.queue.indexOf(bytes, from, to), found === -1 ? -1 : from + found);
  }

  #matches(bytes: Buffer, from: number): void {
    if (bytes.length === 0) return;
    assert.equal(this.queue.matches(bytes, from), this.#bytes.subarray(from, from + bytes.length).equals(bytes));
  }

  /** Does it with the queue and with the model. */
  perform(operation: Operation): void {
    const { queue } = this;
    switch (operation.name) {
      case "push":
        return this.#push(operation.bytes);
      case "pushMany":
        for (let index = 0; index < operation.count; index += 1) this.#push(Buffer.alloc(1024, index % 2 === 0 ? "a" : "ab"));
        return undefined;
      case "unshift":
        return this.#unshift(operation.bytes);
      case "take":
        return this.#take(queue.take(this.#at(operation.part)), this.#at(operation.part));
      case "takeAll":
        return this.#take(queue.takeAll(), this.#length);
      case "takeAndPutBack": {
        const taken = queue.take(this.#at(operation.part));
        this.#take(taken, taken.length);
        return this.#unshift(taken);
      }
      case "takeThroughByte":
        return this.#takeThroughByte(operation.byte, operation.limit);
      case "skip":
        queue.skip(this.#at(operation.part));
        return this.#drop(this.#at(operation.part));
      case "clear":
        queue.clear();
        return this.#drop(this.#length);
      case "reserve": {
        const counts = { fourfold: 4 * this.#length, "more than fourfold": 4 * this.#length + 1, "the last": this.#proven };
        return this.#reserve(typeof operation.count === "number" ? operation.count : counts[operation.count]);
      }
      case "arrive":
        return this.#arrive(operation.part, operation.text, operation.offset);
      case "release":
      case "endReading":
        queue[operation.name]();
        this.#reserved = null;
        return undefined;
      case "copyTo":
        return this.#copyTo(this.#at(operation.part));
      case "copy":
        return this.#copy(...this.#range(operation.from, operation.to));
      case "indexOf":
        return this.#indexOf(this.#needle(operation.needle), ...this.#range(operation.from, operation.to));
      default:
        return this.#matches(this.#needle(operation.needle), this.#at(operation.from));
    }
  }

  checkCounters(): void {
    const { length, taken, putBack } = this.queue;
    assert.deepEqual([length, taken, putBack], [this.#length, this.#taken, this.#putBack]);
  }

  finish(): void {
    this.perform({ name: "takeAll" });
    this.checkCounters();
    for (const [bytes, then] of this.#handedOut) assert.ok(bytes.equals(then), "bytes that were handed out have changed");
  }
}

describe("a ByteQueue and a plain Buffer", () => {
  it("hold the same bytes after any operations, and bytes that were handed out never change (property)", () => {
    fc.assert(
      fc.property(fc.array(anyOperation, { maxLength: 60, size: "max" }), (operations) => {
        const both = new SideBySide();
        for (const operation of operations) {
          both.perform(operation);
          both.checkCounters();
        }
        both.finish();
      }),
      { numRuns: 400 },
    );
  });
});
