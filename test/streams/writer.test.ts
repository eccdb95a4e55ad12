import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ConnectionLostError, StreamWriter } from "asyncio-streams";
import { connectedStreams } from "../support/readers.js";
import { isSettled } from "../support/turns.js";
import { warningsOf } from "../support/warnings-of.js";
import { watchedController } from "../support/watched-signal.js";

describe("StreamWriter and its transport", () => {
  it("hands everything on", () => {
    const { writer, transport } = connectedStreams();
    assert.equal(writer.transport, transport);
    assert.equal(writer.isClosing(), false);
    assert.equal(writer.canWriteEof(), true);
    writer.write("a");
    writer.write(Buffer.from("b"));
    writer.writelines(["c", Uint8Array.of(100)]);
    writer.writeEof();
    writer.close();
    assert.equal(writer.isClosing(), true);
    assert.deepEqual(transport.calls, ["write a", "write b", "write c", "write d", "writeEof", "close"]);
  });

  it("passes any iterable to writelines", () => {
    const { writer, transport } = connectedStreams();
    writer.writelines(["a", "b"].values());
    writer.writelines(new Set(["c"]));
    assert.deepEqual(transport.calls, ["write a", "write b", "write c"]);
  });

  it("asks it for extra info, with null as default", () => {
    const { writer, transport } = connectedStreams();
    transport.extraInfo["peername"] = "/run/app.sock";
    assert.equal(writer.getExtraInfo("peername"), "/run/app.sock");
    assert.equal(writer.getExtraInfo("sockname"), null);
    assert.equal(writer.getExtraInfo("sockname", "none"), "none");
    assert.equal(writer.getExtraInfo("no such key" as string, 5), 5);
  });

  it("needs no reader", async () => {
    const { protocol, transport } = connectedStreams();
    const writer = new StreamWriter(transport, protocol);
    await writer.drain();
    writer.write("a");
    assert.deepEqual(transport.calls, ["write a"]);
  });
});

