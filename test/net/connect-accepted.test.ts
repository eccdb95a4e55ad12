/** `connectAcceptedSocket()`: connections that were accepted elsewhere. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { describe, it } from "node:test";
import { connectAcceptedSocket, type OpenConnectionOptions, StreamReader, StreamReaderProtocol, type StreamWriter } from "asyncio-streams";
import { RecordingProtocol } from "asyncio-streams/testing";
import { openTo } from "../support/addresses.js";
import { type BareServer, bareServer } from "../support/bare-sockets.js";
import { identity, trust } from "../support/certificates.js";
import { socketPath } from "../support/temporary.js";
import { HOST } from "../support/tls-kinds.js";
import { until } from "../support/turns.js";

async function listening(
  family: "Unix" | "TCP",
): Promise<{ far: BareServer; connect: (options?: OpenConnectionOptions) => ReturnType<typeof openTo> }> {
  const far = await bareServer(family === "Unix" ? socketPath() : undefined);
  return { far, connect: (options) => openTo(family === "Unix" ? far.path : ["127.0.0.1", far.port], options) };
}

for (const family of ["Unix", "TCP"] as const) {
  describe(`connectAcceptedSocket() over ${family}`, () => {
    it("puts a transport and a protocol on the socket", async () => {
      const { far, connect } = await listening(family);
      await using _far = far;
      const [reader, writer] = await connect();
      const [transport, protocol] = await connectAcceptedSocket(() => new RecordingProtocol(), await far.accepted());
      assert.equal(transport.getProtocol(), protocol);
      assert.equal(transport.getExtraInfo("socket")?.family, family === "Unix" ? "unix" : "ipv4");
      assert.equal(transport.getExtraInfo("sslcontext"), null);
      writer.write("hello");
      await until(() => protocol.receivedBytes === 5);
      transport.write("welcome");
      assert.equal((await reader.readexactly(7)).toString(), "welcome");
      writer.close();
      assert.equal(await protocol.lost, null);
      assert.deepEqual(protocol.order, ["connectionMade", "dataReceived", "eofReceived", "connectionLost"]);
    });

    it("takes the server's role with ssl", async () => {
      const { far, connect } = await listening(family);
      await using _far = far;
      const connecting = connect({ ssl: trust, ...HOST });
      let served: StreamWriter | null = null;
      const reader = new StreamReader();
      const factory = (): StreamReaderProtocol =>
        new StreamReaderProtocol(reader, (_reader, writer) => {
          served = writer;
        });
      const [transport] = await connectAcceptedSocket(factory, await far.accepted(), { ssl: identity("server") });
      const [, writer] = await connecting;
      assert.notEqual(transport.getExtraInfo("cipher"), null);
      assert.equal((served as StreamWriter | null)?.transport, transport);
      writer.write("secret\n");
      assert.equal((await reader.readline()).toString(), "secret\n");
      writer.close();
      await writer.waitClosed();
    });

    it("closes the socket if the handshake fails, takes too long or is aborted", async () => {
      const { far, connect } = await listening(family);
      await using _far = far;
      for (const [options, error] of [
        [() => ({ sslHandshakeTimeout: 20 }), { code: "ETIMEDOUT" }],
        [() => ({ timeout: 20 }), { name: "TimeoutError" }],
        [() => ({ signal: AbortSignal.timeout(20) }), { name: "TimeoutError" }],
      ] as const) {
        const [reader, writer] = await connect();
        const made = connectAcceptedSocket(() => new RecordingProtocol(), await far.accepted(), { ssl: identity("server"), ...options() });
        await assert.rejects(made, error);
        assert.equal((await reader.read()).length, 0);
        writer.close();
      }
      const [, writer] = await connect();
      writer.write("this is no TLS\n");
      await assert.rejects(connectAcceptedSocket(() => new RecordingProtocol(), await far.accepted(), { ssl: identity("server") }));
      writer.abort();
    });

    it("closes the socket if an argument is wrong, or the signal is aborted", async () => {
      const { far, connect } = await listening(family);
      await using _far = far;
      const factory = (): RecordingProtocol => new RecordingProtocol();
      const wrong: readonly (readonly [unknown, unknown])[] = [
        [null, undefined],
        [() => null, undefined],
        [factory, 5],
        [factory, { ssl: true }],
        [factory, { sslHandshakeTimeout: 5 }],
        [factory, { ssl: identity("server"), serverHostname: "localhost" }],
        [factory, { signal: AbortSignal.abort(new TypeError("enough")) }],
      ];
      for (const [protocolFactory, options] of wrong) {
        const [reader, writer] = await connect();
        await assert.rejects(connectAcceptedSocket(protocolFactory as never, await far.accepted(), options as never), TypeError);
        assert.equal((await reader.read()).length, 0);
        writer.close();
      }
      for (const sock of [null, "5", {}, new net.Server()])
        await assert.rejects(connectAcceptedSocket(factory, sock as never), { code: "ERR_INVALID_ARG_TYPE" });
    });

    it("takes a socket only once", async () => {
      const { far, connect } = await listening(family);
      await using _far = far;
      const [reader, writer] = await connect();
      const sock = await far.accepted();
      const [transport] = await connectAcceptedSocket(() => new RecordingProtocol(), sock);
      await assert.rejects(
        connectAcceptedSocket(() => new RecordingProtocol(), sock),
        { code: "ERR_INVALID_ARG_VALUE" },
      );
      transport.write("still here");
      assert.equal((await reader.readexactly(10)).toString(), "still here");
      writer.abort();
      await once(sock, "close");
    });
  });
}
