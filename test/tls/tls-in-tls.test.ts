/** TLS in TLS: `startTls()` on a connection that uses TLS already. The stream suite runs over it in `conformance-tls-in-tls.test.ts`. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { describe, it } from "node:test";
import tls from "node:tls";
import {
  type ClientConnectedCallback,
  ConnectionLostError,
  ConnectionTimeoutError,
  InvalidStateError,
  type IpSocketAddress,
  type Server,
  type StreamWriter,
  startServer,
  toDuplex,
} from "asyncio-streams";
import { openTo } from "../support/addresses.js";
import { identity, trust } from "../support/certificates.js";
import { MUCH_BYTES } from "../support/much.js";
import { openPair } from "../support/pairs.js";
import { payload } from "../support/payload.js";
import { Relay } from "../support/relay.js";
import { cannot } from "../support/runtime.js";
import { COMMAND, secureAndCheck, startTlsBehindRelay } from "../support/start-tls-relay.js";
import { checkTalk, HOST, secure, tcpTls, unixTls } from "../support/tls-kinds.js";
import { turns, until } from "../support/turns.js";

/** A server with TLS whose clients may be cut at any time. */
const QUIET = { ssl: identity("server"), onClientError: () => {} };

/** Starts a server with TLS in TLS. */
async function startTwice(serve?: ClientConnectedCallback<IpSocketAddress>): Promise<Server<IpSocketAddress>> {
  return await startServer(
    async (reader, writer, context) => {
      await writer.startTls(identity("server"));
      await serve?.(reader, writer, context);
    },
    "127.0.0.1",
    0,
    QUIET,
  );
}

/** The subject of a certificate. */
function nameOf(info: Pick<StreamWriter["transport"], "getExtraInfo"> | null | undefined): string | string[] | undefined {
  return info?.getExtraInfo("peercert")?.subject.CN;
}

