import "../support/leak-guard.js";
import "../property/seed.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { ByteQueue } from "#src/base/byte-queue.js";
import { type Match, SeparatorSearch } from "#src/base/separator-search.js";
import { parseSeparators, Separators } from "#src/base/separators.js";

/** CPython's rule, spelled out: the match that ends first; of those that end together the shortest separator. */
function naive(text: string, separators: readonly string[]): Match | null {
  for (let end = 1; end <= text.length; end += 1) {
    const ending = separators.filter((separator) => text.slice(0, end).endsWith(separator)).map((separator) => separator.length);
    if (ending.length > 0) return { start: end - Math.min(...ending), end };
  }
  return null;
}

/** The match in the text fed piece by piece, and the number of pieces it took. */
function search(pieces: readonly string[], separators: readonly string[]): { match: Match | null; pieces: number } {
  const queue = new ByteQueue();
  const separatorSearch = new SeparatorSearch(parseSeparators(separators));
  for (const [index, piece] of pieces.entries()) {
    queue.push(Buffer.from(piece));
    const match = separatorSearch.find(queue) ?? null;
    if (match !== null) return { match, pieces: index + 1 };
  }
  return { match: null, pieces: pieces.length };
}

describe("parseSeparators", () => {
  it("accepts text, bytes, and lists of both", () => {
    assert.deepEqual(parseSeparators("\r\n").list, [Buffer.from("\r\n")]);
    assert.deepEqual(parseSeparators(Uint8Array.of(0)).list, [Buffer.of(0)]);
    assert.deepEqual(parseSeparators(["abc", Uint8Array.of(1)]).list, [Buffer.of(1), Buffer.from("abc")]);
  });

  it("sorts a list of its own by length, and leaves the caller's alone", () => {
    const separators = Object.freeze(["abc", "z", "ab"]);
    assert.deepEqual(parseSeparators(separators).list.map(String), ["z", "ab", "abc"]);
    assert.deepEqual(separators, ["abc", "z", "ab"]);
  });

  it("counts the bytes of a separator, not its letters", () => {
    assert.deepEqual(parseSeparators(["\u20ac", "ab"]).list.map(String), ["ab", "\u20ac"]);
  });

  for (const [what, separator, name, code] of [
    ["an empty text", "", "TypeError", "ERR_INVALID_ARG_VALUE"],
    ["no bytes", new Uint8Array(), "TypeError", "ERR_INVALID_ARG_VALUE"],
    ["an empty list", [], "TypeError", "ERR_INVALID_ARG_VALUE"],
    ["a list with an empty text", ["\n", ""], "TypeError", "ERR_INVALID_ARG_VALUE"],
    ["a number", 10, "TypeError", "ERR_INVALID_ARG_TYPE"],
    ["null", null, "TypeError", "ERR_INVALID_ARG_TYPE"],
    ["a list with a number", ["\n", 10], "TypeError", "ERR_INVALID_ARG_TYPE"],
    ["a Set", new Set(["\n"]), "TypeError", "ERR_INVALID_ARG_TYPE"],
  ] as const) {
    it(`refuses ${what}`, () => {
      assert.throws(() => parseSeparators(separator as never), { name, code });
    });
  }

  it("names the wrong element of a list", () => {
    assert.throws(() => parseSeparators(["\n", 10] as never), { message: /^separator\[1\] must be .*, not number 10$/ });
  });
});

