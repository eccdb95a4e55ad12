/** Writing, backpressure and volume over real sockets. `checkTransport()` checks what the transports promise by themselves. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { StreamWriter } from "asyncio-streams";
import { openPair } from "../support/pairs.js";
import { payload, receiveBytes, sendBytes } from "../support/payload.js";
import { isSettled } from "../support/turns.js";
import type { Part } from "./traits.js";

const VOLUME_BYTES = 64 * 1_048_576;
/** More than any system keeps for a peer that does not read. */
const CLOG_BYTES = 16 * 1_048_576;

/** Writes far more than a peer that does not read can be sent. */
function clog(writer: StreamWriter): void {
  for (let sent = 0; sent < CLOG_BYTES; sent += 1_048_576) writer.write(payload(1_048_576, sent));
}

export const checkWriting: Part = (kind) => {
  describe(`StreamWriter over ${kind.name}`, () => {
    it("sends 64 MiB each way at the same time, unchanged, with a bounded buffer", async () => {
      await using pair = await openPair(kind);
      const [there, back, atPeer, atClient] = await Promise.all([
        sendBytes(pair.client.writer, VOLUME_BYTES),
        sendBytes(pair.peer.writer, VOLUME_BYTES),
        receiveBytes(pair.peer.reader, VOLUME_BYTES),
        receiveBytes(pair.client.reader, VOLUME_BYTES),
      ]);
      assert.equal(atPeer, there);
      assert.equal(atClient, back);
    });

    it("sends the writes of one tick in order", async () => {
      await using pair = await openPair(kind);
      let expected = "";
      for (let number = 0; number < 5_000; number += 1) {
        const text = `${number},`;
        expected += text;
        if (number % 3 === 0) pair.client.writer.write(text);
        else if (number % 3 === 1) pair.client.writer.write(Buffer.from(text));
        else pair.client.writer.writelines([text.slice(0, 1), Buffer.from(text.slice(1))]);
      }
      pair.client.writer.close();
      assert.equal((await pair.peer.reader.read()).toString(), expected);
    });

    it("sends writes of later turns, of any size, in order", async () => {
      await using pair = await openPair(kind);
      const sizes = [1, 65_535, 65_536, 65_537, 200_000, 3, 131_072, 131_073];
      let total = 0;
      const send = async (): Promise<void> => {
        for (const size of sizes) {
          pair.client.writer.write(payload(size, total));
          total += size;
          await Promise.resolve();
        }
        pair.client.writer.close();
      };
      const [received] = await Promise.all([pair.peer.reader.read(), send()]);
      assert.ok(received.equals(payload(total)));
    });

    it("sends text as UTF-8, and of a view only its own bytes", async () => {
      await using pair = await openPair(kind);
      pair.client.writer.write("grüße €\n");
      pair.client.writer.write(new Uint8Array([1, 2, 3, 4, 5]).subarray(1, 3));
      pair.client.writer.write("");
      pair.client.writer.write(new Uint8Array(0));
      pair.client.writer.writelines([]);
      pair.client.writer.close();
      assert.equal((await pair.peer.reader.readline()).toString(), "grüße €\n");
      assert.deepEqual([...(await pair.peer.reader.read())], [2, 3]);
    });

    it("drain() waits for a peer that does not read, and goes on at a quarter of the high-water mark", async () => {
      await using pair = await openPair(kind);
      const { writer } = pair.client;
      const [low, high] = writer.transport.getWriteBufferLimits();
      assert.equal(low, high / 4);
      clog(writer);
      let left = -1;
      const drained = writer.drain().then(() => (left = writer.transport.getWriteBufferSize()));
      assert.equal(await isSettled(drained), false);
      assert.ok(writer.transport.getWriteBufferSize() > high);
      const received = receiveBytes(pair.peer.reader, CLOG_BYTES);
      await drained;
      assert.ok(left <= low, `${left} bytes are left`);
      await received;
    });

    it("any number of callers may wait in drain()", async () => {
      await using pair = await openPair(kind);
      clog(pair.client.writer);
      const drains = Promise.all(Array.from({ length: 100 }, () => pair.client.writer.drain()));
      assert.equal(await isSettled(drains), false);
      await receiveBytes(pair.peer.reader, CLOG_BYTES);
      await drains;
    });

    it("an aborted drain() ends the wait only: the data still arrives, and other callers wait on", async () => {
      await using pair = await openPair(kind);
      const { writer } = pair.client;
      clog(writer);
      const controller = new AbortController();
      const aborted = writer.drain({ signal: controller.signal });
      const other = writer.drain();
      controller.abort();
      await assert.rejects(aborted, { name: "AbortError" });
      assert.equal(await isSettled(other), false);
      await receiveBytes(pair.peer.reader, CLOG_BYTES);
      await other;
    });
  });
};
