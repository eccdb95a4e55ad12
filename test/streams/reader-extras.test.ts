import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type SignalOptions, StreamReader } from "asyncio-streams";
import { connectedStreams, readerOf, rest, text } from "../support/readers.js";
import { isSettled, microtasks } from "../support/turns.js";
import { watchedController } from "../support/watched-signal.js";

describe("StreamReader.bufferedLength", () => {
  it("counts the bytes that have come and have not been read", async () => {
    const reader = new StreamReader();
    assert.equal(reader.bufferedLength, 0);
    reader.feedData("abc");
    reader.feedData("de");
    assert.equal(reader.bufferedLength, 5);
    await reader.read(2);
    assert.equal(reader.bufferedLength, 3);
    reader.unread("ab");
    assert.equal(reader.bufferedLength, 5);
    reader.feedEof();
    assert.equal(reader.bufferedLength, 5);
    await reader.read();
    assert.equal(reader.bufferedLength, 0);
  });
});

describe("StreamReader.peek", () => {
  it("returns a copy", async () => {
    const reader = readerOf(["abc"]);
    (await reader.peek(3)).fill(0);
    assert.equal(await rest(reader), "abc");
  });

  it("returns no bytes at once for 0, even while a read() to EOF waits", async () => {
    const reader = new StreamReader();
    const all = reader.read();
    assert.equal(await text(reader.peek(0)), "");
    await assert.rejects(reader.peek(1), { code: "ERR_CONCURRENT_READ" });
    reader.feedEof();
    await all;
  });

  it("returns at most the limit", async () => {
    const reader = readerOf(["abcdefgh"], { limit: 4 });
    assert.equal(await text(reader.peek(4)), "abcd");
    await assert.rejects(reader.peek(5), { code: "ERR_LIMIT_OVERRUN", message: "cannot peek at 5 bytes: the limit is 4" });
    assert.equal(await rest(reader), "abcdefgh");
  });

  it("keeps the transport going while it waits", async () => {
    const { reader, protocol, transport } = connectedStreams({ limit: 4 });
    protocol.dataReceived(Buffer.from("123456789"));
    assert.deepEqual(transport.calls, ["pauseReading"]);
    assert.equal(await text(reader.peek(4)), "1234");
    assert.deepEqual(transport.calls, ["pauseReading"]);
    await reader.read(6);
    assert.equal(await isSettled(reader.peek(4)), false);
    assert.deepEqual(transport.calls, ["pauseReading", "resumeReading"]);
    protocol.eofReceived();
  });

  it("throws the error of a lost connection only if there are too few bytes", async () => {
    const { reader, protocol } = connectedStreams();
    protocol.dataReceived(Buffer.from("abc"));
    protocol.connectionLost(new Error("lost"));
    assert.equal(await text(reader.peek(3)), "abc");
    await assert.rejects(reader.peek(4), { message: "lost" });
    assert.equal(await text(reader.read(3)), "abc");
  });
});

describe("StreamReader.readinto", () => {
  it("waits for a byte", async () => {
    const reader = new StreamReader();
    const view = new Uint8Array(4);
    const count = reader.readinto(view);
    assert.equal(await isSettled(count), false);
    reader.feedData("x");
    assert.equal(await count, 1);
    assert.equal(view[0], 0x78);
  });

  it("writes only into the memory of the view, which may be a Buffer", async () => {
    const reader = readerOf(["abcdef"]);
    const memory = Buffer.alloc(6, ".");
    assert.equal(await reader.readinto(memory.subarray(2, 4)), 2);
    assert.equal(memory.toString(), "..ab..");
    assert.equal(await rest(reader), "cdef");
  });

  it("carries a megabyte in pieces", async () => {
    const reader = new StreamReader();
    const sent = Buffer.from(Array.from({ length: 1_048_576 }, (_, index) => index % 251));
    for (let at = 0; at < sent.length; at += 10_007) reader.feedData(sent.subarray(at, at + 10_007));
    reader.feedEof();
    const received = Buffer.alloc(sent.length);
    const view = new Uint8Array(65_536);
    let filled = 0;
    for (let count = await reader.readinto(view); count > 0; count = await reader.readinto(view)) {
      received.set(view.subarray(0, count), filled);
      filled += count;
    }
    assert.equal(filled, sent.length);
    assert.ok(received.equals(sent));
  });

  it("refuses a view that is detached while it waits, and takes nothing", async () => {
    const reader = new StreamReader();
    const view = new Uint8Array(4);
    const count = reader.readinto(view);
    structuredClone(view.buffer, { transfer: [view.buffer] });
    reader.feedData("abc");
    await assert.rejects(count, { code: "ERR_INVALID_ARG_TYPE" });
    assert.equal(await rest(reader), "abc");
  });
});

