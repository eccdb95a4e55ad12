/** Peers that are slow, or do not read at all: memory is bounded, and nobody else is held up. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { describe, it } from "node:test";
import { ConnectionLostError, type StreamReader, type StreamWriter } from "asyncio-streams";
import { engineOf } from "#src/streams/base-reader.js";
import { dial } from "../support/addresses.js";
import { kinds, openPair } from "../support/pairs.js";
import { tcpTls, unixTls } from "../support/tls-kinds.js";
import { isSettled, turns } from "../support/turns.js";
import { pattern } from "./pattern.js";

const PIECE_BYTES = 65_536;

/** The default limit of a reader. */
const LIMIT_BYTES = 65_536;

/** More than the system takes for a peer that does not read, and far less than a program would notice. */
const ENOUGH_BYTES = 64 * 1_048_576;

/** Writes and drains until `drain()` waits; returns what was written, and that `drain()`. */
async function fill(writer: StreamWriter): Promise<{ readonly written: number; readonly draining: Promise<void> }> {
  for (let written = 0; written < ENOUGH_BYTES; ) {
    writer.write(pattern(written, PIECE_BYTES));
    written += PIECE_BYTES;
    const draining = writer.drain();
    draining.catch(() => {});
    if (await isSettled(draining)) continue;
    // It may only be waiting for the peer's reader to fill up.
    await turns(30);
    if (!(await isSettled(draining))) return { written, draining };
  }
  throw new Error("drain() never waited");
}

async function readPattern(reader: StreamReader, length: number): Promise<void> {
  for (let at = 0; at < length; ) {
    const bytes = await reader.read(PIECE_BYTES);
    assert.ok(bytes.equals(pattern(at, bytes.length)), `a wrong byte after ${at}`);
    assert.notEqual(bytes.length, 0);
    at += bytes.length;
  }
}

for (const kind of [...kinds, unixTls, tcpTls]) {
  describe(`a peer that never reads over ${kind.name}`, () => {
    it("lets drain() wait, with no more in memory than the high-water mark and the last write", async () => {
      await using pair = await openPair(kind);
      const { writer } = pair.client;
      const { written, draining } = await fill(writer);
      const [, high] = writer.transport.getWriteBufferLimits();
      assert.ok(writer.transport.getWriteBufferSize() <= high + PIECE_BYTES, `${writer.transport.getWriteBufferSize()} of ${written}`);
      // Its reader has taken what it may, and no more.
      const { length } = engineOf(pair.peer.reader).queue;
      assert.ok(length <= 2 * LIMIT_BYTES + PIECE_BYTES, `${length} bytes are waiting to be read`);
      await readPattern(pair.peer.reader, written);
      await draining;
    });

    it("is removed by abort(), which frees the buffered bytes at once", async () => {
      await using pair = await openPair(kind);
      const { writer } = pair.client;
      const { draining } = await fill(writer);
      writer.abort();
      await assert.rejects(draining, ConnectionLostError);
      await writer.waitClosed();
      assert.equal(writer.transport.getWriteBufferSize(), 0);
    });

    it("does not hold up another one", async () => {
      await using deaf = await openPair(kind);
      await fill(deaf.client.writer);
      await using other = await openPair(kind);
      other.client.writer.write(pattern(0, 1_000_000));
      await readPattern(other.peer.reader, 1_000_000);
    });
  });

  describe(`a writer that is closed while drain() waits over ${kind.name}`, () => {
    it("sends everything once the peer reads, and the drains are done", async () => {
      await using pair = await openPair(kind);
      const { writer } = pair.client;
      const { written, draining } = await fill(writer);
      const drains = Promise.all([draining, writer.drain()]);
      writer.close();
      assert.equal(await isSettled(drains), false);
      await readPattern(pair.peer.reader, written);
      assert.equal((await pair.peer.reader.read()).length, 0);
      pair.peer.writer.close();
      await drains;
      await writer.waitClosed();
    });

    it("lets the drains fail if the peer never does, and the connection is cut", async () => {
      await using pair = await openPair(kind);
      const { writer } = pair.client;
      const { draining } = await fill(writer);
      const drains = Promise.allSettled([draining, writer.drain()]);
      writer.close();
      assert.equal(await isSettled(drains), false);
      writer.abort();
      for (const drained of await drains) assert.ok(drained.status === "rejected" && drained.reason instanceof ConnectionLostError);
      await writer.waitClosed();
    });
  });
}

const MESSAGE = `${"slowly does it, ".repeat(40)}\n`;

for (const kind of kinds) {
  describe(`a peer that sends a byte at a time over ${kind.name}`, () => {
    it("is read completely by every call, and others are served meanwhile", async () => {
      const { server, connect } = await kind.serve(async (reader, writer) => {
        writer.write(await reader.readline());
        writer.write(await reader.readexactly(MESSAGE.length));
        writer.write(await reader.readuntil("\n"));
        writer.close();
      });
      const slow = net.connect(dial(server.sockets[0]!.getsockname()));
      await once(slow, "connect");
      if (slow.remoteFamily !== undefined) slow.setNoDelay(true);
      let received = "";
      slow.on("data", (data) => (received += data.toString()));
      const ended = once(slow, "end");
      for (const [index, byte] of [...MESSAGE.repeat(3)].entries()) {
        slow.write(byte);
        await turns();
        if (index % 500 !== 0) continue;
        const [reader, writer] = await connect();
        writer.write("quick\n".repeat(3).padEnd(6 + MESSAGE.length, "."));
        writer.write("\n");
        assert.equal((await reader.readline()).toString(), "quick\n");
        writer.abort();
        await writer.waitClosed();
      }
      await ended;
      assert.equal(received, MESSAGE.repeat(3));
      slow.destroy();
      await server.shutdown();
    });

    it("may be too slow for a time-out, which keeps the received bytes for the next call", async () => {
      await using pair = await openPair(kind);
      let attempts = 0;
      const sending = (async () => {
        for (const byte of MESSAGE) {
          const before = attempts;
          pair.client.writer.write(byte);
          while (attempts === before) await turns();
        }
      })();
      for (;;) {
        const line = await pair.peer.reader.readline({ timeout: 1 }).catch((error: Error) => {
          assert.equal(error.name, "TimeoutError");
          attempts += 1;
          return null;
        });
        if (line === null) continue;
        assert.equal(line.toString(), MESSAGE);
        attempts += 1;
        break;
      }
      await sending;
    });
  });
}
