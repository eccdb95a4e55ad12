/** How connections end, over real sockets. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ConnectionLostError, InvalidStateError } from "asyncio-streams";
import { openPair } from "../support/pairs.js";
import { payload } from "../support/payload.js";
import { isSettled, turns } from "../support/turns.js";
import type { Part } from "./traits.js";

const MUCH_BYTES = 8 * 1_048_576;

export const checkEnding: Part = (kind, { halfClose }) => {
  describe(`the end of a connection over ${kind.name}`, () => {
    it("close() sends first what was written", async () => {
      await using pair = await openPair(kind);
      const { writer } = pair.client;
      for (let sent = 0; sent < MUCH_BYTES; sent += 65_536) writer.write(payload(65_536, sent));
      writer.close();
      assert.equal(writer.isClosing(), true);
      const received = await pair.peer.reader.read();
      assert.equal(received.length, MUCH_BYTES);
      assert.ok(received.subarray(-65_536).equals(payload(65_536, MUCH_BYTES - 65_536)));
      await writer.waitClosed();
    });

    it("transport.abort() drops what was written", async () => {
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

    it("isClosing() is false while the connection stands", async () => {
      await using pair = await openPair(kind);
      assert.equal(pair.client.writer.isClosing(), false);
      assert.equal(pair.peer.writer.isClosing(), false);
      pair.client.writer.close();
      assert.equal(pair.client.writer.isClosing(), true);
    });

    it("waitClosed() waits for the end, for any number of callers", async () => {
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

    it("a write after close() is silent, and the next drain() rejects", async () => {
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

    it("close() and abort() on something closed do nothing", async () => {
      await using pair = await openPair(kind);
      const { writer } = pair.client;
      writer.close();
      writer.close();
      await writer.waitClosed();
      writer.close();
      writer.transport.abort();
      writer.transport.close();
      await writer.waitClosed();
    });

    it("after close(), reads give what had come and then EOF", async () => {
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

    it("the transport is not reading once it closes", async () => {
      await using pair = await openPair(kind);
      pair.client.writer.close();
      assert.equal(pair.client.writer.transport.isReading(), false);
      await pair.client.writer.waitClosed();
      assert.equal(pair.client.writer.transport.getWriteBufferSize(), 0);
    });

    it("getExtraInfo() tells of both ends, before and after the end", async () => {
      await using pair = await openPair(kind);
      const info = (): unknown[] => ["peername", "sockname"].map((name) => pair.client.writer.getExtraInfo(name));
      const before = info();
      assert.deepEqual(pair.client.writer.getExtraInfo("peername"), pair.peer.writer.getExtraInfo("sockname"));
      assert.deepEqual(pair.client.writer.getExtraInfo("peername"), pair.server.sockets[0]!.getsockname());
      const socket = pair.client.writer.getExtraInfo("socket");
      assert.deepEqual([socket?.getpeername(), socket?.getsockname()], before);
      assert.equal(pair.client.writer.getExtraInfo("no such key"), null);
      assert.equal(pair.client.writer.getExtraInfo("no such key", 7), 7);
      assert.equal(pair.client.writer.getExtraInfo("toString"), null);
      pair.client.writer.close();
      await pair.client.writer.waitClosed();
      assert.deepEqual(info(), before);
    });

    it("canWriteEof() says whether a side can be ended alone", async () => {
      await using pair = await openPair(kind);
      assert.equal(pair.client.writer.canWriteEof(), halfClose);
    });
  });

  if (halfClose) checkHalfClose(kind);
};

function checkHalfClose(kind: Parameters<Part>[0]): void {
  describe(`writeEof() over ${kind.name}`, () => {
    it("ends our side after what was written, and the peer's stays open", async () => {
      await using pair = await openPair(kind);
      for (const [from, to] of [
        [pair.client, pair.peer],
        [pair.peer, pair.client],
      ] as const) {
        from.writer.write(payload(500_000));
        from.writer.writeEof();
        assert.ok((await to.reader.read()).equals(payload(500_000)));
        assert.equal(to.reader.atEof(), true);
        assert.equal(from.writer.isClosing(), false);
      }
    });

    it("lets the answer through in full", async () => {
      await using pair = await openPair(kind);
      pair.client.writer.write("question");
      pair.client.writer.writeEof();
      assert.equal((await pair.peer.reader.read()).toString(), "question");
      pair.peer.writer.write(payload(1_000_000));
      pair.peer.writer.close();
      assert.ok((await pair.client.reader.read()).equals(payload(1_000_000)));
    });

    it("writing afterwards throws InvalidStateError, and a second writeEof() does nothing", async () => {
      await using pair = await openPair(kind);
      const { writer } = pair.client;
      writer.writeEof();
      assert.throws(() => writer.write("more"), InvalidStateError);
      assert.throws(() => writer.writelines(["more"]), { code: "ERR_INVALID_STATE" });
      writer.writeEof();
      assert.equal((await pair.peer.reader.read()).length, 0);
    });

    it("does nothing after close()", async () => {
      await using pair = await openPair(kind);
      pair.client.writer.close();
      pair.client.writer.writeEof();
      await pair.client.writer.waitClosed();
      pair.client.writer.writeEof();
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

    it("a connection whose two sides ended is closed by close()", async () => {
      await using pair = await openPair(kind);
      pair.client.writer.writeEof();
      pair.peer.writer.writeEof();
      await pair.client.reader.read();
      await turns(10);
      const closed = pair.client.writer.waitClosed();
      assert.equal(await isSettled(closed), false);
      pair.client.writer.close();
      await closed;
      await assert.rejects(pair.client.writer.drain(), ConnectionLostError);
    });

    it("the peer's EOF leaves our side open", async () => {
      await using pair = await openPair(kind);
      pair.peer.writer.writeEof();
      assert.equal((await pair.client.reader.read()).length, 0);
      await turns(5);
      pair.client.writer.write("still writing\n");
      await pair.client.writer.drain();
      assert.equal((await pair.peer.reader.readline()).toString(), "still writing\n");
    });
  });
}
