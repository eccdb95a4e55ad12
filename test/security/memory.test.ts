/** Whose bytes a `Buffer` shows, and what idle connections cost. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type End, kinds, openPair, type Pair } from "../support/pairs.js";
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
];
const PIECES_BYTES = 200_000;

for (const kind of [...kinds, tcpTls]) {
  for (const [long, short] of PIECES) {
    describe(`what a reader over ${kind.name} holds, in pieces of ${long} and ${short} bytes`, () => {
      it("keeps alive four times as much memory at most, and 128 KiB", async () => {
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
        const memories = new Set<ArrayBufferLike>();
        for (let taken = 0; taken < sent; taken += 1) memories.add((await reader.read(1)).buffer);
        const kept = [...memories].reduce((sum, memory) => sum + memory.byteLength, 0);
        assert.ok(kept <= 4 * sent + 131_072, `${kept} bytes for ${sent}`);
      });
    });
  }

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
    it("keeps no memory for connections that are idle", { skip: runtime !== "node" ? "only Node tells of it" : false }, async () => {
      const pairs: Pair[] = [];
      pairs.push(await openPair(kind));
      await exchange(pairs[0] as Pair, 0);
      const before = process.memoryUsage().arrayBuffers;
      for (let index = 0; index < 40; index += 1) {
        const pair = await openPair(kind);
        pair.peer.writer.write("hello\n");
        await pair.client.reader.readline();
        pairs.push(pair);
      }
      // A block for each end would be 5 MiB.
      const more = process.memoryUsage().arrayBuffers - before;
      if (kind !== tcpTls) assert.ok(more < 40 * 32_768, `${more} bytes`);
      for (const pair of pairs) await pair[Symbol.asyncDispose]();
    });
  });
}
