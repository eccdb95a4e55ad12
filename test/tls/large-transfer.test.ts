/**
 * A large transfer over TLS, whose reader is slower than its writer at times: every byte arrives, and the memory stays bounded.
 *
 * 192 MiB, since all tests run often; `TRANSFER_MIB=1024 node scripts/test.mjs tls/large-transfer` sends 1 GiB.
 */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { StreamReader } from "asyncio-streams";
import { kinds, openPair } from "../support/pairs.js";
import { receiveBytes, sendBytes } from "../support/payload.js";
import { overTls } from "../support/tls-kinds.js";
import { turns } from "../support/turns.js";

const MIB = 1_048_576;
const TOTAL = Number(process.env["TRANSFER_MIB"] ?? 192) * MIB;

/** What the process may grow by, with the garbage of both ends in it, however much is sent. */
const GROWTH_AT_MOST = 160 * MIB;

/** Reads with a pause after every few chunks, so that the sender is stopped now and then. */
class SlowReader {
  readonly #reader: StreamReader;
  #count = 0;
  /** The most memory that the process had. */
  peak = 0;

  constructor(reader: StreamReader) {
    this.#reader = reader;
  }

  async read(n: number): Promise<Buffer> {
    this.#count += 1;
    if (this.#count % 64 === 0) {
      this.peak = Math.max(this.peak, process.memoryUsage.rss());
      await turns(2);
    }
    return this.#reader.read(n);
  }
}

for (const kind of kinds) {
  describe(`a transfer of ${TOTAL / MIB} MiB over TLS over ${kind.name}`, () => {
    it("keeps the memory bounded, and brings every byte", async (context) => {
      await using pair = await openPair(overTls(kind, { begin: "ssl", version: "TLSv1.3" }));
      const before = process.memoryUsage.rss();
      const reader = new SlowReader(pair.peer.reader);
      const [sent, received] = await Promise.all([
        sendBytes(pair.client.writer, TOTAL),
        receiveBytes(reader as unknown as StreamReader, TOTAL),
      ]);
      assert.equal(received, sent);
      const growth = reader.peak - before;
      context.diagnostic?.(`grew by ${Math.round(growth / MIB)} MiB`);
      assert.ok(growth < GROWTH_AT_MOST, `the process grew by ${Math.round(growth / MIB)} MiB`);
    });
  });
}
