import "../support/leak-guard.js";
import "../property/seed.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { parseSeparators, Separators } from "#src/base/separators.js";

const bytes = (text: string): Buffer => Buffer.from(text, "latin1");
const separatorsOf = (...list: readonly string[]): Separators => new Separators(list.map(bytes));

/** The lengths of the separators that end at `end` and begin at `from` or later. */
function lengthsAt(text: string, from: number, end: number, list: readonly string[]): number[] {
  return list.filter((one) => end - one.length >= from && text.slice(0, end).endsWith(one)).map((one) => one.length);
}

/** The end of the first separator behind `from`; -1 if there is none. */
function firstEnd(text: string, from: number, list: readonly string[]): number {
  for (let end = from + 1; end <= text.length; end += 1) if (lengthsAt(text, from, end, list).length > 0) return end;
  return -1;
}

const textOf = (maxLength: number) =>
  fc.array(fc.constantFrom("a", "b", "\n"), { minLength: 1, maxLength }).map((letters) => letters.join(""));

describe("Separators", () => {
  it("have the lengths of the shortest and of the longest", () => {
    const { shortest, longest } = separatorsOf("abc", "z", "ab");
    assert.deepEqual([shortest, longest], [1, 3]);
  });

  it("measure the shortest and the longest match that ends at a place", () => {
    fc.assert(
      fc.property(fc.uniqueArray(textOf(4), { minLength: 1, maxLength: 4 }), textOf(12), fc.nat(12), (list, text, start) => {
        const separators = separatorsOf(...list);
        const from = Math.min(start, text.length - 1);
        for (let end = from + 1; end <= text.length; end += 1) {
          const lengths = lengthsAt(text, from, end, list);
          assert.equal(separators.shortestAt(bytes(text), from, end), lengths.length === 0 ? 0 : Math.min(...lengths));
          if (lengths.length > 0) assert.equal(separators.longestAt(bytes(text), from, end), Math.max(...lengths));
        }
      }),
      { numRuns: 500 },
    );
  });

  it("find the first end in a short text", () => {
    fc.assert(
      fc.property(fc.uniqueArray(textOf(3), { minLength: 1, maxLength: 4 }), textOf(8), fc.nat(8), (list, text, start) => {
        const from = Math.min(start, text.length - 1);
        assert.equal(separatorsOf(...list).endIn(bytes(text), from), firstEnd(text, from, list));
      }),
      { numRuns: 1000 },
    );
  });

  it("find an end behind seven places that only look like one, and give up behind eight", () => {
    const separators = separatorsOf("ab", "cb");
    assert.equal(separators.endIn(bytes(`${"xb".repeat(7)}ab`), 0), 16);
    assert.equal(separators.endIn(bytes(`${"xb".repeat(8)}ab`), 0), -1);
    assert.equal(separatorsOf("abc").endIn(bytes(`${"x".repeat(5000)}abc`), 0), 5003, "a rare byte is found at any distance");
  });

  it("with different last bytes are searched for in 512 bytes", () => {
    const separators = separatorsOf("ab", "ac");
    for (const from of [0, 3]) {
      assert.equal(separators.endIn(bytes(`${"x".repeat(from + 510)}ac`), from), from + 512);
      assert.equal(separators.endIn(bytes(`${"x".repeat(from + 511)}ac`), from), -1);
    }
  });

  it("may end in any byte", () => {
    for (let last = 0; last < 255; last += 1) {
      const separators = new Separators([Uint8Array.of(7, last), Uint8Array.of(8, 255)]);
      const text = Buffer.of(9, 7, 9, last, 7, last);
      assert.equal(separators.endIn(text, 0), text.indexOf(Buffer.of(7, last)) + 2, `${last}`);
    }
  });
});

