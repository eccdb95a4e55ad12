import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { describe, it } from "node:test";
import { BaseProtocol, StreamWriter } from "asyncio-streams";

describe("the transport of a StreamWriter over a sink", () => {
  it("has nothing to read, and no extra info of a connection", async () => {
    const writer = StreamWriter.from(new PassThrough().resume());
    const { transport } = writer;
    transport.pauseReading();
    transport.resumeReading();
    assert.equal(transport.isReading(), false);
    assert.equal(transport.getExtraInfo("peername"), null);
    assert.equal(transport.getExtraInfo("peername", "none"), "none");
    writer.close();
    await writer.waitClosed();
  });

  it("has water marks, and pauses a protocol that is set while writing is paused", async () => {
    const calls: string[] = [];
    class Noting extends BaseProtocol {
      override pauseWriting(): void {
        calls.push("pauseWriting");
      }
      override resumeWriting(): void {
        calls.push("resumeWriting");
      }
    }
    const sink = new PassThrough({ highWaterMark: 1 });
    const writer = StreamWriter.from(sink);
    const { transport } = writer;
    const before = transport.getProtocol();
    transport.setProtocol(new Noting());
    assert.notEqual(transport.getProtocol(), before);
    writer.write(Buffer.alloc(100));
    assert.equal(transport.getWriteBufferSize(), 100);
    assert.deepEqual(calls, []);
    transport.setWriteBufferLimits({ high: 10, low: 5 });
    assert.deepEqual(transport.getWriteBufferLimits(), [5, 10]);
    transport.setProtocol(new Noting());
    transport.setWriteBufferLimits({ high: 1000 });
    assert.deepEqual(calls, ["pauseWriting", "pauseWriting", "resumeWriting"]);
    transport.setProtocol(before);
    sink.resume();
    writer.close();
    await writer.waitClosed();
  });
});
