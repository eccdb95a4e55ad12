/** Pausing and resuming the reading of a transport, and changing its protocol. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RecordingProtocol } from "asyncio-streams/testing";
import { MUCH_BYTES } from "../support/much.js";
import { turns, until } from "../support/turns.js";
import { openProtocols, openToBareSocket, protocolKinds } from "./protocol-pairs.js";

for (const kind of protocolKinds) {
  describe(`pauseReading() over ${kind.name}`, () => {
    it("holds back the data until resumeReading()", async () => {
      await using pair = await openProtocols(kind);
      pair.client.transport.pauseReading();
      assert.equal(pair.client.transport.isReading(), false);
      pair.peer.transport.write("held back");
      await until(() => pair.peer.transport.getWriteBufferSize() === 0);
      await turns(10);
      assert.equal(pair.client.receivedBytes, 0);
      pair.client.transport.resumeReading();
      assert.equal(pair.client.transport.isReading(), true);
      await until(() => pair.client.receivedBytes === 9);
    });

    it("holds back the peer once the system's buffers are full", async () => {
      await using pair = await openProtocols(kind);
      pair.client.transport.pauseReading();
      pair.peer.transport.write(Buffer.alloc(MUCH_BYTES));
      await turns(50);
      assert.ok(pair.peer.transport.getWriteBufferSize() > 0);
      assert.equal(pair.client.receivedBytes, 0);
      pair.client.transport.resumeReading();
      await until(() => pair.client.calls.includes("dataReceived"));
    });

    it("works in connectionMade", async () => {
      await using pair = await openProtocols(kind, { client: { connectionMade: (transport) => transport.pauseReading() } });
      assert.equal(pair.client.transport.isReading(), false);
      pair.peer.transport.write("early");
      await until(() => pair.peer.transport.getWriteBufferSize() === 0);
      await turns(10);
      assert.equal(pair.client.receivedBytes, 0);
      pair.client.transport.resumeReading();
      await until(() => pair.client.receivedBytes === 5);
    });

    it("works in connectionMade of an accepted connection", async () => {
      await using pair = await openProtocols(kind, { peer: { connectionMade: (transport) => transport.pauseReading() } });
      pair.client.transport.write("early");
      await until(() => pair.client.transport.getWriteBufferSize() === 0);
      await turns(10);
      assert.equal(pair.peer.receivedBytes, 0);
      pair.peer.transport.resumeReading();
      await until(() => pair.peer.receivedBytes === 5);
    });

    it("works in dataReceived: no more comes in the same turn", async () => {
      await using pair = await openProtocols(kind, { client: { dataReceived: () => pair.client.transport.pauseReading() } });
      pair.peer.transport.write(Buffer.alloc(1_000_000));
      await until(() => pair.client.receivedBytes > 0);
      const { receivedBytes } = pair.client;
      await turns(10);
      assert.equal(pair.client.receivedBytes, receivedBytes);
    });

    it("holds back the peer's EOF, too", async () => {
      await using pair = await openProtocols(kind);
      pair.client.transport.pauseReading();
      pair.peer.transport.write("the end");
      pair.peer.transport.writeEof();
      await turns(20);
      assert.deepEqual(pair.client.calls, ["connectionMade"]);
      pair.client.transport.resumeReading();
      await pair.client.lost;
      assert.deepEqual(pair.client.order, ["connectionMade", "dataReceived", "eofReceived", "connectionLost"]);
      assert.equal(pair.client.received.toString(), "the end");
    });

    it("twice, like resumeReading() twice, is the same as once", async () => {
      await using pair = await openProtocols(kind);
      const { transport } = pair.client;
      transport.resumeReading();
      assert.equal(transport.isReading(), true);
      transport.pauseReading();
      transport.pauseReading();
      assert.equal(transport.isReading(), false);
      transport.resumeReading();
      transport.resumeReading();
      assert.equal(transport.isReading(), true);
      pair.peer.transport.write("data");
      await until(() => pair.client.receivedBytes === 4);
    });

    it("does nothing on a closed connection, like resumeReading()", async () => {
      await using pair = await openProtocols(kind);
      const { transport } = pair.client;
      transport.close();
      transport.pauseReading();
      transport.resumeReading();
      assert.equal(transport.isReading(), false);
      await pair.client.lost;
      transport.pauseReading();
      transport.resumeReading();
      assert.equal(transport.isReading(), false);
    });

    it("does not keep close() from ending the connection", async () => {
      await using pair = await openProtocols(kind);
      pair.client.transport.pauseReading();
      pair.client.transport.write("flushed");
      pair.client.transport.close();
      assert.equal(await pair.client.lost, null);
      await pair.peer.lost;
      assert.equal(pair.peer.received.toString(), "flushed");
    });
  });

  describe(`setProtocol() over ${kind.name}`, () => {
    it("makes every later call on the new protocol, and does not call its connectionMade()", async () => {
      await using pair = await openToBareSocket(kind);
      pair.socket.write("first");
      await until(() => pair.client.receivedBytes === 5);
      const next = new RecordingProtocol();
      pair.client.transport.setProtocol(next);
      assert.equal(pair.client.transport.getProtocol(), next);
      pair.socket.end("second");
      assert.equal(await next.lost, null);
      assert.deepEqual(next.order, ["dataReceived", "eofReceived", "connectionLost"]);
      assert.equal(next.received.toString(), "second");
      assert.deepEqual(pair.client.order, ["connectionMade", "dataReceived"]);
      // For the end of the block, which waits for the first protocol's loss.
      pair.client.connectionLost(null);
    });

    it("works within dataReceived", async () => {
      const next = new RecordingProtocol();
      await using pair = await openToBareSocket(kind, { dataReceived: () => pair.client.transport.setProtocol(next) });
      pair.socket.write("for the first");
      await until(() => pair.client.receivedBytes === 13);
      pair.socket.write("for the next");
      await until(() => next.receivedBytes === 12);
      assert.equal(pair.client.received.toString(), "for the first");
      pair.client.connectionLost(null);
    });

    it("calls pauseWriting() of the new protocol while writing is paused, and later resumeWriting()", async () => {
      await using pair = await openToBareSocket(kind);
      pair.client.transport.write(Buffer.alloc(MUCH_BYTES));
      assert.deepEqual(pair.client.calls, ["connectionMade", "pauseWriting"]);
      const next = new RecordingProtocol();
      pair.client.transport.setProtocol(next);
      assert.deepEqual(next.calls, ["pauseWriting"]);
      pair.socket.resume();
      await until(() => next.calls.length > 1);
      assert.deepEqual(next.calls, ["pauseWriting", "resumeWriting"]);
      assert.deepEqual(pair.client.calls, ["connectionMade", "pauseWriting"]);
      pair.client.connectionLost(null);
    });

    it("calls nothing on the new protocol while writing is not paused", async () => {
      await using pair = await openToBareSocket(kind);
      const next = new RecordingProtocol();
      pair.client.transport.setProtocol(next);
      assert.deepEqual(next.calls, []);
      pair.client.connectionLost(null);
    });
  });
}
