import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StreamReader, StreamReaderProtocol, StreamWriter } from "asyncio-streams";
import { FakeTransport } from "../support/fake-transport.js";
import { connectedStreams, text } from "../support/readers.js";
import { isSettled } from "../support/turns.js";

describe("new StreamReaderProtocol", () => {
  it("needs no callback, and no reader", () => {
    for (const protocol of [
      new StreamReaderProtocol(new StreamReader()),
      new StreamReaderProtocol(new StreamReader(), undefined),
      new StreamReaderProtocol(new StreamReader(), null),
      new StreamReaderProtocol(null),
    ]) {
      protocol.connectionMade(new FakeTransport());
      protocol.dataReceived(Buffer.from("a"));
      protocol.eofReceived();
      protocol.connectionLost(null);
    }
  });
});

describe("StreamReaderProtocol.connectionMade", () => {
  it("gives the reader its transport", () => {
    const { reader, transport } = connectedStreams({ limit: 1 });
    reader.feedData("abc");
    assert.deepEqual(transport.calls, ["pauseReading"]);
  });

  it("calls the callback synchronously, with the reader and a writer on whatever transport it is given", () => {
    const reader = new StreamReader();
    const transport = new FakeTransport();
    const calls: unknown[][] = [];
    const protocol = new StreamReaderProtocol(reader, (...args) => void calls.push(args));
    protocol.connectionMade(transport);
    assert.equal(calls.length, 1);
    const [givenReader, writer] = calls[0] as [StreamReader, StreamWriter];
    assert.equal(givenReader, reader);
    assert.ok(writer instanceof StreamWriter);
    assert.equal(writer.transport, transport);
    writer.write("hello");
    assert.deepEqual(transport.calls, ["write hello"]);
  });

  it("gives the callback a reader that already knows its transport", () => {
    const transport = new FakeTransport();
    new StreamReaderProtocol(new StreamReader({ limit: 1 }), (reader) => reader.feedData("abc")).connectionMade(transport);
    assert.deepEqual(transport.calls, ["pauseReading"]);
  });
});

describe("StreamReaderProtocol.dataReceived and eofReceived", () => {
  it("feed the reader", async () => {
    const { reader, protocol } = connectedStreams();
    protocol.dataReceived(Buffer.from("a"));
    protocol.dataReceived(Buffer.from("b"));
    protocol.eofReceived();
    assert.equal(await text(reader.read()), "ab");
    assert.equal(reader.atEof(), true);
  });

  it("keep our side open on a plain transport, not over TLS", () => {
    assert.equal(connectedStreams().protocol.eofReceived(), true);
    const { protocol, transport } = connectedStreams();
    transport.extraInfo["sslcontext"] = {};
    assert.equal(protocol.eofReceived(), false);
  });
});

describe("StreamReaderProtocol driven by hand", () => {
  it("pauses and resumes a writer before there is a connection", async () => {
    const protocol = new StreamReaderProtocol(new StreamReader());
    const writer = new StreamWriter(new FakeTransport(), protocol);
    protocol.pauseWriting();
    const drain = writer.drain();
    assert.equal(await isSettled(drain), false);
    protocol.resumeWriting();
    await drain;
  });

  it("takes resumeWriting without a pause, and pauseWriting twice", async () => {
    const { protocol, writer } = connectedStreams();
    protocol.resumeWriting();
    protocol.pauseWriting();
    protocol.pauseWriting();
    protocol.resumeWriting();
    await writer.drain();
  });

  it("takes connectionLost without a connection", async () => {
    const reader = new StreamReader();
    const protocol = new StreamReaderProtocol(reader);
    protocol.connectionLost(null);
    assert.equal(await text(reader.read()), "");
  });

  for (const [byHand, real] of [
    [null, null],
    [null, new Error("real")],
    [new Error("by hand"), null],
    [new Error("by hand"), new Error("real")],
  ] as const) {
    it(`keeps the first of two losses: ${byHand?.message ?? "null"}, then ${real?.message ?? "null"}`, async () => {
      const { reader, protocol, writer } = connectedStreams();
      const closed = writer.waitClosed();
      protocol.pauseWriting();
      const drain = writer.drain();
      protocol.connectionLost(byHand);
      protocol.connectionLost(real);
      protocol.resumeWriting();
      const [closedResult, drainResult] = await Promise.allSettled([closed, drain]);
      assert.equal(closedResult.status === "rejected" ? closedResult.reason : null, byHand);
      assert.equal(drainResult.status === "rejected" && drainResult.reason.cause, byHand ?? undefined);
      assert.equal(reader.exception(), byHand);
      assert.equal(reader.atEof(), byHand === null);
    });
  }

  // CPython: a StreamReaderProtocol lets go of its reader in connection_lost().
  it("ignores what the transport still brings after a connectionLost by hand", async () => {
    for (const lost of [null, new Error("by hand")]) {
      const { reader, protocol } = connectedStreams();
      protocol.connectionLost(lost);
      protocol.dataReceived(Buffer.from("late"));
      assert.equal(protocol.eofReceived(), true);
      protocol.connectionLost(null);
      if (lost === null) assert.equal(await text(reader.read()), "");
      else await assert.rejects(reader.read(10), (thrown) => thrown === lost);
      assert.equal(reader.exception(), lost);
    }
  });
});
