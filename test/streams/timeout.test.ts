/** `{ timeout }` beside `{ signal }`: it ends the wait, takes nothing with it, and leaves no timer behind. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StreamReader } from "asyncio-streams";
import { FakeTransport } from "../support/fake-transport.js";
import { MUCH } from "../support/much.js";
import { kinds, openPair } from "../support/pairs.js";
import { connectedStreams } from "../support/readers.js";
import { runtime } from "../support/runtime.js";
import { turns } from "../support/turns.js";
import { watchedController } from "../support/watched-signal.js";

/** So short that a test may wait for it. */
const SHORT_MS = 1;
/** So long that no test sees its end. */
const LONG_MS = 3_600_000;

const timedOut = { name: "TimeoutError", message: /time-out of 1 ms/ };

/** Timers that run now, where the runtime tells. */
function timers(): number {
  return runtime === "node" ? process.getActiveResourcesInfo().filter((name) => name === "Timeout").length : 0;
}

/** Every reading call that can wait, with what it needs to go on. */
const reads: readonly (readonly [name: string, read: (reader: StreamReader, timeout: number) => Promise<unknown>])[] = [
  ["read(n)", (reader, timeout) => reader.read(9, { timeout })],
  ["read()", (reader, timeout) => reader.read(-1, { timeout })],
  ["readline()", (reader, timeout) => reader.readline({ timeout })],
  ["readexactly()", (reader, timeout) => reader.readexactly(9, { timeout })],
  ["readuntil()", (reader, timeout) => reader.readuntil(";", { timeout })],
  ["peek()", (reader, timeout) => reader.peek(9, { timeout })],
  ["readinto()", (reader, timeout) => reader.readinto(new Uint8Array(9), { timeout })],
  ["lines()", (reader, timeout) => reader.lines({ timeout }).next()],
  ["chunks()", (reader, timeout) => reader.chunks(9, { timeout }).next()],
];

describe("a read with a time-out", () => {
  for (const [name, read] of reads) {
    it(`rejects with a TimeoutError: ${name}`, async () => {
      const reader = new StreamReader();
      const error = await read(reader, SHORT_MS).catch((reason: unknown) => reason);
      assert.ok(error instanceof DOMException);
      assert.equal(error.name, "TimeoutError");
      assert.match(error.message, /time-out of 1 ms/);
    });

    it(`returns its result in time, and leaves no timer: ${name}`, async () => {
      const before = timers();
      const reader = new StreamReader();
      const reading = read(reader, LONG_MS);
      if (runtime === "node") assert.equal(timers(), before + 1);
      reader.feedData("a line;\n.");
      reader.feedEof();
      await reading;
      assert.equal(timers(), before);
    });

    it(`makes no timer if there is nothing to wait for: ${name}`, async () => {
      const before = timers();
      const reader = new StreamReader();
      reader.feedData("a line;\n.");
      reader.feedEof();
      const reading = read(reader, LONG_MS);
      assert.equal(timers(), before);
      await reading;
    });
  }

  it("consumes nothing", async () => {
    const reader = new StreamReader();
    reader.feedData("half");
    await assert.rejects(reader.read(-1, { timeout: SHORT_MS }), timedOut);
    await assert.rejects(reader.readline({ timeout: SHORT_MS }), timedOut);
    await assert.rejects(reader.readexactly(5, { timeout: SHORT_MS }), timedOut);
    await assert.rejects(reader.readuntil(";", { timeout: SHORT_MS }), timedOut);
    assert.equal((await reader.read(10)).toString(), "half");
  });

  it("of 0 takes the bytes that are there, and does not wait", async () => {
    const reader = new StreamReader();
    await assert.rejects(reader.readline({ timeout: 0 }), { name: "TimeoutError" });
    reader.feedData("here\n");
    assert.equal((await reader.readline({ timeout: 0 })).toString(), "here\n");
  });

  it("lets the transport go on, and pauses it again afterwards", async () => {
    const reader = new StreamReader({ limit: 4 });
    const transport = new FakeTransport();
    reader.setTransport(transport);
    reader.feedData("0123456789");
    await assert.rejects(reader.readexactly(20, { timeout: SHORT_MS }), timedOut);
    assert.deepEqual(transport.calls, ["pauseReading", "resumeReading", "pauseReading"]);
  });

  it("leaves the reader usable", async () => {
    const reader = new StreamReader();
    await assert.rejects(reader.readline({ timeout: SHORT_MS }), timedOut);
    const reading = reader.readline();
    reader.feedData("late\n");
    assert.equal((await reading).toString(), "late\n");
  });

  it("with a signal ends by whichever comes first, and leaves no listener", async () => {
    const reader = new StreamReader();
    const watched = watchedController();
    await assert.rejects(reader.readline({ timeout: SHORT_MS, signal: watched.signal }), timedOut);
    assert.equal(watched.listeners(), 0);
    const before = timers();
    const reason = new Error("enough");
    const reading = reader.readline({ timeout: LONG_MS, signal: watched.signal });
    watched.abort(reason);
    await assert.rejects(reading, (error) => error === reason);
    assert.equal(timers(), before);
    assert.equal(watched.listeners(), 0);
    await assert.rejects(reader.readline({ timeout: LONG_MS, signal: watched.signal }), (error) => error === reason);
    assert.equal(timers(), before);
  });

  it("counts from each step of an iteration", async () => {
    const reader = new StreamReader();
    reader.feedData("one\ntwo\n");
    const seen: string[] = [];
    const iterate = async (): Promise<void> => {
      for await (const line of reader.lines({ encoding: "utf8", timeout: 5 })) {
        seen.push(line);
        if (line === "two") reader.feedData("three\n");
      }
    };
    await assert.rejects(iterate(), { name: "TimeoutError" });
    assert.deepEqual(seen, ["one", "two", "three"]);
  });
});