for (const kind of [unixTls, tcpTls]) {
  describe(`TLS in TLS over ${kind.name}`, () => {
    it("has the extra info of the inner layer, and the outer layer's behind it", async () => {
      await using pair = await openPair(kind);
      const { writer } = pair.client;
      const outer = writer.transport;
      const outerSocket = writer.getExtraInfo("ssl_object");
      assert.equal(writer.getExtraInfo("outer_transport"), null);
      const inner = { ...trust, ALPNProtocols: ["inner"] };
      await Promise.all([
        writer.startTls(inner, { serverHostname: "sni.example" }),
        pair.peer.writer.startTls({ ...identity("sni"), ALPNProtocols: ["inner"] }),
      ]);
      assert.equal(writer.getExtraInfo("outer_transport"), outer);
      assert.equal(outer.getExtraInfo("ssl_object"), outerSocket);
      assert.notEqual(writer.getExtraInfo("ssl_object"), outerSocket);
      assert.equal(writer.getExtraInfo("sslcontext"), inner);
      assert.deepEqual([writer.getExtraInfo("alpn_protocol"), outer.getExtraInfo("alpn_protocol")], ["inner", null]);
      assert.notDeepEqual(nameOf(writer), nameOf(writer.getExtraInfo("outer_transport") as StreamWriter["transport"]));
      for (const name of ["peername", "sockname", "socket"] as const) assert.deepEqual(writer.getExtraInfo(name), outer.getExtraInfo(name));
      await checkTalk(pair);
    });

    it("leaves the outer transport without a connection", async () => {
      await using pair = await openPair(kind);
      const outer = pair.client.writer.transport;
      await secure(pair);
      outer.write("not inside");
      outer.pauseReading();
      outer.close();
      outer.abort();
      await assert.rejects(async () => outer.startTls?.({} as never), ConnectionLostError);
      await turns(5);
      await checkTalk(pair);
    });

    it("nests deeper, and every layer can be seen", async () => {
      await using pair = await openPair(kind);
      for (let layer = 2; layer <= 4; layer += 1) await secure(pair);
      await checkTalk(pair);
      let layers = 1;
      for (let outer = pair.client.writer.getExtraInfo("outer_transport"); outer !== null; outer = outer.getExtraInfo("outer_transport"))
        layers += 1;
      assert.equal(layers, 4);
      pair.client.writer.write(payload(1_000_000));
      assert.ok((await pair.peer.reader.readexactly(1_000_000)).equals(payload(1_000_000)));
      pair.client.writer.close();
      await Promise.all([pair.client.writer.waitClosed(), pair.peer.writer.waitClosed()]);
    });

    it("takes half of a record that was read ahead, and the rest as it comes", async () => {
      await using far = await startTlsBehindRelay(kind, { duringHandshake: (relay) => relay.link.toServer.release() });
      const client = await openTo(far.relay.address, { ssl: trust, ...HOST });
      // The outer record of the command, and a part of the outer record with the handshake of the inner layer.
      const command = COMMAND.length + 5 + 8 + 17;
      far.relay.link.toServer.gather(command + 100, command + 100);
      await secureAndCheck(client);
    });

    it("takes a handshake that was read ahead with the command", async () => {
      await using pair = await openPair(kind);
      pair.client.writer.write("STARTTLS\n");
      const client = pair.client.writer.startTls(trust, HOST);
      await until(() => pair.peer.reader.bufferedLength > 100);
      assert.equal((await pair.peer.reader.readline()).toString(), "STARTTLS\n");
      await Promise.all([client, pair.peer.writer.startTls(identity("server"))]);
      await checkTalk(pair);
    });

    it("tells the peer by an alert why the inner handshake has failed", cannot("alerts-over-a-stream", "deno"), async () => {
      for (const [server, client, alert] of [
        [{ ALPNProtocols: ["a"] }, { ALPNProtocols: ["b"] }, /ALERT_NO_APPLICATION_PROTOCOL$/],
        [{ minVersion: "TLSv1.3" }, { maxVersion: "TLSv1.2" }, /ALERT_PROTOCOL_VERSION$/],
      ] as const) {
        await using pair = await openPair(kind);
        const served = assert.rejects(pair.peer.writer.startTls({ ...identity("server"), ...server }), { code: /^ERR_SSL_/ });
        await assert.rejects(pair.client.writer.startTls({ ...trust, ...client } as tls.ConnectionOptions, HOST), { code: alert });
        await served;
      }
    });

    it("refuses a client with unread bytes", async () => {
      await using pair = await openPair(kind);
      pair.peer.writer.write("220 go ahead\r\n250 injected by the proxy\r\n");
      assert.equal((await pair.client.reader.readline()).toString(), "220 go ahead\r\n");
      await assert.rejects(pair.client.writer.startTls(trust, HOST), InvalidStateError);
      await assert.rejects(pair.client.writer.waitClosed(), InvalidStateError);
    });

    it("verifies the inner certificate", async () => {
      await using pair = await openPair(kind);
      void pair.peer.writer.startTls(identity("self-signed")).catch(() => {});
      await assert.rejects(pair.client.writer.startTls(trust, HOST), { code: /SELF_SIGNED|UNABLE_TO_VERIFY/ });
      await assert.rejects(pair.client.writer.waitClosed());
    });

    it("limits the handshake in time, and lets a signal end it", async () => {
      // Time enough for the ClientHello, whose first byte the peer reads at the end, on a busy machine.
      for (const [options, error] of [
        [() => ({ sslHandshakeTimeout: 300 }), ConnectionTimeoutError],
        [() => ({ timeout: 300 }), { name: "TimeoutError" }],
        [() => ({ signal: AbortSignal.timeout(300) }), { name: "TimeoutError" }],
      ] as const) {
        await using pair = await openPair(kind);
        await assert.rejects(pair.client.writer.startTls(trust, { ...HOST, ...options() }), error);
        await assert.rejects(pair.client.writer.waitClosed(), error);
        assert.equal((await pair.peer.reader.readexactly(1))[0], 22);
      }
    });

    it("is ended by close() and abort() during the handshake", async () => {
      for (const end of ["close", "abort"] as const) {
        await using pair = await openPair(kind);
        const upgrade = assert.rejects(pair.client.writer.startTls(trust, HOST), ConnectionLostError);
        await turns(3);
        pair.client.writer[end]();
        await upgrade;
        await pair.client.writer.waitClosed();
        await pair.peer.reader.read().catch(() => {});
      }
    });

    it("sends what was written before close(), then ends both layers", async () => {
      await using pair = await openPair(kind);
      await secure(pair);
      const outer = pair.peer.writer.getExtraInfo("outer_transport");
      pair.client.writer.write(payload(2_000_000));
      pair.client.writer.close();
      assert.ok((await pair.peer.reader.read()).equals(payload(2_000_000)));
      await Promise.all([pair.client.writer.waitClosed(), pair.peer.writer.waitClosed()]);
      assert.equal(outer?.getExtraInfo("ssl_object")?.destroyed, true);
    });

    it("sends what was written before close() to a peer that goes on sending for a while", async () => {
      await using pair = await openPair(kind);
      await secure(pair);
      const { client, peer } = pair;
      client.writer.write(Buffer.alloc(8_000_000)); // more than the system takes
      client.writer.close();
      peer.writer.write(Buffer.alloc(400_000));
      assert.equal((await peer.reader.readexactly(8_000_000)).length, 8_000_000);
      peer.writer.close();
      await Promise.all([client.writer.waitClosed(), peer.writer.waitClosed()]);
    });

    it("abort() ends both layers at once", async () => {
      await using pair = await openPair(kind);
      await secure(pair);
      const socket = pair.client.writer.getExtraInfo("outer_transport")?.getExtraInfo("ssl_object");
      pair.client.writer.abort();
      await pair.client.writer.waitClosed();
      assert.equal(socket?.destroyed, true);
      await pair.peer.reader.read().catch(() => {});
      assert.equal(pair.peer.writer.isClosing(), true);
    });

    it("slows a writer down through both layers", async () => {
      await using pair = await openPair(kind);
      await secure(pair);
      let sent = 0;
      while (sent < 8 * MUCH_BYTES) {
        pair.client.writer.write(payload(100_000));
        sent += 100_000;
        if (
          !(await pair.client.writer.drain({ timeout: 300 }).then(
            () => true,
            () => false,
          ))
        )
          break;
      }
      assert.ok(sent < 4 * MUCH_BYTES, `${sent} bytes were taken`);
      assert.equal((await pair.peer.reader.readexactly(sent)).length, sent);
      await pair.client.writer.flush();
      assert.equal(pair.client.writer.transport.getWriteBufferSize(), 0);
    });

    it("counts the program's bytes, once, and publishes one connection", async () => {
      const closed: { readonly bytesRead: number; readonly bytesWritten: number }[] = [];
      const onClose = (message: unknown): void => {
        closed.push(message as (typeof closed)[number]);
      };
      subscribe("asyncio-streams:close", onClose);
      const pair = await openPair(kind);
      await secure(pair);
      await checkTalk(pair);
      await secure(pair);
      await checkTalk(pair);
      assert.deepEqual(pair.server.getStats(), {
        active: 1,
        waiting: 0,
        handshakes: 0,
        accepted: 1,
        refused: 0,
        unauthorized: 0,
        failed: 0,
        bytesRead: 18,
        bytesWritten: 18,
      });
      pair.client.writer.close();
      await Promise.all([pair.client.writer.waitClosed(), pair.peer.writer.waitClosed()]);
      await pair[Symbol.asyncDispose]();
      unsubscribe("asyncio-streams:close", onClose);
      assert.deepEqual(
        closed.map(({ bytesRead, bytesWritten }) => [bytesRead, bytesWritten]),
        [
          [18, 18],
          [18, 18],
        ],
      );
      assert.equal(pair.server.getStats().active, 0);
    });
  });
}