describe("SeparatorSearch", () => {
  for (const [text, separators, start, end] of [
    ["one\ntwo\n", ["\n"], 3, 4],
    ["one\r\ntwo", ["\n", "\r\n"], 4, 5],
    ["one\r\ntwo", ["\r\n", "\r"], 3, 4],
    ["abcdef", ["abcdef", "cd"], 2, 4],
    ["abcdef", ["f", "abcdef"], 5, 6],
    ["aaab", ["ab", "aaab", "b"], 3, 4],
    ["aaaa", ["aa"], 0, 2],
    ["xaxbxab", ["ab", "xab"], 5, 7],
    ["x;;y", [";;", ";"], 1, 2],
  ] as const) {
    it(`finds ${JSON.stringify(text.slice(start, end))} in ${JSON.stringify(text)} for ${JSON.stringify(separators)}`, () => {
      assert.deepEqual(search([text], separators).match, { start, end });
    });
  }

  it("finds the same in every splitting of the text into two and into three", () => {
    const separators = ["\r\n\r\n", "END", "\n\n"];
    for (const text of ["head\r\n\r\nbody", "xENDy", "EN\r\n\nEND", "a\r\n\r\r\n\r\n", "EEND\n\n"]) {
      const expected = naive(text, separators);
      for (let first = 0; first <= text.length; first += 1) {
        for (let second = first; second <= text.length; second += 1) {
          const { match } = search([text.slice(0, first), text.slice(first, second), text.slice(second)], separators);
          // With all the text looked at together the first to end counts; a piece that already has a match ends the search as soon.
          assert.deepEqual(match, expected, `${JSON.stringify(text)} split at ${first} and ${second}`);
        }
      }
    }
  });

  it("does not search fewer bytes than the separator has", () => {
    const queue = new ByteQueue();
    const separatorSearch = new SeparatorSearch(parseSeparators("abc"));
    assert.equal(separatorSearch.find(queue), undefined);
    queue.push(Buffer.from("ab"));
    assert.equal(separatorSearch.find(queue), undefined);
    queue.push(Buffer.from("x"));
    assert.equal(separatorSearch.find(queue), null);
  });

  it("counts the bytes in which no separator begins", () => {
    const queue = new ByteQueue();
    const separatorSearch = new SeparatorSearch(parseSeparators(["\n", "END"]));
    assert.equal(separatorSearch.offset, 0);
    for (const [piece, offset] of [
      ["x", 0],
      ["y", 0],
      ["z", 1],
      ["12345", 6],
    ] as const) {
      queue.push(Buffer.from(piece));
      assert.equal(separatorSearch.find(queue), null);
      assert.equal(separatorSearch.offset, offset);
    }
  });

  it("finds rare separators on both sides of every window's edge", () => {
    // The windows end 256, 768, 1,792 bytes (and the longest separator less one) after the start.
    for (const edge of [256, 768, 1792]) {
      for (let start = edge - 12; start <= edge + 12; start += 1) {
        for (const separator of [";", "RARE", "VERYRARE"]) {
          const text = `${"-".repeat(start)}${separator}${"-".repeat(3000)}`;
          assert.deepEqual(
            search([text], ["RARE!", ";", "RARE", "VERYRARE"]).match,
            naive(text.slice(0, start + 10), [";", "RARE", "VERYRARE"]),
          );
        }
      }
    }
  });

  it("prefers a long separator that ends before a short one behind the edge of a window", () => {
    for (let start = 240; start < 280; start += 1) {
      const text = `${"-".repeat(start)}LONGSEPARATOR;${"-".repeat(600)}`;
      assert.deepEqual(search([text], [";", "LONGSEPARATOR"]).match, { start, end: start + 13 });
    }
  });

  const letters = fc.constantFrom("a", "b", "c");
  it("finds what a naive search finds, as early, in any pieces (property)", () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: letters, minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 4 }),
        fc.string({ unit: letters, maxLength: 40 }),
        fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 40 }),
        fc.constantFrom(0, 0, 250, 760),
        (separators, text, sizes, fill) => {
          // "-" is in no separator: it moves the text to where the windows end.
          let rest = "-".repeat(fill) + text;
          const pieces: string[] = [];
          for (const size of [fill, ...sizes, rest.length]) {
            pieces.push(rest.slice(0, size));
            rest = rest.slice(size);
          }
          let shown = "";
          let expected: { match: Match | null; pieces: number } = { match: null, pieces: pieces.length };
          for (const [index, piece] of pieces.entries()) {
            shown += piece;
            const match = naive(shown, separators);
            if (match === null) continue;
            expected = { match, pieces: index + 1 };
            break;
          }
          assert.deepEqual(search(pieces, separators), expected);
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe("the work of a SeparatorSearch", () => {
  /** A queue of bytes in which there is no separator, and what it is asked. */
  function emptyHanded(): {
    queue: ByteQueue;
    asked: [from: number, to: number | undefined][];
    state: { length: number; taken: number; putBack: number };
  } {
    const asked: [number, number | undefined][] = [];
    const state = { length: 0, taken: 0, putBack: 0 };
    const indexOf = (_needle: Uint8Array, from: number, to?: number): number => {
      asked.push([from, to]);
      return -1;
    };
    return {
      queue: Object.defineProperties({ indexOf }, Object.getOwnPropertyDescriptors(view(state))) as unknown as ByteQueue,
      asked,
      state,
    };
  }

  function view(state: { length: number; taken: number; putBack: number }): object {
    return {
      get length() {
        return state.length;
      },
      get taken() {
        return state.taken;
      },
      get putBack() {
        return state.putBack;
      },
    };
  }

  it("continues where a separator may begin, counted from the front of the queue", () => {
    const { queue, asked, state } = emptyHanded();
    const search = new SeparatorSearch(new Separators([Buffer.from("END")]));
    state.length = 100;
    state.taken = 40; // by those before it
    assert.equal(search.find(queue), null);
    assert.equal(search.offset, 98);
    state.length = 200;
    assert.equal(search.find(queue), null);
    state.length = 180;
    state.taken = 70;
    assert.equal(search.find(queue), null);
    state.length = 20;
    state.taken = 500;
    assert.equal(search.find(queue), null);
    assert.deepEqual(
      asked.map(([from]) => from),
      [0, 98, 168, 0],
    );
  });

  it("begins again after bytes were put back", () => {
    const { queue, asked, state } = emptyHanded();
    const search = new SeparatorSearch(new Separators([Buffer.from("END")]));
    state.length = 100;
    search.find(queue);
    state.length = 110;
    state.putBack = 1;
    search.find(queue);
    state.length = 120;
    search.find(queue);
    assert.deepEqual(
      asked.map(([from]) => from),
      [0, 0, 108],
    );
  });

  it("does not search fewer bytes than the separator has", () => {
    const { queue, asked, state } = emptyHanded();
    const search = new SeparatorSearch(new Separators([Buffer.from("END")]));
    state.length = 100;
    assert.equal(search.find(queue), null);
    assert.equal(search.find(queue), undefined);
    state.length = 101;
    assert.equal(search.find(queue), null);
    assert.equal(asked.length, 2);
  });

  it("searches for several in windows that double in size and overlap by a separator", () => {
    const { queue, asked, state } = emptyHanded();
    const search = new SeparatorSearch(new Separators([Buffer.from("\n"), Buffer.from("END")]));
    state.length = 1000;
    assert.equal(search.find(queue), null);
    const windows: [number, number][] = [
      [0, 258],
      [256, 770],
      [768, 1000],
    ];
    assert.deepEqual(
      asked,
      windows.flatMap((window) => [window, window]),
    );
  });

  it("finds the same match again while no bytes are taken", () => {
    const queue = new ByteQueue();
    queue.push(Buffer.from("abEND"));
    const search = new SeparatorSearch(new Separators([Buffer.from("END")]));
    assert.deepEqual(search.find(queue), { start: 2, end: 5 });
    assert.deepEqual(search.find(queue), { start: 2, end: 5 });
  });
});