describe("a writer's wait with a time-out", () => {
  it("ends drain() only", async () => {
    const { protocol, writer } = connectedStreams();
    await writer.drain({ timeout: LONG_MS });
    protocol.pauseWriting();
    const other = writer.drain();
    await assert.rejects(writer.drain({ timeout: SHORT_MS }), timedOut);
    protocol.resumeWriting();
    await other;
    await writer.drain({ timeout: LONG_MS });
  });

  it("leaves no timer when drain() goes on, or fails", async () => {
    const { protocol, writer } = connectedStreams();
    const before = timers();
    protocol.pauseWriting();
    const drains = [writer.drain({ timeout: LONG_MS }), writer.drain({ timeout: LONG_MS })];
    if (runtime === "node") assert.equal(timers(), before + 1);
    protocol.resumeWriting();
    await Promise.all(drains);
    assert.equal(timers(), before);
    protocol.pauseWriting();
    const failing = writer.drain({ timeout: LONG_MS });
    protocol.connectionLost(null);
    await assert.rejects(failing, { name: "ConnectionLostError" });
    assert.equal(timers(), before);
  });

  it("ends waitClosed()", async () => {
    const { protocol, writer } = connectedStreams();
    await assert.rejects(writer.waitClosed({ timeout: SHORT_MS }), timedOut);
    protocol.connectionLost(null);
    await writer.waitClosed({ timeout: SHORT_MS });
  });

  it("counts from the call of drain() after close(), which waits more than once", async () => {
    const before = timers();
    const { protocol, transport, writer } = connectedStreams();
    transport.closing = true;
    transport.bufferSize = 1;
    const draining = writer.drain({ timeout: LONG_MS });
    if (runtime === "node") assert.equal(timers(), before + 1);
    protocol.connectionLost(null);
    await assert.rejects(draining, { name: "ConnectionLostError" });
    assert.equal(timers(), before);
  });

  it("ends drain() after close(), which waits for the loss", async () => {
    const { transport, writer } = connectedStreams();
    transport.closing = true;
    await assert.rejects(writer.drain({ timeout: SHORT_MS }), timedOut);
  });
});

for (const kind of kinds) {
  describe(`time-outs over ${kind.name}`, () => {
    it("end a read, and the data that comes later is there", async () => {
      await using pair = await openPair(kind);
      await assert.rejects(pair.client.reader.readline({ timeout: SHORT_MS }), timedOut);
      pair.peer.writer.write("later\n");
      assert.equal((await pair.client.reader.readline({ timeout: LONG_MS })).toString(), "later\n");
    });

    it("end flush() to a peer that does not read", async () => {
      await using pair = await openPair(kind);
      pair.client.writer.write(MUCH);
      await assert.rejects(pair.client.writer.flush({ timeout: SHORT_MS }), timedOut);
    });

    it("end the wait for a server, which goes on", async () => {
      await using pair = await openPair(kind);
      await assert.rejects(pair.server.waitClosed({ timeout: SHORT_MS }), timedOut);
      assert.equal(pair.server.isServing(), true);
    });

    it("end serveForever(), and with it the server", async () => {
      await using pair = await openPair(kind);
      await assert.rejects(pair.server.serveForever({ timeout: SHORT_MS }), timedOut);
      assert.equal(pair.server.isServing(), false);
      await turns();
    });
  });
}
