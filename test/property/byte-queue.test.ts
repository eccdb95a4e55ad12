import "../support/leak-guard.js";
import "./seed.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { ByteQueue } from "#src/base/byte-queue.js";

/** What can be done with a queue. Places and counts are parts of what there is, from 0 to 1. */
type Operation =
  | { readonly name: "push" | "unshift"; readonly bytes: Buffer }
  | { readonly name: "take" | "skip" | "copyTo"; readonly part: number }
  | { readonly name: "reserve"; readonly count: number }
  | { readonly name: "arrive"; readonly part: number; readonly text: string }
  | { readonly name: "takeThroughByte"; readonly byte: number; readonly limit: number }
  | { readonly name: "takeAll" | "clear" | "release" }
  | { readonly name: "copy"; readonly from: number; readonly to: number }
  | { readonly name: "indexOf"; readonly needle: Buffer; readonly from: number; readonly to: number }
  | { readonly name: "matches"; readonly needle: Buffer; readonly from: number };

const part = fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom(0, 0.001, 0.01, 0.1, 1));
// Two letters, so that there is much that nearly matches.
const letters = fc.string({ unit: fc.constantFrom("a", "b"), minLength: 1, maxLength: 12 }).map((text) => Buffer.from(text));
const needle = fc.string({ unit: fc.constantFrom("a", "b"), minLength: 1, maxLength: 5 }).map((text) => Buffer.from(text));
// On both sides of 1 KiB, where small chunks end, and of 64 KiB, where blocks do.
const large = fc.constantFrom(1019, 1023, 1024, 1030, 70_000).chain((size) => letters.map((text) => Buffer.alloc(size, text)));

// Parts of what sockets read into, on both sides of a quarter of it.
const partOfBlock = fc
  .constantFrom(1023, 1024, 5000, 16_383, 16_384, 40_000)
  .chain((size) => letters.map((text) => Buffer.alloc(65_536, text).subarray(65_536 - size)));

