/**
 * What must hold of every connection, whatever is done on it: over memory, Unix sockets, TCP, and TLS over both.
 *
 * A failure prints its seed and its smallest case; the case is kept in `examples` of its property.
 */
import "../support/leak-guard.js";
import "./seed.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hostile, memoryPair } from "asyncio-streams/testing";
import * as fc from "fast-check";
import { type End, type Kind, openPair, tcp, unix } from "../support/pairs.js";
import { tcpTls, unixTls } from "../support/tls-kinds.js";
import { turns } from "../support/turns.js";
import { anyCall, anyText, perform } from "./calls.js";
import { type Call, ModelReader } from "./reader-model.js";

/** A way to open a connection, and how often a property is tried over it. */
interface Way {
  readonly name: string;
  readonly runs: number;
  readonly halfClose: boolean;
  readonly open: (limit: number) => Promise<{ readonly client: End; readonly peer: End } & AsyncDisposable>;
}

function overSockets(kind: Kind, runs: number, halfClose: boolean): Way {
  return { name: kind.name, runs, halfClose, open: (limit) => openPair(kind, { client: { limit }, server: { limit } }) };
}

function inMemory(name: string, makeHostile: () => object): Way {
  return {
    name,
    runs: 40,
    halfClose: true,
    async open(limit) {
      const [client, peer] = memoryPair({ limit, ...makeHostile() });
      return {
        client,
        peer,
        async [Symbol.asyncDispose]() {
          client.writer.transport.abort();
          peer.writer.transport.abort();
          await Promise.allSettled([client.writer.waitClosed(), peer.writer.waitClosed()]);
        },
      };
    },
  };
}

const WAYS: readonly Way[] = [
  inMemory("memory", () => ({})),
  inMemory("memory that cuts everything in bytes", () => ({ hostile: hostile.oneByteAtATime() })),
  inMemory("memory that cuts anywhere and holds little", () => ({ hostile: hostile.randomCuts(5, 700), capacity: 1000 })),
  overSockets(unix, 25, true),
  overSockets(tcp, 25, true),
  overSockets(unixTls, 10, false),
  overSockets(tcpTls, 10, false),
];

const PERIOD_BYTES = 65_536;
/** Bytes that tell their place in the stream, within a period: none can stand for another near it. As long as the longest write, and a period. */
const PATTERN: Buffer = Buffer.from(
  Array.from({ length: 4 * PERIOD_BYTES }, (_, position) => (position * 31 + ((position % PERIOD_BYTES) >> 8)) & 0xff),
);

/** The bytes of this place in the stream. */
function bytesAt(position: number, length: number): Buffer {
  return PATTERN.subarray(position % PERIOD_BYTES, (position % PERIOD_BYTES) + length);
}

/** Whether these are the first bytes of the stream. */
function isBeginning(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; at += PERIOD_BYTES) {
    const period = bytes.subarray(at, at + PERIOD_BYTES);
    if (!period.equals(bytesAt(at, period.length))) return false;
  }
  return true;
}

/** What a writer does, and its peer. A drain or a flush is not waited for before the peer reads on. */
type Deed =
  | { readonly deed: "write" | "writelines"; readonly sizes: readonly number[] }
  | { readonly deed: "drain" | "flush" | "turn" | "peer pauses" | "peer goes on" };

function deeds(largest: number): fc.Arbitrary<Deed[]> {
  const size = fc.oneof(fc.constantFrom(0, 1, 2), fc.integer({ min: 0, max: 3000 }), fc.constantFrom(largest, largest + 1));
  return fc.array(
    fc.oneof(
      { weight: 5, arbitrary: fc.record({ deed: fc.constant("write" as const), sizes: fc.tuple(size) }) },
      { weight: 1, arbitrary: fc.record({ deed: fc.constant("writelines" as const), sizes: fc.array(size, { maxLength: 4 }) }) },
      {
        weight: 5,
        arbitrary: fc.record({
          deed: fc.constantFrom("drain" as const, "flush" as const, "turn" as const, "peer pauses" as const, "peer goes on" as const),
        }),
      },
    ),
    { maxLength: 25 },
  );
}

