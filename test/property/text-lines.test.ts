/** Text that is decoded in blocks, against text that is decoded line by line. */
import "../support/leak-guard.js";
import "./seed.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StreamReader } from "asyncio-streams";
import * as fc from "fast-check";

const ENCODINGS = ["utf8", "latin1", "ascii", "hex", "base64"] as const;

/** Pieces of a stream: mostly ASCII, with characters of several bytes, characters that are cut, and both ends of lines. */
const piece = fc.oneof(
  { weight: 20, arbitrary: fc.string({ unit: "binary-ascii", maxLength: 40 }).map((text) => Buffer.from(text)) },
  { weight: 12, arbitrary: fc.constantFrom("\n", "\r\n", "\r", "\n\n").map((text) => Buffer.from(text)) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      Buffer.from("\u00e4"),
      Buffer.from("\u20ac"),
      Buffer.of(0xe2, 0x82),
      Buffer.of(0xff),
      Buffer.of(0x8a),
      Buffer.of(0x8d),
      Buffer.of(0xef, 0xbb, 0xbf),
    ),
  },
);
const bytes = fc.array(piece, { minLength: 20, maxLength: 400 }).map((pieces) => Buffer.concat(pieces));

/** What happens between two lines. Some steps take bytes behind the iterator's back. */
const step = fc.oneof(
  { weight: 12, arbitrary: fc.constant({ name: "next" as const, n: 0 }) },
  { weight: 1, arbitrary: fc.record({ name: fc.constantFrom("read" as const, "unread" as const), n: fc.integer({ min: 1, max: 90 }) }) },
  { weight: 1, arbitrary: fc.record({ name: fc.constant("feed" as const), n: fc.integer({ min: 1, max: 9000 }) }) },
);

/** Takes the next line from the front of `rest`, as `lines()` has to. */
function takeLine(rest: Buffer, encoding: BufferEncoding, keepSeparator: boolean): { readonly line: string; readonly rest: Buffer } {
  const end = rest.indexOf("\n") + 1 || rest.length;
  const line = rest.subarray(0, end);
  const text = line.toString(encoding);
  if (keepSeparator || line.at(-1) !== 0x0a) return { line: text, rest: rest.subarray(end) };
  return { line: line.subarray(0, line.at(-2) === 0x0d ? -2 : -1).toString(encoding), rest: rest.subarray(end) };
}

describe("lines({ encoding })", () => {
  it("yields what decoding line by line yields, whatever is read or put back between two lines", async () => {
    const property = fc.asyncProperty(
      bytes,
      fc.array(step, { minLength: 10, maxLength: 300 }),
      fc.constantFrom(...ENCODINGS),
      fc.boolean(),
      async (stream, steps, encoding, keepSeparator) => {
        const reader = new StreamReader({ limit: 2 ** 20 });
        const lines = reader.lines({ encoding, keepSeparator });
        let fed = 0;
        let rest = Buffer.alloc(0);
        const feed = (count: number): void => {
          const chunk = stream.subarray(fed, fed + count);
          fed += chunk.length;
          rest = Buffer.concat([rest, chunk]);
          if (chunk.length > 0) reader.feedData(Buffer.from(chunk));
          else if (fed === stream.length && !reader.atEof() && !ended) {
            ended = true;
            reader.feedEof();
          }
        };
        let ended = false;
        for (const { name, n } of [...steps, ...steps.map(() => ({ name: "next" as const, n: 0 }))]) {
          if (name === "feed") feed(n);
          else if (name === "unread") {
            const extra = Buffer.from("+".repeat(n % 7) + (n % 2 === 0 ? "\n" : ""));
            reader.unread(extra);
            rest = Buffer.concat([extra, rest]);
          } else if (name === "read") {
            const count = Math.min(n, rest.length);
            if (count === 0) continue;
            assert.deepEqual(await reader.read(count), rest.subarray(0, count));
            rest = rest.subarray(count);
          } else {
            while (!rest.includes("\n") && !ended) feed(3000);
            const result = await lines.next();
            if (rest.length === 0) {
              assert.deepEqual(result, { done: true, value: undefined });
              return;
            }
            const expected = takeLine(rest, encoding, keepSeparator);
            rest = Buffer.from(expected.rest);
            assert.deepEqual(result, { done: false, value: expected.line });
          }
        }
      },
    );
    await fc.assert(property, { numRuns: 300 });
  });
});

/** Reads to the end, and shows each line or error. */
async function outcomes(read: () => Promise<readonly (string | Buffer)[]>): Promise<string[]> {
  const seen: string[] = [];
  for (;;) {
    try {
      const lines = await read();
      if (lines.length === 0) return seen;
      for (const line of lines) seen.push(typeof line === "string" ? `text ${JSON.stringify(line)}` : `bytes ${line.toString("hex")}`);
    } catch (error) {
      seen.push(String(error));
    }
  }
}

describe("readlines()", () => {
  it("returns the lines and errors of one readline() after the other", async () => {
    const property = fc.asyncProperty(
      fc.array(bytes, { minLength: 1, maxLength: 5 }),
      fc.constantFrom(undefined, ...ENCODINGS),
      fc.constantFrom(20, 60, 300, 2 ** 20),
      async (chunks, encoding, limit) => {
        const [batched, single] = [new StreamReader({ limit: 2 ** 20 }), new StreamReader({ limit: 2 ** 20 })];
        for (const chunk of chunks) for (const reader of [batched, single]) reader.feedData(Buffer.from(chunk));
        for (const reader of [batched, single]) reader.feedEof();
        const options = encoding === undefined ? { limit } : { limit, encoding };
        const fromBatches = await outcomes(() => batched.readlines(options as { encoding: BufferEncoding }));
        const fromLines = await outcomes(async () => {
          const line = await single.readline({ limit });
          return line.length === 0 ? [] : [encoding === undefined ? line : line.toString(encoding)];
        });
        assert.deepEqual(fromBatches, fromLines);
      },
    );
    await fc.assert(property, { numRuns: 300 });
  });
});

describe("lineBatches()", () => {
  it("yields the lines of lines()", async () => {
    const property = fc.asyncProperty(
      fc.array(bytes, { minLength: 1, maxLength: 5 }),
      fc.constantFrom(undefined, ...ENCODINGS),
      fc.boolean(),
      async (chunks, encoding, keepSeparator) => {
        const [batched, single] = [new StreamReader({ limit: 2 ** 20 }), new StreamReader({ limit: 2 ** 20 })];
        for (const chunk of chunks) for (const reader of [batched, single]) reader.feedData(Buffer.from(chunk));
        for (const reader of [batched, single]) reader.feedEof();
        const options = { keepSeparator, encoding } as { encoding: BufferEncoding };
        const fromBatches: string[] = [];
        for await (const batch of batched.lineBatches(options)) fromBatches.push(...batch);
        const fromLines: string[] = [];
        for await (const line of single.lines(options)) fromLines.push(line);
        assert.deepEqual(fromBatches, fromLines);
      },
    );
    await fc.assert(property, { numRuns: 300 });
  });
});
