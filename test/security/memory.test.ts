/** Whose bytes a `Buffer` shows, and what idle connections cost. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { IncompleteReadError, StreamReader } from "asyncio-streams";
import { collectGarbage } from "../support/garbage.js";
import { type End, type Kind, kinds, openPair, type Pair } from "../support/pairs.js";
import { runtime } from "../support/runtime.js";
import { tcpTls } from "../support/tls-kinds.js";
import { until } from "../support/turns.js";

const CONNECTIONS = 12;
const LINES = 60;

/** A line that only this connection has, and only once. */
function lineOf(connection: number, index: number): string {
  return `${`${connection}:${index} `.repeat(1 + ((connection * 7 + index) % 40))}\n`;
}

async function exchange({ client, peer }: { client: End; peer: End }, connection: number): Promise<[Buffer, string][]> {
  const received: [Buffer, string][] = [];
  for (let index = 0; index < LINES; index += 1) {
    const line = lineOf(connection, index);
    peer.writer.write(line);
    received.push([await client.reader.readline(), line]);
  }
  return received;
}

/** Pieces of which the one makes a connection expect much, and the other then brings little. */
const PIECES: readonly [long: number, short: number][] = [
  [20_000, 1_500],
  [4_096, 1_024],
  [16_384, 1],
  [1_024, 1],
];
const PIECES_BYTES = 200_000;

/** So many bytes come, are read and leave an idle connection: the last read has brought much, over TLS too. */
const LONG_BYTES = 32_768;
/** More than may hold memory for such reads: 256 blocks of 64 KiB. */
const LONG_CONNECTIONS = 400;
const MOST_BLOCK_BYTES = 256 * 65_536;

/** What is behind all that is in the reader. Reads it. */
async function memoryBehind(reader: StreamReader): Promise<number> {
  const memories = new Set<ArrayBufferLike>();
  while (reader.bufferedLength > 0) memories.add((await reader.read(1)).buffer);
  return [...memories].reduce((sum, memory) => sum + memory.byteLength, 0);
}

function checkMemory(memory: number, buffered: number): void {
  assert.ok(memory <= 5 * buffered + 131_072, `${memory} bytes for ${buffered}`);
}

const onNode = { skip: runtime !== "node" && "only Node tells of it" };

/** Lets so many connections bring a message each, and compares what they keep with what they may. */
async function checkIdle(kind: Kind, connections: number, length: number, most: number): Promise<void> {
  const message = Buffer.alloc(length);
  const pairs: Pair[] = [];
  const add = async (): Promise<void> => {
    const pair = await openPair(kind);
    pair.peer.writer.write(message);
    await pair.client.reader.readexactly(length);
    pairs.push(pair);
  };
  await add();
  await collectGarbage();
  const before = process.memoryUsage().arrayBuffers;
  for (let index = 0; index < connections; index += 1) await add();
  await collectGarbage();
  const more = process.memoryUsage().arrayBuffers - before;
  assert.ok(more < most + 400_000, `${more} bytes`);
  // Those that are gone do not count. A message may have come in two reads.
  assert.ok(more >= most / 2, `${more} bytes`);
  for (const pair of pairs) await pair[Symbol.asyncDispose]();
}

for (const kind of [...kinds, tcpTls]) {
  for (const [long, short] of PIECES) {
    describe(`what a reader over ${kind.name} holds, in pieces of ${long} and ${short} bytes`, () => {
      it("keeps alive five times as much memory at most, and 128 KiB", async () => {
        await using pair = await openPair(kind, { client: { limit: PIECES_BYTES } });
        const { reader } = pair.client;
        let sent = 0;
        while (sent < PIECES_BYTES) {
          for (const size of [long, short]) {
            pair.peer.writer.write(Buffer.alloc(size));
            sent += size;
            await until(() => reader.bufferedLength === sent);
          }
        }
        checkMemory(await memoryBehind(reader), sent);
      });
    });
  }

  describe(`what a reader over ${kind.name} holds`, () => {
    it("keeps no more alive when the program puts back what comes, piece by piece", async () => {
      await using pair = await openPair(kind);
      const { reader } = pair.client;
      for (let sent = 1; sent <= 500; sent += 1) {
        pair.peer.writer.write("x");
        await until(() => reader.bufferedLength === sent);
        reader.unread(await reader.read(1));
      }
      checkMemory(await memoryBehind(reader), 500);
    });

    it("keeps no more alive after a readexactly() of much that was given up", async () => {
      await using pair = await openPair(kind);
      const { reader } = pair.client;
      const given = new AbortController();
      const reading = reader.readexactly(16_000_000, { signal: given.signal });
      pair.peer.writer.write("first\n");
      await until(() => reader.bufferedLength === 6);
      given.abort();
      await assert.rejects(reading, { name: "AbortError" });
      for (const line of ["first\n", "second\n", "third\n"]) {
        if (line !== "first\n") pair.peer.writer.write(line);
        const read = await reader.readline();
        assert.equal(read.toString(), line);
        assert.ok(read.buffer.byteLength <= 65_536, `${read.buffer.byteLength} bytes behind ${line}`);
      }
      const last = reader.readexactly(16_000_000);
      pair.peer.writer.write("last");
      pair.peer.writer.close();
      await assert.rejects(
        last,
        ({ partial }: IncompleteReadError) => partial.toString() === "last" && partial.buffer.byteLength <= 65_536,
      );
    });
  });

  describe(`a Buffer that was read over ${kind.name}`, () => {
    it("shows nothing of other connections, and stays as it was", async () => {
      const pairs: Pair[] = [];
      for (let index = 0; index < CONNECTIONS; index += 1) pairs.push(await openPair(kind));
      const received = await Promise.all(pairs.map(exchange));
      // All are kept until everybody has read everything.
      for (const [bytes, line] of received.flat()) assert.equal(bytes.toString(), line);
      for (const pair of pairs) await pair[Symbol.asyncDispose]();
    });
  });

  describe(`connections over ${kind.name}`, () => {
    it("keep no memory while they are idle", onNode, () => checkIdle(kind, 40, 6, 0));

    it("keep at most 16 MiB while they are idle after long messages", onNode, () =>
      // Over TLS it is Node that reads, into memory of its own for each read.
      checkIdle(kind, LONG_CONNECTIONS, LONG_BYTES, kind === tcpTls ? 0 : MOST_BLOCK_BYTES),
    );
  });
}
