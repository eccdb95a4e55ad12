/** `startTls()` for protocols: whose methods are called, and when. Its time limits and TLS itself are tested with the streams. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  ConnectionLostError,
  InvalidStateError,
  StreamReader,
  StreamReaderProtocol,
  StreamWriter,
  startTls,
  type Transport,
} from "asyncio-streams";
import { connectMemory, RecordingProtocol } from "asyncio-streams/testing";
import { identity, trust } from "../support/certificates.js";
import { MUCH } from "../support/much.js";
import { HOST } from "../support/tls-kinds.js";
import { turns, until } from "../support/turns.js";
import { openProtocols, type ProtocolPair, protocolKinds } from "./protocol-pairs.js";

const SERVER = { serverSide: true };

/** Upgrades both ends to the given protocols; returns the new transports. */
function upgrade({ client, peer }: ProtocolPair, ofClient = client, ofPeer = peer): Promise<[Transport, Transport]> {
  return Promise.all([startTls(client.transport, ofClient, trust, HOST), startTls(peer.transport, ofPeer, identity("server"), SERVER)]);
}

for (const kind of protocolKinds) {
  describe(`startTls() of protocols over ${kind.name}`, () => {
    it("gives the same protocol a new transport, without connectionMade()", async () => {
      await using pair = await openProtocols(kind);
      const [transport, far] = await upgrade(pair);
      assert.deepEqual([transport.getProtocol(), far.getProtocol()], [pair.client, pair.peer]);
      assert.deepEqual([pair.client.transport.isClosing(), transport.isClosing()], [true, false]);
      transport.write("secret");
      await until(() => pair.peer.receivedBytes === 6);
      far.close();
      await Promise.all([pair.client.lost, pair.peer.lost]);
      assert.deepEqual(pair.client.order, ["connectionMade", "eofReceived", "connectionLost"]);
      assert.deepEqual(pair.peer.order, ["connectionMade", "dataReceived", "connectionLost"]);
      assert.deepEqual([pair.client.losses, pair.peer.losses], [[null], [null]]);
    });

    it("moves the connection to another protocol from the call on; the old one hears nothing more", async () => {
      await using pair = await openProtocols(kind);
      const [ofClient, ofPeer] = [new RecordingProtocol(), new RecordingProtocol()];
      const upgraded = upgrade(pair, ofClient, ofPeer);
      assert.equal(pair.client.transport.getProtocol(), ofClient);
      const [transport, far] = await upgraded;
      transport.write("secret");
      await until(() => ofPeer.receivedBytes === 6);
      far.abort();
      await Promise.all([ofClient.lost, ofPeer.lost]);
      assert.deepEqual([pair.client.order, pair.peer.order], [["connectionMade"], ["connectionMade"]]);
      assert.deepEqual(ofPeer.order, ["dataReceived", "connectionLost"]);
      // Disposing waits for these two.
      pair.client.connectionLost(null);
      pair.peer.connectionLost(null);
    });

    it("passes a pause of writing on to the new protocol, and its end", async () => {
      await using pair = await openProtocols(kind);
      pair.peer.transport.pauseReading();
      pair.client.transport.write(MUCH);
      assert.deepEqual(pair.client.calls, ["connectionMade", "pauseWriting"]);
      const next = new RecordingProtocol();
      const upgraded = startTls(pair.client.transport, next, trust, HOST);
      assert.deepEqual(next.calls, ["pauseWriting"]);
      pair.peer.transport.resumeReading();
      await until(() => pair.peer.receivedBytes >= MUCH.length);
      const readAhead = pair.peer.received.subarray(MUCH.length);
      await Promise.all([upgraded, startTls(pair.peer.transport, pair.peer, identity("server"), { ...SERVER, readAhead })]);
      assert.deepEqual(next.calls, ["pauseWriting", "resumeWriting"]);
      (await upgraded).abort();
      pair.client.connectionLost(null);
    });

    it("resumes reading that was paused, as in asyncio", async () => {
      await using pair = await openProtocols(kind);
      pair.client.transport.pauseReading();
      const [transport, far] = await upgrade(pair);
      assert.equal(transport.isReading(), true);
      far.write("secret");
      await until(() => pair.client.receivedBytes === 6);
      transport.abort();
    });

    it("refuses what is written meanwhile", async () => {
      await using pair = await openProtocols(kind);
      const upgraded = upgrade(pair);
      assert.throws(() => pair.client.transport.write("in the clear"), InvalidStateError);
      const [transport] = await upgraded;
      transport.abort();
    });

    it("tells the protocol of a failure, and rejects with it", async () => {
      await using pair = await openProtocols(kind);
      const next = new RecordingProtocol();
      const client = startTls(pair.client.transport, next, trust, { serverHostname: "other.test" });
      startTls(pair.peer.transport, pair.peer, identity("server"), SERVER).then(
        (transport) => transport.abort(),
        () => {},
      );
      await assert.rejects(client, { code: "ERR_TLS_CERT_ALTNAME_INVALID" });
      assert.equal(((await next.lost) as NodeJS.ErrnoException).code, "ERR_TLS_CERT_ALTNAME_INVALID");
      assert.deepEqual(pair.client.order, ["connectionMade"]);
      pair.client.connectionLost(null);
    });

    it("ends the connection at a time-out and an abort", async () => {
      for (const [options, error] of [
        [() => ({ timeout: 20 }), { name: "TimeoutError" }],
        [() => ({ sslHandshakeTimeout: 20 }), { code: "ETIMEDOUT" }],
        [() => ({ signal: AbortSignal.timeout(20) }), { name: "TimeoutError" }],
      ] as const) {
        await using pair = await openProtocols(kind);
        await assert.rejects(startTls(pair.client.transport, pair.client, trust, { ...HOST, ...options() }), error);
        assert.equal(pair.client.transport.isClosing(), true);
        await assert.rejects(Promise.reject(await pair.client.lost), error);
      }
    });

    it("takes what a server's protocol has received ahead", async () => {
      await using pair = await openProtocols(kind);
      pair.client.transport.write("STARTTLS\n");
      const client = startTls(pair.client.transport, pair.client, trust, HOST);
      await until(() => pair.peer.receivedBytes > 100);
      const readAhead = pair.peer.received.subarray(9);
      const [transport, far] = await Promise.all([
        client,
        startTls(pair.peer.transport, pair.peer, identity("server"), { ...SERVER, readAhead }),
      ]);
      far.write("secret");
      await until(() => pair.client.receivedBytes === 6);
      transport.abort();
    });

    it("upgrades streams, with what their reader holds", async () => {
      await using pair = await openProtocols(kind);
      const reader = new StreamReader();
      const streams = new StreamReaderProtocol(reader);
      pair.peer.transport.setProtocol(streams);
      streams.connectionMade(pair.peer.transport);
      pair.client.transport.write("STARTTLS\n");
      const client = startTls(pair.client.transport, pair.client, trust, HOST);
      assert.equal((await reader.readline()).toString(), "STARTTLS\n");
      await until(() => reader.bufferedLength > 100);
      const [near, far] = await Promise.all([client, startTls(pair.peer.transport, streams, identity("server"), SERVER)]);
      const writer = new StreamWriter(far, streams, reader);
      near.write("secret\n");
      assert.equal((await reader.readline()).toString(), "secret\n");
      writer.close();
      await writer.waitClosed();
      pair.peer.connectionLost(null);
    });

    it("runs TLS in TLS", async () => {
      await using pair = await openProtocols(kind);
      let ends = await upgrade(pair);
      for (const _layer of [2, 3]) {
        ends = await Promise.all([startTls(ends[0], pair.client, trust, HOST), startTls(ends[1], pair.peer, identity("server"), SERVER)]);
      }
      ends[0].write("secret");
      await until(() => pair.peer.receivedBytes === 6);
      ends[0].close();
      assert.deepEqual(await Promise.all([pair.client.lost, pair.peer.lost]), [null, null]);
    });

    it("is refused on a closed, a half-closed or a replaced connection", async () => {
      await using pair = await openProtocols(kind);
      const { client } = pair;
      const [transport] = await upgrade(pair);
      await assert.rejects(startTls(client.transport, client, trust, HOST), ConnectionLostError);
      transport.abort();
      await assert.rejects(startTls(transport, client, trust, HOST), ConnectionLostError);
      await using other = await openProtocols(kind);
      other.client.transport.writeEof();
      await assert.rejects(startTls(other.client.transport, other.client, trust, HOST), InvalidStateError);
    });

    it("refuses wrong arguments, and leaves the connection alone", async () => {
      await using pair = await openProtocols(kind);
      const { client } = pair;
      const wrong: readonly (readonly [unknown, unknown, unknown, unknown])[] = [
        [null, client, trust, HOST],
        [{}, client, trust, HOST],
        [client.transport, null, trust, HOST],
        [client.transport, {}, trust, HOST],
        [client.transport, client, null, HOST],
        [client.transport, client, true, SERVER],
        [client.transport, client, trust, { ...HOST, serverSide: 1 }],
        [client.transport, client, trust, { ...HOST, readAhead: Buffer.of(22) }],
        [client.transport, client, identity("server"), { ...SERVER, readAhead: "text" }],
        [client.transport, client, identity("server"), { ...SERVER, ...HOST }],
        [client.transport, client, trust, 5],
      ];
      for (const [transport, protocol, ssl, options] of wrong)
        await assert.rejects(startTls(transport as never, protocol as never, ssl as never, options as never), TypeError);
      client.transport.write("in the clear");
      await until(() => pair.peer.receivedBytes === 12);
    });
  });
}

describe("startTls() of a transport without TLS", () => {
  it("is refused, as in asyncio", async () => {
    const [first, second] = [new RecordingProtocol(), new RecordingProtocol()];
    const [transport] = connectMemory(first, second);
    await assert.rejects(startTls(transport, first, trust, HOST), {
      code: "ERR_INVALID_ARG_TYPE",
      message: /a transport that supports startTls\(\)/,
    });
    transport.abort();
    await turns(2);
    await Promise.all([first.lost, second.lost]);
  });
});
