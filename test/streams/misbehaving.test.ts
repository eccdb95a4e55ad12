/** Code of the program that throws where nothing is expected to: getters, warnings, sources and sinks. No call hangs, and nothing is uncaught. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { Readable, Writable } from "node:stream";
import { describe, it } from "node:test";
import { StreamReader, StreamWriter } from "asyncio-streams";
import { memoryPair } from "asyncio-streams/testing";
import { turns } from "../support/turns.js";

const broken = (): never => {
  throw new Error("do not ask");
};

describe("an error whose message cannot be read", () => {
  it("ends every wait, when a connection is aborted with it", async () => {
    const [client] = memoryPair({ capacity: 10 });
    client.writer.write(Buffer.alloc(100_000));
    const waits = [client.writer.drain(), client.writer.flush()].map((wait) => assert.rejects(wait, { code: "ECONNRESET" }));
    const reason = Object.defineProperty(new Error("unread"), "message", { get: broken });
    client.writer.abort(reason);
    await Promise.all(waits);
    await assert.rejects(client.writer.waitClosed(), (error) => error === reason);
  });
});

describe("a process.emitWarning() that throws", () => {
  it("does not keep the client of a callback that fails", async () => {
    const emitWarning = process.emitWarning.bind(process);
    process.emitWarning = broken as never;
    try {
      const [client] = memoryPair({ clientConnectedCb: async () => Promise.reject(new Error("the callback failed")) });
      assert.equal((await client.reader.read()).length, 0);
      client.writer.close();
      await client.writer.waitClosed();
    } finally {
      process.emitWarning = emitWarning;
    }
  });
});

describe("a loop that ignores errors", () => {
  it("lets the event loop run", async () => {
    const reader = new StreamReader();
    reader.setException(new Error("failed"));
    let hasTurned = false;
    setImmediate(() => {
      hasTurned = true;
    });
    let calls = 0;
    for (; !hasTurned; calls += 1) await reader.readline().catch(() => {});
    assert.ok(calls <= 300, `${calls} calls in one turn`);
  });
});

describe("a source whose destroy() throws", () => {
  it("is still given back", async () => {
    const source = new Readable({ read() {} });
    const reader = StreamReader.from(source);
    source.destroy = broken;
    await reader.cancel();
    assert.equal((await reader.read()).length, 0);
    Readable.prototype.destroy.call(source);
    await turns();
  });
});

describe("a sink whose destroy() throws", () => {
  it("is lost with the thrown error, or with the given reason", async () => {
    for (const reason of [undefined, new Error("given up")]) {
      const sink = new Writable({ write() {} });
      const writer = StreamWriter.from(sink);
      writer.write("never done");
      sink.destroy = broken;
      writer.abort(reason);
      await assert.rejects(writer.waitClosed(), { message: reason?.message ?? "do not ask" });
      Writable.prototype.destroy.call(sink);
      await turns();
    }
  });
});

describe("readline() without memory for a line that has to be copied", () => {
  it("rejects with an error, and may be called again", async () => {
    const allocUnsafeSlow = Buffer.allocUnsafeSlow.bind(Buffer);
    const reader = new StreamReader();
    reader.feedData("1\n");
    reader.feedData(`${"2".repeat(100)}\n`);
    reader.feedData("3\n");
    assert.equal((await reader.readline()).toString(), "1\n");
    Buffer.allocUnsafeSlow = () => {
      throw new RangeError("Array buffer allocation failed");
    };
    let call: Promise<Buffer>;
    try {
      call = reader.readline(); // must not throw
    } finally {
      Buffer.allocUnsafeSlow = allocUnsafeSlow;
    }
    await assert.rejects(call, { code: "ENOMEM" });
    assert.equal((await reader.readline()).toString(), `${"2".repeat(100)}\n`);
  });
});