describe("StreamWriter.drain", () => {
  it("waits while writing is paused, in any number of callers", async () => {
    const { writer, protocol } = connectedStreams();
    protocol.pauseWriting();
    const drains = Array.from({ length: 100 }, () => writer.drain());
    assert.equal(await isSettled(Promise.race(drains)), false);
    protocol.resumeWriting();
    assert.deepEqual(await Promise.all(drains), Array.from({ length: 100 }));
    await writer.drain();
  });

  it("throws the reader's explicit exception, the same object each time", async () => {
    const { reader, writer, protocol } = connectedStreams();
    const error = new Error("set");
    reader.setException(error);
    await assert.rejects(writer.drain(), (thrown) => thrown === error);
    protocol.pauseWriting();
    await assert.rejects(writer.drain(), (thrown) => thrown === error);
    protocol.connectionLost(new Error("lost"));
    await assert.rejects(writer.drain(), (thrown) => thrown === error);
  });

  it("throws ConnectionLostError after a loss, with the error as cause", async () => {
    const { writer, protocol } = connectedStreams();
    const lost = new Error("read ECONNRESET");
    protocol.connectionLost(lost);
    for (let time = 0; time < 2; time += 1) {
      await assert.rejects(writer.drain(), (error: unknown) => {
        assert.ok(error instanceof ConnectionLostError);
        assert.equal(error.code, "ECONNRESET");
        assert.equal(error.cause, lost);
        assert.match(error.message, /read ECONNRESET/);
        return true;
      });
    }
  });

  it("throws ConnectionLostError without a cause after an orderly end", async () => {
    const { writer, protocol } = connectedStreams();
    protocol.connectionLost(null);
    await assert.rejects(writer.drain(), (error: unknown) => error instanceof ConnectionLostError && !Object.hasOwn(error, "cause"));
  });

  it("rejects all who wait when the connection is lost", async () => {
    for (const lost of [new Error("lost"), null]) {
      const { writer, protocol } = connectedStreams();
      protocol.pauseWriting();
      const drains = Array.from({ length: 10 }, () => writer.drain());
      protocol.connectionLost(lost);
      for (const result of await Promise.allSettled(drains)) {
        assert.ok(result.status === "rejected" && result.reason instanceof ConnectionLostError);
        assert.equal(result.reason.cause, lost ?? undefined);
      }
    }
  });

  it("after close with nothing left to send waits for the loss, and rejects", async () => {
    const { writer, protocol } = connectedStreams();
    writer.close();
    const drain = writer.drain();
    assert.equal(await isSettled(drain), false);
    protocol.connectionLost(null);
    await assert.rejects(drain, { name: "ConnectionLostError" });
    await assert.rejects(writer.drain(), { name: "ConnectionLostError" });
  });

  it("after close with something left to send still waits for the buffer only", async () => {
    const { writer, protocol, transport } = connectedStreams();
    transport.bufferSize = 10;
    writer.close();
    await writer.drain();
    protocol.pauseWriting();
    const drain = writer.drain();
    assert.equal(await isSettled(drain), false);
    protocol.resumeWriting();
    await drain;
  });

  it("aborted ends only its own wait, with the signal's reason", async () => {
    const { writer, protocol } = connectedStreams();
    protocol.pauseWriting();
    const controller = watchedController();
    const aborted = writer.drain({ signal: controller.signal });
    const other = writer.drain();
    const reason = new Error("enough");
    controller.abort(reason);
    await assert.rejects(aborted, (thrown) => thrown === reason);
    await assert.rejects(writer.drain({ signal: controller.signal }), (thrown) => thrown === reason);
    assert.equal(await isSettled(other), false);
    protocol.resumeWriting();
    await other;
  });

  it("aborted after close ends its wait for the loss", async () => {
    const { writer, protocol } = connectedStreams();
    writer.close();
    const controller = watchedController();
    const drain = writer.drain({ signal: controller.signal });
    controller.abort();
    await assert.rejects(drain, { name: "AbortError" });
    protocol.connectionLost(null);
  });

  it("leaves no listener on a long-lived signal, of 10,000 calls that waited", async () => {
    const { writer, protocol } = connectedStreams();
    const controller = watchedController();
    const { signal } = controller;
    for (let index = 0; index < 10_000; index += 1) {
      protocol.pauseWriting();
      const drain = writer.drain({ signal });
      protocol.resumeWriting();
      await drain;
      await writer.drain({ signal });
    }
    assert.equal(controller.peak(), 1);
    assert.equal(controller.listeners(), 0);
  });

  // Node 20 warns of the eleventh listener on a signal.
  it("lets many wait on one signal without a warning", async () => {
    const { writer, protocol } = connectedStreams();
    const controller = watchedController();
    protocol.pauseWriting();
    const drains = Array.from({ length: 100 }, () => writer.drain({ signal: controller.signal }));
    assert.deepEqual(await warningsOf(() => protocol.resumeWriting()), []);
    await Promise.all(drains);
    assert.equal(controller.listeners(), 0);
  });

  it("refuses options that are none", async () => {
    const { writer } = connectedStreams();
    await assert.rejects(writer.drain(5 as never), { code: "ERR_INVALID_ARG_TYPE" });
    await assert.rejects(writer.drain({ signal: {} as never }), { code: "ERR_INVALID_ARG_TYPE" });
  });
});

describe("StreamWriter.waitClosed", () => {
  it("waits for the end of the connection, in any number of callers", async () => {
    const { writer, protocol } = connectedStreams();
    const waits = Array.from({ length: 100 }, () => writer.waitClosed());
    writer.close();
    assert.equal(await isSettled(Promise.race(waits)), false);
    protocol.connectionLost(null);
    await Promise.all(waits);
    await writer.waitClosed();
  });

  it("aborted ends only its own wait, and leaves no listener", async () => {
    const { writer, protocol } = connectedStreams();
    const controller = watchedController();
    const other = writer.waitClosed({ signal: watchedController().signal });
    const aborted = writer.waitClosed({ signal: controller.signal });
    controller.abort();
    await assert.rejects(aborted, { name: "AbortError" });
    await assert.rejects(writer.waitClosed({ signal: controller.signal }), { name: "AbortError" });
    assert.equal(controller.listeners(), 0);
    protocol.connectionLost(null);
    await other;
  });
});

describe("await using a StreamWriter", () => {
  it("closes it and waits for the end", async () => {
    const { writer, protocol, transport } = connectedStreams();
    const block = (async () => {
      await using used = writer;
      used.write("a");
    })();
    assert.equal(await isSettled(block), false);
    assert.deepEqual(transport.calls, ["write a", "close"]);
    protocol.connectionLost(null);
    await block;
  });

  it("does not hide the block's error behind the one that ended the connection", async () => {
    const { writer, protocol } = connectedStreams();
    const block = (async () => {
      await using used = writer;
      used.write("a");
      throw new Error("the block's");
    })();
    protocol.connectionLost(new Error("lost"));
    await assert.rejects(block, { message: "the block's" });
  });

  it("does not throw the error that ended the connection", async () => {
    const { writer, protocol } = connectedStreams();
    protocol.connectionLost(new Error("lost"));
    await writer[Symbol.asyncDispose]();
  });
});