const anyOperation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      name: fc.constantFrom("push" as const, "push" as const, "push" as const, "unshift" as const),
      bytes: fc.oneof({ weight: 5, arbitrary: letters }, { weight: 2, arbitrary: large }, { weight: 1, arbitrary: partOfBlock }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ name: fc.constantFrom("take" as const, "skip" as const), part }) },
  { weight: 1, arbitrary: fc.record({ name: fc.constant("copyTo" as const), part }) },
  { weight: 2, arbitrary: fc.record({ name: fc.constant("reserve" as const), count: fc.constantFrom(65_535, 65_536, 71_000, 200_000) }) },
  { weight: 2, arbitrary: fc.record({ name: fc.constant("arrive" as const), part, text: fc.constantFrom("a", "b", "ab", "c") }) },
  {
    weight: 2,
    arbitrary: fc.record({
      name: fc.constant("takeThroughByte" as const),
      byte: fc.constantFrom(0x61, 0x62, 0x63),
      limit: fc.integer({ min: 0, max: 20 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ name: fc.constantFrom("takeAll" as const, "clear" as const, "release" as const) }) },
  { weight: 1, arbitrary: fc.record({ name: fc.constant("copy" as const), from: part, to: part }) },
  { weight: 4, arbitrary: fc.record({ name: fc.constant("indexOf" as const), needle, from: part, to: part }) },
  { weight: 2, arbitrary: fc.record({ name: fc.constant("matches" as const), needle, from: part }) },
);

/** What lies beside the queue and the model. */
interface Surroundings {
  /** What was taken, and what it was then. */
  readonly taken: [Buffer, string][];
  /** Where the system has been told to read to. */
  reserved: Buffer | null;
}

/** Does it with the queue and with a plain buffer, compares, and returns what is left of the buffer. Notes what was taken. */
function apply(queue: ByteQueue, model: Buffer, operation: Operation, surroundings: Surroundings): Buffer {
  const { taken } = surroundings;
  const at = (share: number): number => Math.floor(share * model.length);
  const sameTaken = (actual: Buffer, count: number): Buffer => {
    assert.ok(actual.equals(model.subarray(0, count)), `${operation.name} of ${count}`);
    taken.push([actual, actual.toString()]);
    return model.subarray(count);
  };
  switch (operation.name) {
    case "push":
      queue.push(operation.bytes);
      return Buffer.concat([model, operation.bytes]);
    case "unshift":
      queue.unshift(operation.bytes);
      return Buffer.concat([operation.bytes, model]);
    case "reserve":
      surroundings.reserved = queue.reserve(operation.count);
      if (surroundings.reserved !== null) assert.equal(surroundings.reserved.length, operation.count - model.length);
      return model;
    case "arrive": {
      const { reserved } = surroundings;
      if (reserved === null) return model;
      // A read brings a byte at least, and may come after anything that was done since the memory was reserved.
      const arrived = reserved.subarray(0, 1 + Math.floor(operation.part * (reserved.length - 1))).fill(operation.text);
      surroundings.reserved = null;
      queue.push(arrived);
      return Buffer.concat([model, arrived]);
    }
    case "takeThroughByte": {
      const bytes = queue.takeThroughByte(operation.byte, operation.limit);
      const found = model.indexOf(operation.byte);
      // It may say nothing, but not something else; what it does take is the whole of it.
      if (bytes === undefined) return model;
      assert.ok(found <= operation.limit);
      taken.push([bytes, bytes.toString()]);
      assert.ok(bytes.equals(model.subarray(0, found + 1)));
      return model.subarray(found + 1);
    }
    case "copyTo": {
      const count = at(operation.part);
      const target = Buffer.alloc(count + 1, "-");
      queue.copyTo(target, count);
      assert.ok(target.equals(Buffer.concat([model.subarray(0, count), Buffer.from("-")])));
      return model;
    }
    case "take":
      return sameTaken(queue.take(at(operation.part)), at(operation.part));
    case "takeAll":
      return sameTaken(queue.takeAll(), model.length);
    case "skip":
      queue.skip(at(operation.part));
      return model.subarray(at(operation.part));
    case "release":
      queue.release();
      return model;
    case "clear":
      queue.clear();
      return Buffer.alloc(0);
    case "copy": {
      const [from, to] = [at(operation.from), at(operation.to)].sort((a, b) => a - b) as [number, number];
      // The queue's own callers copy something, of a place that there is.
      if (from < to) assert.ok(queue.copy(from, to).equals(model.subarray(from, to)));
      return model;
    }
    case "indexOf": {
      const [from, to] = [at(operation.from), at(operation.to)].sort((a, b) => a - b) as [number, number];
      const found = model.subarray(from, to).indexOf(operation.needle);
      assert.equal(queue.indexOf(operation.needle, from, to), found === -1 ? -1 : from + found);
      return model;
    }
    default: {
      const from = at(operation.from);
      const { length } = operation.needle;
      assert.equal(queue.matches(operation.needle, from), model.subarray(from, from + length).equals(operation.needle));
      return model;
    }
  }
}

describe("ByteQueue and a plain Buffer", () => {
  it("hold the same after any operations, and what was taken stays as it was (property)", () => {
    fc.assert(
      fc.property(fc.array(anyOperation, { maxLength: 60, size: "max" }), (operations) => {
        const queue = new ByteQueue();
        const surroundings: Surroundings = { taken: [], reserved: null };
        let model: Buffer = Buffer.alloc(0);
        for (const operation of operations) {
          model = apply(queue, model, operation, surroundings);
          assert.equal(queue.length, model.length);
        }
        assert.ok(queue.takeAll().equals(model));
        for (const [bytes, text] of surroundings.taken) assert.equal(bytes.toString(), text);
      }),
      { numRuns: 300 },
    );
  });
});
