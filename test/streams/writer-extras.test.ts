import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ConnectionLostError } from "asyncio-streams";
import { MUCH } from "../support/much.js";
import { kinds, openPair } from "../support/pairs.js";
import { connectedStreams } from "../support/readers.js";
import { isSettled, turns, until } from "../support/turns.js";
import { watchedController } from "../support/watched-signal.js";

describe("StreamWriter.bytesWritten", () => {
  it("counts the bytes given to write() and writelines(), text as UTF-8", () => {
    const { writer } = connectedStreams();
    assert.equal(writer.bytesWritten, 0);
    writer.write("€");
    writer.write(new Uint8Array(10));
    writer.write("");
    assert.equal(writer.bytesWritten, 13);
    writer.writelines(["ab", Uint8Array.of(1)]);
    writer.writelines([]);
    assert.equal(writer.bytesWritten, 16);
  });

  it("does not count refused values", () => {
    const { writer } = connectedStreams();
    assert.throws(() => writer.write(5 as unknown as string), { code: "ERR_INVALID_ARG_TYPE" });
    assert.throws(() => writer.writelines(["ab", 5 as unknown as string]), { code: "ERR_INVALID_ARG_TYPE" });
    assert.equal(writer.bytesWritten, 0);
  });
});

for (const kind of kinds) {
  describe(`StreamWriter.flush over ${kind.name}`, () => {
    it("waits until the system has taken everything", async () => {
      await using pair = await openPair(kind);
      const { writer } = pair.client;
      writer.write(MUCH);
      const flushed = writer.flush();
      assert.equal(await isSettled(flushed), false);
      let received = 0;
      for await (const chunk of pair.peer.reader.chunks()) {
        received += chunk.length;
        if (received === MUCH.length) break;
      }
      await flushed;
      assert.equal(writer.transport.getWriteBufferSize(), 0);
    });

    it("waits for bytes below the marks of drain()", async () => {
      await using pair = await openPair(kind);
      const { writer } = pair.client;
      writer.transport.setWriteBufferLimits({ high: 2 * MUCH.length });
      writer.write(MUCH);
      await writer.drain();
      assert.equal(await isSettled(writer.flush()), false);
      for await (const _ of pair.peer.reader.chunks()) if (writer.transport.getWriteBufferSize() === 0) break;
    });

    it("sends the bytes gathered in this turn, and does not wait for the peer", async () => {
      await using pair = await openPair(kind);
      const { writer } = pair.client;
      writer.write("a");
      writer.write("b");
      await writer.flush();
      assert.equal(writer.transport.getWriteBufferSize(), 0);
      await writer.flush(); // with nothing to send
      assert.equal((await pair.peer.reader.readexactly(2)).toString(), "ab");
    });

    it("may be called by many and aborted by each, and everything is still sent", async () => {
      await using pair = await openPair(kind);
      const { writer } = pair.client;
      const controller = watchedController();
      writer.write(MUCH);
      const flushes = Array.from({ length: 10 }, () => writer.flush());
      const aborted = writer.flush({ signal: controller.signal });
      controller.abort();
      await assert.rejects(aborted, { name: "AbortError" });
      await assert.rejects(writer.flush({ signal: AbortSignal.abort(new Error("at once")) }), { message: "at once" });
      assert.equal(controller.listeners(), 0);
      assert.equal((await pair.peer.reader.readexactly(MUCH.length)).length, MUCH.length);
      await Promise.all(flushes);
    });

    it("rejects with ConnectionLostError when the connection is cut before, and after", async () => {
      await using pair = await openPair(kind);
      const { writer } = pair.client;
      const reason = new Error("cut");
      writer.write(MUCH);
      const flushed = writer.flush();
      writer.abort(reason);
      await assert.rejects(flushed, (error: Error) => error instanceof ConnectionLostError && error.cause === reason);
      await assert.rejects(writer.flush(), ConnectionLostError);
    });

    it("does not wait after both sides have ended, because everything was sent", async () => {
      await using pair = await openPair(kind);
      pair.client.writer.write("asked");
      pair.client.writer.writeEof();
      assert.equal((await pair.peer.reader.read()).toString(), "asked");
      pair.peer.writer.writeEof();
      await pair.client.reader.read();
      await until(() => pair.server.getStats().active === 0);
      await turns(5);
      await pair.client.writer.flush();
      await pair.peer.writer.flush();
    });

    it("waits out a close() that still sends", async () => {
      await using pair = await openPair(kind);
      const { writer } = pair.client;
      writer.write(MUCH);
      writer.close();
      const flushed = writer.flush();
      assert.equal(await isSettled(flushed), false);
      assert.equal((await pair.peer.reader.read()).length, MUCH.length);
      await flushed;
    });
  });

  describe(`StreamWriter.abort over ${kind.name}`, () => {
    it("cuts the connection, and rejects all waiting calls with the reason", async () => {
      await using pair = await openPair(kind);
      const { reader, writer } = pair.client;
      const reason = new Error("enough");
      writer.write(MUCH);
      const line = reader.readline();
      const drained = writer.drain();
      const closed = writer.waitClosed();
      writer.abort(reason);
      assert.equal(writer.isClosing(), true);
      await assert.rejects(line, (error) => error === reason);
      await assert.rejects(drained, (error: Error) => error instanceof ConnectionLostError && error.cause === reason);
      await assert.rejects(closed, (error) => error === reason);
      assert.equal(reader.exception(), reason);
    });

    it("without a reason is an orderly end on this side, and drops what is not sent", async () => {
      await using pair = await openPair(kind);
      const { reader, writer } = pair.client;
      writer.write(MUCH);
      writer.abort();
      await writer.waitClosed();
      assert.equal((await reader.read()).length, 0);
      assert.equal(reader.exception(), null);
      const received = await pair.peer.reader.read().catch(() => Buffer.alloc(0));
      assert.ok(received.length < MUCH.length);
    });

    it("leaves the bytes received before it to the reader", async () => {
      await using pair = await openPair(kind);
      pair.peer.writer.write("hello");
      await until(() => pair.client.reader.bufferedLength === 5);
      pair.client.writer.abort(new Error("enough"));
      await assert.rejects(pair.client.writer.waitClosed(), { message: "enough" });
      assert.equal((await pair.client.reader.readexactly(5)).toString(), "hello");
      await assert.rejects(pair.client.reader.read(1), { message: "enough" });
    });

    it("keeps its first reason, and does nothing after the loss", async () => {
      await using pair = await openPair(kind);
      const { writer } = pair.client;
      writer.abort(new Error("first"));
      writer.abort(new Error("second"));
      await assert.rejects(writer.waitClosed(), { message: "first" });
      writer.abort(new Error("third"));
      await assert.rejects(writer.waitClosed(), { message: "first" });
    });
  });
}

describe("StreamWriter.flush on a transport without flushed()", () => {
  it("waits like drain()", async () => {
    const { writer, protocol } = connectedStreams();
    await writer.flush();
    protocol.pauseWriting();
    const flushed = writer.flush();
    assert.equal(await isSettled(flushed), false);
    protocol.resumeWriting();
    await flushed;
  });

  it("refuses a number as options, and a value that is not a signal", async () => {
    const { writer } = connectedStreams();
    await assert.rejects(writer.flush(5 as unknown as object), { code: "ERR_INVALID_ARG_TYPE" });
    await assert.rejects(writer.flush({ signal: 5 as unknown as AbortSignal }), { code: "ERR_INVALID_ARG_TYPE" });
  });
});

describe("StreamWriter.abort", () => {
  it("takes an Error or nothing", () => {
    const { writer, transport } = connectedStreams();
    for (const reason of ["enough", null, 5]) {
      assert.throws(() => writer.abort(reason as unknown as Error), { name: "TypeError", code: "ERR_INVALID_ARG_TYPE" });
    }
    assert.deepEqual(transport.calls, []);
    writer.abort();
    assert.deepEqual(transport.calls, ["abort"]);
  });
});