describe("the separators that are kept", () => {
  it("are not taken for longer ones that begin with them", () => {
    assert.equal(parseSeparators(bytes("end")).longest, 3);
    assert.equal(parseSeparators(bytes("end of it")).longest, 9);
    assert.equal(parseSeparators(bytes("en")).longest, 2);
  });

  it("are not taken for an object that looks like them", () => {
    const given = bytes("\r\n");
    parseSeparators(given);
    parseSeparators([given, bytes(";")]);
    const like = { length: 2, 0: 13, 1: 10 };
    assert.throws(() => parseSeparators(like as never), { code: "ERR_INVALID_ARG_TYPE" });
    assert.throws(() => parseSeparators([like as never, bytes(";")]), { code: "ERR_INVALID_ARG_TYPE" });
  });

  let count = 0;
  /** A text that was not passed before. */
  const fresh = (): string => `${(count += 1)};`;
  /** Passes `times` other separators, as lists. */
  const passOthers = (times: number): void => {
    for (let index = 0; index < times; index += 1) parseSeparators([fresh(), fresh()]);
  };
  const binary = (text: string): Uint8Array => new Uint8Array(bytes(text));

  it("are converted once, whether text, bytes or a list", () => {
    for (const make of [fresh, () => binary(fresh()), () => [fresh(), binary(fresh())], () => [fresh()], () => [binary(fresh())]]) {
      const given = make();
      const first = parseSeparators(given);
      assert.equal(parseSeparators(given), first);
      assert.equal(parseSeparators(structuredClone(given)), first, "an equal one");
    }
  });

  it("are the last sixteen", () => {
    for (const make of [() => [fresh(), fresh()], () => binary(fresh())]) {
      const given = make();
      const first = parseSeparators(given);
      passOthers(15);
      assert.equal(parseSeparators(given), first);
      passOthers(1);
      assert.notEqual(parseSeparators(given), first);
    }
  });

  it("include the text that was passed last and once before, whatever lists have followed", () => {
    const text = fresh();
    const first = parseSeparators(text);
    assert.equal(parseSeparators(text), first);
    passOthers(40);
    assert.equal(parseSeparators(text), first);
    const other = fresh();
    parseSeparators(other);
    parseSeparators(other);
    passOthers(40);
    assert.notEqual(parseSeparators(text), first);
  });

  it("are distinguished by every byte, by their number and their order", () => {
    const [one, two] = [fresh(), fresh()];
    const first = parseSeparators([one, two]);
    for (const other of [[two, one], [one], [one, two, two], [one, `${two};`], [`x${one.slice(1)}`, two], [binary(one), two], one]) {
      assert.notEqual(parseSeparators(other), first, JSON.stringify(other));
      assert.deepEqual(
        parseSeparators(other).list.map(String).toSorted(),
        [other]
          .flat()
          .map((part) => Buffer.from(part).toString())
          .toSorted(),
      );
    }
    const inBytes = parseSeparators(Uint8Array.of(1, 2, 3));
    for (const other of [
      Uint8Array.of(9, 2, 3),
      Uint8Array.of(1, 2, 9),
      Uint8Array.of(1, 2),
      Uint8Array.of(1, 2, 3, 4),
      "\u0001\u0002\u0003",
    ])
      assert.notEqual(parseSeparators(other), inBytes, String(other));
  });

  it("are not those longer than 64 bytes", () => {
    for (const [length, isKept] of [
      [64, true],
      [65, false],
    ] as const) {
      for (const given of ["k".repeat(length), ["\n", "k".repeat(length)]])
        assert.equal(parseSeparators(given) === parseSeparators(given), isKept);
    }
  });

  it("keep no hold of bytes that the program changes", () => {
    const given = Uint8Array.of(200, 201);
    const first = parseSeparators(given);
    given[1] = 9;
    assert.deepEqual(first.list, [Buffer.of(200, 201)]);
    assert.deepEqual(parseSeparators(given).list, [Buffer.of(200, 9)]);
    assert.equal(parseSeparators(Uint8Array.of(200, 201)), first);
  });

  it("are not looked up by what is no separator", () => {
    for (const given of ["10", binary("10")]) parseSeparators(given);
    for (const wrong of [10, null, undefined, {}, { length: 2, 0: 49, 1: 48 }, [10], [null]])
      assert.throws(() => parseSeparators(wrong as never), {
        code: "ERR_INVALID_ARG_TYPE",
        message: Array.isArray(wrong)
          ? /^separator\[0\] must be a Uint8Array or a string, not /
          : /^separator must be a Uint8Array, a string or an array of these, not /,
      });
  });
});
