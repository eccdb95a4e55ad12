/** A protocol method that throws ends the connection with what it threw; nobody else is harmed. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ProtocolHooks, RecordingProtocol } from "asyncio-streams/testing";
import { expectWarnings } from "../support/leak-guard.js";
import { MUCH } from "../support/much.js";
import { turns, until } from "../support/turns.js";
import { connectTo, openProtocols, protocolKinds } from "./protocol-pairs.js";

/** A hook that throws `error`. */
function thrower(error: unknown): () => never {
  return () => {
    throw error;
  };
}

expectWarnings("OnPurpose");

for (const kind of protocolKinds) {
  describe(`a protocol that throws over ${kind.name}`, () => {
    const failure = new Error("on purpose");

    for (const [method, provoke] of [
      ["dataReceived", ({ peer }) => peer.transport.write("data")],
      ["eofReceived", ({ peer }) => peer.transport.writeEof()],
      [
        "pauseWriting",
        ({ client, peer }) => {
          peer.transport.pauseReading();
          client.transport.write(MUCH);
        },
      ],
      [
        "resumeWriting",
        ({ client, peer }) => {
          peer.transport.pauseReading();
          client.transport.write(MUCH);
          peer.transport.resumeReading();
        },
      ],
    ] as const satisfies readonly [keyof ProtocolHooks, (pair: { client: RecordingProtocol; peer: RecordingProtocol }) => void][]) {
      it(`in ${method} loses the connection with that error`, async () => {
        await using pair = await openProtocols(kind, { client: { [method]: thrower(failure) } });
        provoke(pair);
        assert.equal(await pair.client.lost, failure);
        pair.peer.transport.resumeReading();
        await turns(5);
        assert.deepEqual(pair.client.losses, [failure]);
        assert.equal(pair.client.transport.isClosing(), true);
        await pair.peer.lost;
      });
    }

    it("in connectionMade on a server loses the connection, and the server lives on", async () => {
      let first = true;
      const protocols: RecordingProtocol[] = [];
      const server = await kind.serve(() => {
        const protocol = new RecordingProtocol(first ? { connectionMade: thrower(failure) } : {});
        first = false;
        protocols.push(protocol);
        return protocol;
      });
      const [, one] = await connectTo(() => new RecordingProtocol(), server);
      await one.lost;
      assert.equal(await protocols[0]!.lost, failure);
      const [transport, two] = await connectTo(() => new RecordingProtocol(), server);
      transport.write("hello");
      await until(() => protocols[1]?.receivedBytes === 5);
      transport.close();
      await two.lost;
      server.close();
      await server.waitClosed();
    });

    it("in connectionMade of a client loses the connection after the call has returned", async () => {
      const server = await kind.serve(() => new RecordingProtocol());
      const [transport, protocol] = await connectTo(() => new RecordingProtocol({ connectionMade: thrower(failure) }), server);
      assert.equal(transport.isClosing(), true);
      assert.equal(await protocol.lost, failure);
      server.close();
      await server.waitClosed();
    });

    it("wraps a thrown value that is not an Error", async () => {
      await using pair = await openProtocols(kind, { client: { dataReceived: thrower("just text") } });
      pair.peer.transport.write("data");
      const error = await pair.client.lost;
      assert.ok(error instanceof Error);
      assert.match(error.message, /just text/);
      assert.equal(error.cause, "just text");
      assert.equal((error as NodeJS.ErrnoException).code, "ERR_NOT_AN_ERROR");
    });

    it("in connectionLost is a process warning, and the server still ends", async () => {
      const warning = Object.assign(new Error("too late"), { name: "OnPurpose" });
      const warned = new Promise((resolve) => {
        process.once("warning", resolve);
      });
      await using pair = await openProtocols(kind, { peer: { connectionLost: thrower(warning) } });
      pair.peer.transport.close();
      assert.equal(await warned, warning);
    });

    it("in the factory of a client rejects the call, and the socket is closed", async () => {
      const peer = new RecordingProtocol();
      const server = await kind.serve(() => peer);
      await assert.rejects(connectTo(thrower(failure), server), (error) => error === failure);
      await until(() => peer.calls.length > 0);
      await peer.lost;
      server.close();
      await server.waitClosed();
    });

    for (const wrong of [null, undefined, 5, "protocol"]) {
      it(`a factory that makes ${String(wrong)} is refused`, async () => {
        const peer = new RecordingProtocol();
        const server = await kind.serve(() => peer);
        await assert.rejects(
          connectTo(() => wrong as never, server),
          { name: "TypeError", code: "ERR_INVALID_ARG_TYPE", message: /protocolFactory/ },
        );
        await until(() => peer.calls.length > 0);
        await peer.lost;
        server.close();
        await server.waitClosed();
      });
    }
  });
}
