/** Whose bytes a `Buffer` shows, and what idle connections cost. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type End, kinds, openPair, type Pair } from "../support/pairs.js";
import { runtime } from "../support/runtime.js";
import { tcpTls } from "../support/tls-kinds.js";

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

for (const kind of [...kinds, tcpTls]) {
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
