import "../support/leak-guard.js";
import "./seed.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StreamReader, StreamReaderProtocol } from "asyncio-streams";
import * as fc from "fast-check";
import { FakeTransport } from "../support/fake-transport.js";
import { anyCall, anyText, perform } from "./calls.js";
import { type Call, ModelReader } from "./reader-model.js";

/** The ways in which the same bytes come. */
const chunkings: Readonly<Record<string, (text: string) => string[]>> = {
  "as a whole": (text) => [text],
  "in halves": (text) => [text.slice(0, text.length / 2), text.slice(text.length / 2)],
  "in single bytes": (text) => text.split(""),
  "in pieces of 1, 2, 3 and more": (text) => {
    const pieces: string[] = [];
    for (let at = 0, size = 1; at < text.length; at += size, size += 1) pieces.push(text.slice(at, at + size));
    return pieces;
  },
};

/** Large enough that it never counts: over the limit it matters what has come. */
const LIMIT = 1_000_000;

/** What the calls give one after the other, the data coming in these pieces while they wait. */
async function readAll(pieces: readonly string[], end: "eof" | "lost", together: boolean, calls: readonly Call[]): Promise<string[]> {
  const reader = new StreamReader({ limit: LIMIT });
  const protocol = new StreamReaderProtocol(reader);
  protocol.connectionMade(new FakeTransport());
  const results: string[] = [];
  const reading = (async () => {
    for (const call of calls) results.push(await perform(reader, call));
  })();
  for (const [index, piece] of pieces.entries()) {
    protocol.dataReceived(Buffer.from(piece));
    // The end may come in the same turn as the last of the data, or in a later one.
    if (!together || index < pieces.length - 1) await Promise.resolve();
  }
  if (end === "eof") protocol.eofReceived();
  else protocol.connectionLost(new Error("lost"));
  await reading;
  return results;
}

describe("the calls of a StreamReader", () => {
  // What read(n) gives depends on what has come: it is in the other property.
  const steadyCall = anyCall.filter((call) => call.name !== "read" || call.n <= 0);

  for (const [how, chunk] of Object.entries(chunkings)) {
    it(`give the model's results when the data comes ${how} (property)`, async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(anyText, { maxLength: 8 }).map((texts) => texts.join("")),
          fc.array(steadyCall, { minLength: 1, maxLength: 12 }),
          fc.constantFrom("eof" as const, "lost" as const),
          fc.boolean(),
          async (text, calls, end, together) => {
            const model = new ModelReader(LIMIT);
            model.buffer = Buffer.from(text);
            model.ended = end;
            const expected = calls.map((call) => model.attempt(call) as string);
            assert.deepEqual(await readAll(chunk(text), end, together, calls), expected);
          },
        ),
        { numRuns: how === "in single bytes" ? 40 : 150 },
      );
    });
  }

  it("lose and double no bytes for any read(n) (property)", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyText, { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 2000 }), { minLength: 1 }),
        async (texts, sizes) => {
          const reader = new StreamReader({ limit: 1 });
          const reading = (async () => {
            let all = "";
            for (let index = 0; ; index += 1) {
              const size = sizes[index % sizes.length] as number;
              const bytes = await reader.read(size);
              assert.ok(bytes.length <= size);
              if (bytes.length === 0) return all;
              all += bytes.toString();
            }
          })();
          for (const text of texts) {
            reader.feedData(text);
            await Promise.resolve();
          }
          reader.feedEof();
          assert.equal(await reading, texts.join(""));
        },
      ),
      { numRuns: 200 },
    );
  });
});
