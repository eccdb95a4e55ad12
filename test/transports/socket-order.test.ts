/** What a transport calls, in which order, and how often. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { turns, until } from "../support/turns.js";
import { openProtocols, openToBareSocket, protocolKinds } from "./protocol-pairs.js";

for (const kind of protocolKinds) {
  describe(`the calls of a transport over ${kind.name}`, () => {
    it("are connectionMade, dataReceived, eofReceived, connectionLost", async () => {
      await using pair = await openProtocols(kind);
      pair.client.transport.write("question");
      await until(() => pair.peer.receivedBytes === 8);
      pair.peer.transport.write("answer");
      await until(() => pair.client.receivedBytes === 6);
      pair.client.transport.close();
      await pair.peer.lost;
      await pair.client.lost;
      assert.deepEqual(pair.peer.order, ["connectionMade", "dataReceived", "eofReceived", "connectionLost"]);
      assert.deepEqual(pair.client.order, ["connectionMade", "dataReceived", "connectionLost"]);
      assert.deepEqual([pair.client.losses, pair.peer.losses], [[null], [null]]);
    });

    it("have been connectionMade when the connecting call returns", async () => {
      await using pair = await openProtocols(kind);
      assert.deepEqual(pair.client.calls, ["connectionMade"]);
      assert.equal(pair.client.transport.getProtocol(), pair.client);
    });

    it("connectionLost comes once, however often the connection is closed and aborted", async () => {
      await using pair = await openProtocols(kind);
      const { transport } = pair.client;
      transport.close();
      transport.abort();
      transport.close();
      await pair.client.lost;
      transport.close();
      transport.abort();
      await turns(10);
      assert.deepEqual(pair.client.losses, [null]);
    });

    it("connectionLost never comes from within close() or abort()", async () => {
      for (const end of ["close", "abort"] as const) {
        await using pair = await openProtocols(kind);
        pair.client.transport[end]();
        assert.deepEqual(pair.client.losses, []);
        assert.equal(await pair.client.lost, null);
      }
    });

    it("after an eofReceived that returns nothing, the transport closes itself", async () => {
      await using pair = await openProtocols(kind);
      pair.client.transport.writeEof();
      assert.equal(await pair.peer.lost, null);
      assert.equal(pair.peer.transport.isClosing(), true);
    });

    it("after an eofReceived that returns false, too", async () => {
      await using pair = await openProtocols(kind, { peer: { eofReceived: () => false } });
      pair.client.transport.writeEof();
      assert.equal(await pair.peer.lost, null);
    });

    it("after an eofReceived that returns true, our side stays open", async () => {
      await using pair = await openProtocols(kind, { peer: { eofReceived: () => true } });
      pair.client.transport.writeEof();
      await until(() => pair.peer.calls.includes("eofReceived"));
      await turns(5);
      assert.equal(pair.peer.transport.isClosing(), false);
      pair.peer.transport.write("late answer");
      await until(() => pair.client.receivedBytes === 11);
      pair.peer.transport.close();
      assert.equal(await pair.peer.lost, null);
      assert.deepEqual(pair.peer.calls, ["connectionMade", "eofReceived", "connectionLost"]);
    });

    it("bytes written before the transport closes itself at the peer's EOF are sent", async () => {
      await using pair = await openProtocols(kind, {
        peer: { eofReceived: () => pair.peer.transport.write("goodbye") },
      });
      pair.client.transport.writeEof();
      await pair.client.lost;
      assert.equal(pair.client.received.toString(), "goodbye");
    });

    it("with both sides ended, the connection is lost only by close() or abort()", async () => {
      for (const end of ["close", "abort"] as const) {
        await using pair = await openProtocols(kind, { client: { eofReceived: () => true }, peer: { eofReceived: () => true } });
        pair.client.transport.writeEof();
        pair.peer.transport.writeEof();
        await until(() => pair.client.calls.includes("eofReceived") && pair.peer.calls.includes("eofReceived"));
        await turns(20);
        assert.deepEqual(pair.client.losses, []);
        assert.equal(pair.client.transport.isClosing(), false);
        pair.client.transport[end]();
        assert.deepEqual(pair.client.losses, []);
        assert.equal(await pair.client.lost, null);
      }
    });

    it("connectionLost() gets the reset that ended the connection, once", async () => {
      // A reset shows on a Unix socket as one when the peer had unread data; over TCP the peer can send one.
      await using pair = await openToBareSocket(kind);
      if (kind.name === "Unix") {
        pair.client.transport.write("never read");
        await until(() => pair.client.transport.getWriteBufferSize() === 0);
        await turns(3);
        pair.socket.destroy();
      } else pair.socket.resetAndDestroy();
      const error = await pair.client.lost;
      assert.equal((error as { code?: string } | null)?.code, "ECONNRESET");
      await turns(10);
      assert.equal(pair.client.losses.length, 1);
    });

    it("no data comes after close()", async () => {
      await using pair = await openToBareSocket(kind);
      pair.socket.write("one");
      await until(() => pair.client.receivedBytes === 3);
      pair.client.transport.close();
      pair.socket.write("two");
      await pair.client.lost;
      assert.equal(pair.client.received.toString(), "one");
    });
  });
}