describe("StreamReader.skip", () => {
  it("drops bytes as they come, and never pauses the transport", async () => {
    const { reader, protocol, transport } = connectedStreams({ limit: 1 });
    const skipped = reader.skip(1_000_000);
    for (let sent = 0; sent < 1_000_000; sent += 1000) {
      protocol.dataReceived(Buffer.alloc(1000));
      await microtasks(2);
      assert.equal(reader.bufferedLength, 0);
    }
    assert.equal(await skipped, 1_000_000);
    assert.deepEqual(transport.calls, []);
  });

  it("refuses other reads meanwhile", async () => {
    const reader = new StreamReader();
    const skipped = reader.skip(3);
    await microtasks(2);
    reader.feedData("ab");
    await microtasks(2);
    await assert.rejects(reader.read(1), { code: "ERR_CONCURRENT_READ" });
    reader.feedData("cd");
    assert.equal(await skipped, 3);
    assert.equal(await rest(reader), "d");
  });

  it("is refused while another read waits, and has dropped nothing then", async () => {
    const reader = readerOf(["ab"]);
    const line = reader.readline();
    await assert.rejects(reader.skip(5), { code: "ERR_CONCURRENT_READ" });
    reader.feedData("c\n");
    assert.equal(await text(line), "abc\n");
  });

  it("has dropped the bytes that had come when it is aborted, and leaves later bytes", async () => {
    const reader = readerOf(["ab"]);
    const controller = watchedController();
    const skipped = reader.skip(4, { signal: controller.signal });
    assert.equal(await isSettled(skipped), false);
    controller.abort();
    await assert.rejects(skipped, { name: "AbortError" });
    assert.equal(controller.listeners(), 0);
    reader.feedData("cd");
    assert.equal(await rest(reader), "cd");
  });

  it("throws the error of a lost connection if there are too few bytes", async () => {
    const { reader, protocol } = connectedStreams();
    protocol.dataReceived(Buffer.from("abc"));
    protocol.connectionLost(new Error("lost"));
    assert.equal(await reader.skip(2), 2);
    await assert.rejects(reader.skip(2), { message: "lost" });
  });
});

describe("peek, readinto and skip", () => {
  const calls = {
    peek: (reader: StreamReader, n: number, options?: SignalOptions) => reader.peek(n, options),
    skip: (reader: StreamReader, n: number, options?: SignalOptions) => reader.skip(n, options),
    readinto: (reader: StreamReader, _: number, options?: SignalOptions) => reader.readinto(new Uint8Array(4), options),
  };

  for (const [name, call] of Object.entries(calls)) {
    it(`${name}: takes nothing when its signal is aborted, before or during the wait`, async () => {
      const reader = readerOf(["ab"]);
      const reason = new Error("enough");
      await assert.rejects(call(reader, 2, { signal: AbortSignal.abort(reason) }), (thrown) => thrown === reason);
      assert.equal(await text(reader.read(2)), "ab");
      const controller = watchedController();
      const waiting = call(reader, 2, { signal: controller.signal });
      controller.abort(reason);
      await assert.rejects(waiting, (thrown) => thrown === reason);
      assert.equal(controller.listeners(), 0);
      reader.feedData("cd");
      assert.equal(await rest(reader), "cd");
    });

    it(`${name}: throws the error of setException(), and is refused while another read waits`, async () => {
      const reader = new StreamReader();
      const first = reader.readline();
      await assert.rejects(call(reader, 2), { code: "ERR_CONCURRENT_READ" });
      const error = new Error("set");
      reader.setException(error);
      await assert.rejects(first, (thrown) => thrown === error);
      await assert.rejects(call(reader, 2), (thrown) => thrown === error);
    });
  }
});
