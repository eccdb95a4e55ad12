/** `peek`, `readinto`, `skip`, `unread` and the options of `readuntil`, mixed with the rest, against one plain string. */
import "../support/leak-guard.js";
import "./seed.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { IncompleteReadError, LimitOverrunError, StreamReader } from "asyncio-streams";
import * as fc from "fast-check";

const LIMIT = 8;

/** A call: made on the reader, and what it gives on a stream that holds `text` and has ended, with what is left then. */
interface Call {
  readonly name: string;
  readonly make: (reader: StreamReader) => Promise<string>;
  readonly expect: (text: string) => readonly [result: string, left: string];
}

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");
const count = fc.integer({ min: 0, max: LIMIT });

const peek = count.map((n): Call => {
  return { name: `peek(${n})`, make: async (reader) => latin1(await reader.peek(n)), expect: (text) => [text.slice(0, n), text] };
});

const readinto = fc.integer({ min: 1, max: 12 }).map((n): Call => {
  const make = async (reader: StreamReader): Promise<string> => {
    const view = new Uint8Array(n);
    return latin1(view.subarray(0, await reader.readinto(view)));
  };
  return { name: `readinto(${n})`, make, expect: (text) => [text.slice(0, n), text.slice(n)] };
});

const skip = count.map((n): Call => {
  return {
    name: `skip(${n})`,
    make: async (reader) => String(await reader.skip(n)),
    expect: (text) => [String(Math.min(n, text.length)), text.slice(n)],
  };
});

const readAndUnread = fc.tuple(count, fc.string({ unit: fc.constantFrom("a", ";", "\n"), maxLength: 4 })).map(([n, more]): Call => {
  const make = async (reader: StreamReader): Promise<string> => {
    const taken = await reader.read(n);
    reader.unread(taken);
    reader.unread(more);
    return latin1(taken);
  };
  return { name: `read(${n}), unread(it), unread(${JSON.stringify(more)})`, make, expect: (text) => [text.slice(0, n), more + text] };
});

const readuntil = fc.record({ limit: fc.integer({ min: 1, max: 12 }), keepSeparator: fc.boolean() }).map((options): Call => {
  const make = async (reader: StreamReader): Promise<string> => {
    try {
      return latin1(await reader.readuntil(";", options));
    } catch (error) {
      if (error instanceof LimitOverrunError) return `over ${error.consumed}`;
      if (error instanceof IncompleteReadError) return `incomplete ${latin1(error.partial)}`;
      throw error;
    }
  };
  const expect = (text: string): readonly [string, string] => {
    const at = text.indexOf(";");
    if (at > options.limit) return [`over ${at}`, text];
    if (at === -1) return text.length > options.limit ? [`over ${text.length}`, text] : [`incomplete ${text}`, ""];
    return [text.slice(0, options.keepSeparator ? at + 1 : at), text.slice(at + 1)];
  };
  return { name: `readuntil(";", ${JSON.stringify(options)})`, make, expect };
});

const pieces = fc.array(fc.string({ unit: fc.constantFrom("a", "b", ";", "\n"), minLength: 1, maxLength: 10 }), { maxLength: 12 });
const calls = fc.array(fc.oneof(peek, readinto, skip, readAndUnread, readuntil), { maxLength: 20 });

describe("the reader's calls beyond Python's and a plain string", () => {
  it("give the same for any pieces and any calls (property)", async () => {
    const property = async (fed: readonly string[], made: readonly Call[]): Promise<void> => {
      const reader = new StreamReader({ limit: LIMIT });
      for (const piece of fed) reader.feedData(piece);
      reader.feedEof();
      let text = fed.join("");
      for (const { name, make, expect } of made) {
        const [result, left] = expect(text);
        assert.equal(await make(reader), result, `${name} of ${JSON.stringify(text)}`);
        assert.equal(reader.bufferedLength, left.length);
        text = left;
      }
      assert.equal(latin1(await reader.read()), text);
    };
    await fc.assert(fc.asyncProperty(pieces, calls, property), { numRuns: 500 });
  });

  it("give the same when the data comes while they wait (property)", async () => {
    // The others answer with what has come by then.
    const waiting = fc.oneof(peek, skip);
    const property = async (fed: readonly string[], { name, make, expect }: Call): Promise<void> => {
      const reader = new StreamReader({ limit: LIMIT });
      const outcome = make(reader);
      for (const piece of fed) {
        reader.feedData(piece);
        await Promise.resolve();
      }
      reader.feedEof();
      const [result, left] = expect(fed.join(""));
      assert.equal(await outcome, result, name);
      assert.equal(latin1(await reader.read()), left);
    };
    await fc.assert(fc.asyncProperty(pieces, waiting, property), { numRuns: 200 });
  });
});
