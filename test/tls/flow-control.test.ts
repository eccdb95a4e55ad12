/** A slow reader stops the sender over TLS, too, and the memory stays bounded. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { StreamWriter } from "asyncio-streams";
import { kinds, openPair } from "../support/pairs.js";
import { checksum, payload, receiveBytes } from "../support/payload.js";
import { overTls } from "../support/tls-kinds.js";
import { isSettled, turns, until } from "../support/turns.js";

const MIB = 1_048_576;
const HIGH = 524_288;

/** What the kernel and both ends' buffers may hold at most, far below what is sent. */
const HELD_AT_MOST = 32 * MIB;

/** Writes with back-pressure for as long as drain() returns by itself; returns how much that was. */
async function sendUntilStopped(writer: StreamWriter): Promise<number> {
  for (let sent = 0; ; sent += 65_536) {
    assert.ok(sent < HELD_AT_MOST, "nobody stops the sender");
    assert.ok(writer.transport.getWriteBufferSize() <= HIGH + 65_536);
    writer.write(payload(65_536, sent));
    const drained = writer.drain();
    // It may take a while until the system has taken what it takes.
    let settled = false;
    for (let attempt = 0; attempt < 50 && !settled; attempt += 1) settled = await isSettled(drained);
    if (!settled) {
      drained.catch(() => {});
      return sent + 65_536;
    }
  }
}

for (const kind of kinds) {
  for (const begin of ["ssl", "startTls"] as const) {
    const tlsKind = overTls(kind, { begin, version: "TLSv1.3" });

    describe(`flow control over ${tlsKind.name}`, () => {
      it("has its high-water mark at 512 KiB on both sides", async () => {
        await using pair = await openPair(tlsKind);
        for (const { writer } of [pair.client, pair.peer]) {
          assert.deepEqual(writer.transport.getWriteBufferLimits(), [HIGH / 4, HIGH]);
        }
      });

      it("stops a sender whose reader does not read, and goes on when it does", async () => {
        await using pair = await openPair(tlsKind);
        for (const [from, to] of [
          [pair.client, pair.peer],
          [pair.peer, pair.client],
        ] as const) {
          const sent = await sendUntilStopped(from.writer);
          await turns(20);
          // It waits until the low-water mark.
          assert.ok(from.writer.transport.getWriteBufferSize() > HIGH / 4);
          const drained = from.writer.drain();
          const received = await receiveBytes(to.reader, sent);
          await drained;
          assert.equal(received, await checksum(sent));
          await until(() => from.writer.transport.getWriteBufferSize() === 0);
        }
      });

      it("stops reading when the reader has twice its limit, and what is left is not lost", async () => {
        await using pair = await openPair(tlsKind, { client: { limit: 1_000 } });
        const { reader, writer } = pair.client;
        pair.peer.writer.write(payload(600_000));
        await until(() => !writer.transport.isReading());
        await turns(20);
        assert.ok((await reader.readexactly(600_000)).equals(payload(600_000)));
        assert.equal(writer.transport.isReading(), true);
      });

      it("brings what was written before close(), however slow the reader is", async () => {
        await using pair = await openPair(tlsKind);
        const sent = await sendUntilStopped(pair.client.writer);
        pair.client.writer.close();
        const hash = await receiveBytes(pair.peer.reader, sent);
        assert.equal(hash, await checksum(sent));
        assert.equal((await pair.peer.reader.read()).length, 0);
        await pair.client.writer.waitClosed();
      });

      it("lets other marks be set", async () => {
        await using pair = await openPair(tlsKind);
        const { transport } = pair.client.writer;
        transport.setWriteBufferLimits({ high: 1_000 });
        assert.deepEqual(transport.getWriteBufferLimits(), [250, 1_000]);
        transport.setWriteBufferLimits();
        assert.deepEqual(transport.getWriteBufferLimits(), [HIGH / 4, HIGH]);
      });
    });
  }
}
