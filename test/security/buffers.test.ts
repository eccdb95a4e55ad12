/** What a peer can make the library hold. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memoryPair } from "asyncio-streams/testing";
import { kinds, openPair } from "../support/pairs.js";
import { runtime } from "../support/runtime.js";
import { tcpTls, unixTls } from "../support/tls-kinds.js";
import { turns } from "../support/turns.js";

const LIMIT = 10_000;
/** The most that a read brings. */
const CHUNK_BYTES = runtime === "bun" ? 524_288 : 65_536;
const MUCH_BYTES = 8_000_000;

for (const kind of [...kinds, unixTls, tcpTls]) {
  describe(`a connection over ${kind.name}`, () => {
    it("holds at most twice the limit and one chunk of a peer that floods", async () => {
      await using pair = await openPair(kind, { client: { limit: LIMIT } });
      const { reader } = pair.client;
      pair.peer.writer.write(Buffer.alloc(MUCH_BYTES));
      let most = 0;
      // The peer has much more to send, so that whoever would go on reading would have it.
      for (let turn = 0; turn < 300; turn += 1) {
        await turns();
        most = Math.max(most, reader.bufferedLength);
      }
      assert.ok(most > 2 * LIMIT);
      assert.ok(most <= 2 * LIMIT + CHUNK_BYTES, `${most} bytes`);
      let received = 0;
      while (received < MUCH_BYTES) received += (await reader.read(1_000_000)).length;
    });

    it("holds at most the high-water mark and one write of a program that drains", async () => {
      await using pair = await openPair(kind);
      const { writer } = pair.client;
      const [, high] = writer.transport.getWriteBufferLimits();
      const piece = Buffer.alloc(5000);
      const reading = (async () => {
        let received = 0;
        for await (const chunk of pair.peer.reader.chunks()) received += chunk.length;
        return received;
      })();
      let most = 0;
      for (let index = 0; index < 400; index += 1) {
        writer.write(piece);
        most = Math.max(most, writer.transport.getWriteBufferSize());
        await writer.drain();
      }
      assert.ok(most <= high + piece.length, `${most} bytes`);
      writer.close();
      assert.equal(await reading, 400 * piece.length);
    });

    it("releases with abort() the bytes written to a peer that never reads", async () => {
      await using pair = await openPair(kind);
      const { writer } = pair.client;
      writer.write(Buffer.alloc(MUCH_BYTES));
      await turns(20);
      assert.ok(writer.transport.getWriteBufferSize() > 0);
      await assert.rejects(writer.drain({ timeout: 1 }), { name: "TimeoutError" });
      writer.transport.abort();
      await writer.waitClosed();
      assert.equal(writer.transport.getWriteBufferSize(), 0);
    });
  });
}

describe("a connection in memory", () => {
  it("holds at most its capacity", async () => {
    const capacity = 3000;
    const [client, server] = memoryPair({ capacity, limit: LIMIT });
    client.writer.write(Buffer.alloc(MUCH_BYTES));
    await turns(200);
    const sent = MUCH_BYTES - client.writer.transport.getWriteBufferSize();
    assert.ok(server.reader.bufferedLength <= 2 * LIMIT + CHUNK_BYTES);
    assert.ok(sent - server.reader.bufferedLength <= capacity, `${sent - server.reader.bufferedLength} bytes on their way`);
    for (const { writer } of [client, server]) writer.transport.abort();
    await Promise.all([client.writer.waitClosed(), server.writer.waitClosed()]);
  });
});