describe("TLS in TLS, cut in between", () => {
  it("closes a connection whose peer ignores close_notify, at the inner time-out", async () => {
    const server = await startTwice();
    await using relay = await Relay.to(server.sockets[0]!.getsockname());
    const [, writer] = await openTo(relay.address, { ssl: trust, ...HOST });
    await writer.startTls(trust, { ...HOST, sslShutdownTimeout: 30 });
    relay.link.toClient.stop("silence");
    relay.link.toServer.stop("silence");
    writer.close();
    await assert.rejects(writer.waitClosed(), { code: "ETIMEDOUT", message: /shutdown took longer than 30 ms/ });
    server.close();
    server.abortClients();
    await server.waitClosed();
  });

  it("reports a reset, after the data before it", async () => {
    const server = await startTwice((_reader, writer) => writer.write("last words\n"));
    await using relay = await Relay.to(server.sockets[0]!.getsockname());
    const [reader, writer] = await openTo(relay.address, { ssl: trust, ...HOST });
    await writer.startTls(trust, HOST);
    assert.equal((await reader.readline()).toString(), "last words\n");
    relay.link.toClient.stop("reset");
    await assert.rejects(reader.read(), { code: "ECONNRESET" });
    await assert.rejects(writer.waitClosed(), { code: "ECONNRESET" });
    server.close();
    server.abortClients();
    await server.waitClosed();
  });

  it("notices bytes that were changed in transit", async () => {
    const server = await startTwice();
    await using relay = await Relay.to(server.sockets[0]!.getsockname());
    const [reader, writer] = await openTo(relay.address, { ssl: trust, ...HOST });
    await writer.startTls(trust, HOST);
    relay.link.toClient.inject(Buffer.from([23, 3, 3, 0, 32, ...Buffer.alloc(32)]));
    await assert.rejects(reader.read());
    await assert.rejects(writer.waitClosed());
    server.close();
    server.abortClients();
    await server.waitClosed();
  });
});

describe("TLS in TLS with node:tls", () => {
  it("understands a client that does it by hand", async () => {
    const server = await startTwice(async (reader, writer) => {
      writer.write(await reader.readline());
      writer.close();
    });
    const [reader, writer] = await openTo(server.sockets[0]!.getsockname(), { ssl: trust, ...HOST });
    const inner = tls.connect({ ...trust, socket: toDuplex(reader, writer), servername: "localhost" });
    await once(inner, "secureConnect");
    inner.write("by hand\n");
    const [answer] = (await once(inner, "data")) as [Buffer];
    assert.equal(answer.toString(), "by hand\n");
    inner.destroy();
    server.close();
    server.abortClients();
    await server.waitClosed();
  });
});