/** A peer that reads to the end, but stops while it is told to. */
class Peer {
  #gate: Promise<void> = Promise.resolve();
  #open: () => void = () => {};

  pause(): void {
    this.goOn();
    this.#gate = new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  goOn(): void {
    this.#open();
  }

  async readAll({ reader }: End, size: number): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for (;;) {
      await this.#gate;
      const chunk = await reader.read(size);
      if (chunk.length === 0) return Buffer.concat(chunks);
      chunks.push(chunk);
    }
  }
}

/** Does all of it and closes; what was written before. */
async function carryOut(writer: End["writer"], peer: Peer, all: readonly Deed[], end: "close" | "writeEof"): Promise<number> {
  let written = 0;
  const waits: Promise<unknown>[] = [];
  const next = (size: number): Buffer => {
    written += size;
    return bytesAt(written - size, size);
  };
  for (const one of all) {
    if (one.deed === "write") writer.write(next(one.sizes[0] as number));
    else if (one.deed === "writelines") writer.writelines(one.sizes.map(next));
    else if (one.deed === "drain" || one.deed === "flush") waits.push(writer[one.deed]());
    else if (one.deed === "turn") await turns();
    else if (one.deed === "peer pauses") peer.pause();
    else if (one.deed === "peer goes on") peer.goOn();
  }
  writer[end]();
  if (end === "close") writer.write("not any more");
  peer.goOn();
  // A connection that has been closed may reject those who wait, but has sent what they wrote.
  await Promise.allSettled(waits);
  return written;
}

for (const way of WAYS) {
  describe(`a connection over ${way.name}`, () => {
    const largest = way.name === "memory that cuts everything in bytes" ? 3000 : 150_000;

    it("delivers exactly the bytes that were written before the end, in any order of writes, drains, pauses and closes (property)", async () => {
      const end = way.halfClose ? fc.constantFrom("close" as const, "writeEof" as const) : fc.constant("close" as const);
      await fc.assert(
        fc.asyncProperty(deeds(largest), end, fc.constantFrom(1 << 20, 5000), async (all, ending, size) => {
          await using pair = await way.open(65_536);
          const peer = new Peer();
          const reading = peer.readAll(pair.peer, size);
          const written = await carryOut(pair.client.writer, peer, all, ending);
          const received = await reading;
          assert.equal(received.length, written);
          assert.ok(isBeginning(received));
        }),
        { numRuns: way.runs },
      );
    });

    it("gives the model's results for any calls, pieces and aborts (property)", async () => {
      // What read(n) gives depends on what has come.
      const steadyCall = anyCall.filter((call) => call.name !== "read" || call.n <= 0);
      const aborts = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 });
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.tuple(anyText, fc.integer({ min: 0, max: 2 })), { maxLength: 8 }),
          fc.array(fc.tuple(steadyCall, aborts), { minLength: 1, maxLength: 10 }),
          async (pieces, calls) => {
            await using pair = await way.open(1_000_000);
            const model = new ModelReader(1_000_000);
            model.buffer = Buffer.from(pieces.map(([text]) => text).join(""));
            model.ended = "eof";
            const expected = calls.map(([call]) => model.attempt(call));
            const reading = readAll(pair.peer, calls);
            for (const [text, count] of pieces) {
              pair.client.writer.write(text);
              await turns(count);
            }
            pair.client.writer.close(); // together with the last of the data, or later
            assert.deepEqual(await reading, expected);
          },
        ),
        { numRuns: way.runs },
      );
    });
  });
}

/** Makes the calls one after the other; each is aborted after so many turns, and made again. */
async function readAll({ reader }: End, calls: readonly (readonly [Call, readonly number[]])[]): Promise<string[]> {
  const results: string[] = [];
  for (const [call, aborts] of calls) {
    let result = "AbortError";
    for (const count of aborts) {
      const controller = new AbortController();
      const outcome = perform(reader, call, { signal: controller.signal });
      await turns(count);
      controller.abort();
      result = await outcome;
      if (result !== "AbortError") break;
    }
    results.push(result === "AbortError" ? await perform(reader, call) : result);
  }
  return results;
}
