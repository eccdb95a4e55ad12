/** How connections end for streams over real sockets. `checkTransport()` checks what the transports promise by themselves. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ConnectionLostError } from "asyncio-streams";
import { openPair } from "../support/pairs.js";
import { payload } from "../support/payload.js";
import { isSettled, turns } from "../support/turns.js";
import type { Part } from "./traits.js";

const MUCH_BYTES = 8 * 1_048_576;

export const checkEnding: Part = (kind, { halfClose }) => {
  describe(`the end of a connection over ${kind.name}`, () => {
    it("transport.abort() drops the written bytes", async () => {
      await using pair = await openPair(kind);
      const { writer } = pair.client;
      for (let sent = 0; sent < MUCH_BYTES; sent += 65_536) writer.write(payload(65_536, sent));
      writer.transport.abort();
      assert.equal(writer.isClosing(), true);
      await writer.waitClosed();
      let received = 0;
      try {
        for (let chunk = await pair.peer.reader.read(65_536); chunk.length > 0; chunk = await pair.peer.reader.read(65_536)) {
          received += chunk.length;
        }
      } catch (error) {
        assert.equal((error as { code?: string }).code, "ECONNRESET");
      }
      assert.ok(received < MUCH_BYTES, `${received} bytes came`);
    });

    it("waitClosed() waits for the end in any number of callers", async () => {
      await using pair = await openPair(kind);
      const { writer } = pair.client;
      const waits = Promise.all([writer.waitClosed(), writer.waitClosed(), writer.waitClosed()]);
      assert.equal(await isSettled(waits), false);
      writer.close();
      await waits;
      await writer.waitClosed();
    });

    it("an aborted waitClosed() leaves the connection alone", async () => {
      await using pair = await openPair(kind);
      const controller = new AbortController();
      const waiting = pair.client.writer.waitClosed({ signal: controller.signal });
      controller.abort();
      await assert.rejects(waiting, { name: "AbortError" });
      pair.client.writer.write("still here\n");
      assert.equal((await pair.peer.reader.readline()).toString(), "still here\n");
    });

    it("await using closes the connection at the end of the block", async () => {
      await using pair = await openPair(kind);
      {
        await using writer = pair.client.writer;
        writer.write("last words");
      }
      assert.equal(pair.client.writer.isClosing(), true);
      assert.equal((await pair.peer.reader.read()).toString(), "last words");
    });

    it("a write after close() is ignored, and the next drain() rejects", async () => {
      await using pair = await openPair(kind);
      const { writer } = pair.client;
      writer.close();
      writer.write("lost");
      writer.writelines(["lost", "too"]);
      await assert.rejects(writer.drain(), ConnectionLostError);
      await writer.waitClosed();
      writer.write("lost");
      await assert.rejects(writer.drain(), { name: "ConnectionLostError", code: "ECONNRESET" });
      assert.equal((await pair.peer.reader.read()).length, 0);
    });

    it("drain() after close() rejects though there is nothing left to send", async () => {
      await using pair = await openPair(kind);
      pair.client.writer.write("sent");
      assert.equal((await pair.peer.reader.readexactly(4)).toString(), "sent");
      pair.client.writer.close();
      await assert.rejects(pair.client.writer.drain(), ConnectionLostError);
    });

    it("after close(), reads give the received bytes, then EOF", async () => {
      await using pair = await openPair(kind);
      pair.peer.writer.write("before\nthe end\n");
      assert.equal((await pair.client.reader.readline()).toString(), "before\n");
      pair.client.writer.close();
      assert.equal((await pair.client.reader.readline()).toString(), "the end\n");
      assert.equal((await pair.client.reader.read()).length, 0);
      assert.equal(pair.client.reader.atEof(), true);
    });

    it("close() ends a read that waits with EOF", async () => {
      await using pair = await openPair(kind);
      const reading = pair.client.reader.readline();
      pair.client.writer.close();
      assert.equal((await reading).length, 0);
    });

    it("getExtraInfo() gives both addresses, before and after the end", async () => {
      await using pair = await openPair(kind);
      const info = (): unknown[] => ["peername", "sockname"].map((name) => pair.client.writer.getExtraInfo(name));
      const before = info();
      assert.deepEqual(pair.client.writer.getExtraInfo("peername"), pair.peer.writer.getExtraInfo("sockname"));
      assert.deepEqual(pair.client.writer.getExtraInfo("peername"), pair.server.sockets[0]!.getsockname());
      const socket = pair.client.writer.getExtraInfo("socket");
      assert.deepEqual([socket?.getpeername(), socket?.getsockname()], before);
      pair.client.writer.close();
      await pair.client.writer.waitClosed();
      assert.deepEqual(info(), before);
    });

    it("canWriteEof() is true if a side can be ended alone", async () => {
      await using pair = await openPair(kind);
      assert.equal(pair.client.writer.canWriteEof(), halfClose);
    });
  });

  if (halfClose) checkHalfClose(kind);
};

function checkHalfClose(kind: Parameters<Part>[0]): void {
  describe(`writeEof() over ${kind.name}`, () => {
    it("lets the answer through in full", async () => {
      await using pair = await openPair(kind);
      pair.client.writer.write("question");
      pair.client.writer.writeEof();
      assert.equal((await pair.peer.reader.read()).toString(), "question");
      pair.peer.writer.write(payload(1_000_000));
      pair.peer.writer.close();
      assert.ok((await pair.client.reader.read()).equals(payload(1_000_000)));
    });

    it("drain() afterwards does not reject, even when the peer's EOF was seen", async () => {
      await using pair = await openPair(kind);
      pair.client.writer.writeEof();
      await pair.client.writer.drain();
      pair.peer.writer.writeEof();
      assert.equal((await pair.client.reader.read()).length, 0);
      assert.equal((await pair.peer.reader.read()).length, 0);
      await turns(10);
      await pair.client.writer.drain();
      assert.equal(pair.client.writer.isClosing(), false);
    });
  });
}
