/** `StreamWriter.startTls()`: the same reader and writer go on, and not a byte is lost. Its arguments and certificates are tested elsewhere. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  ConnectionLostError,
  ConnectionTimeoutError,
  InvalidStateError,
  openConnection,
  openUnixConnection,
  type SocketAddress,
  type StreamReader,
  type StreamWriter,
} from "asyncio-streams";
import { payload, receiveBytes, sendBytes } from "../conformance/payload.js";
import { identity, trust } from "../support/certificates.js";
import { kinds, openPair, type Pair } from "../support/pairs.js";
import { isSettled, turns, until } from "../support/turns.js";
import { listen } from "./kinds.js";
import { Relay } from "./relay.js";

const HOST = { serverHostname: "localhost" };

/** Changes both ends over. */
async function secure({ client, peer }: Pair): Promise<void> {
  await Promise.all([client.writer.startTls(trust, HOST), peer.writer.startTls(identity("server"))]);
}

async function checkTalk({ client, peer }: Pair): Promise<void> {
  for (const [from, to] of [
    [client, peer],
    [peer, client],
  ] as const) {
    from.writer.write("over TLS\n");
    assert.equal((await to.reader.readline()).toString(), "over TLS\n");
  }
}

function open(address: SocketAddress): Promise<[StreamReader, StreamWriter]> {
  return typeof address === "string" ? openUnixConnection(address) : openConnection(address[0], address[1]);
}

for (const kind of kinds) {
  describe(`startTls() over ${kind.name}`, () => {
    it("gives the same reader and writer a new transport", async () => {
      await using pair = await openPair(kind);
      const before = [pair.client, pair.peer].map(({ writer }) => writer.transport);
      await secure(pair);
      const after = [pair.client, pair.peer].map(({ writer }) => writer.transport);
      for (const [index, transport] of after.entries()) {
        const old = before[index]!;
        assert.notEqual(transport, old);
        assert.equal(transport.getProtocol(), old.getProtocol());
        assert.deepEqual([old.isClosing(), transport.isClosing(), transport.isReading()], [true, false, true]);
        assert.deepEqual([old.canWriteEof(), transport.canWriteEof()], [true, false]);
      }
      await checkTalk(pair);
    });

    it("leaves the old transport without a connection: what is done to it does nothing", async () => {
      await using pair = await openPair(kind);
      const old = pair.client.writer.transport;
      await secure(pair);
      old.write("lost");
      old.close();
      old.abort();
      old.pauseReading();
      assert.equal(old.getWriteBufferSize(), 0);
      await turns(5);
      await checkTalk(pair);
    });

    it("raises the high-water mark to 512 KiB", async () => {
      await using pair = await openPair(kind);
      await secure(pair);
      assert.deepEqual(pair.client.writer.transport.getWriteBufferLimits(), [131_072, 524_288]);
      assert.deepEqual(pair.peer.writer.transport.getWriteBufferLimits(), [131_072, 524_288]);
    });

    it("sends first what was written before, unsecured", async () => {
      await using pair = await openPair(kind);
      pair.client.writer.write(payload(1_000_000));
      const upgraded = pair.client.writer.startTls(trust, HOST);
      assert.ok((await pair.peer.reader.readexactly(1_000_000)).equals(payload(1_000_000)));
      await Promise.all([upgraded, pair.peer.writer.startTls(identity("server"))]);
      await checkTalk(pair);
    });

    it("takes a handshake that was read ahead, in one packet with the command before it", async () => {
      let buffered = -1;
      const { server } = await kind.serve(async (reader, writer) => {
        assert.equal((await reader.readline()).toString(), "STARTTLS\n");
        buffered = relay.link.toServer.passed;
        await writer.startTls(identity("server"));
        writer.write(await reader.readline());
        writer.close();
      });
      await using relay = await Relay.to(server.sockets[0]!.getsockname());
      const [reader, writer] = await open(relay.address);
      await until(() => relay.links.length > 0);
      relay.link.toServer.gather(100);
      writer.write("STARTTLS\n");
      await writer.startTls(trust, HOST);
      assert.ok(buffered > 100, `${buffered} bytes were there with the command`);
      writer.write("secret\n");
      assert.equal((await reader.readline()).toString(), "secret\n");
      writer.close();
      await writer.waitClosed();
      server.close();
      await server.waitClosed();
    });

    for (const ahead of [1, 5, 100]) {
      it(`takes a handshake of which ${ahead} bytes were read ahead`, async () => {
        const command = "STARTTLS\n";
        const { server } = await kind.serve(async (reader, writer) => {
          assert.equal((await reader.readline()).toString(), command);
          const upgraded = writer.startTls(identity("server"));
          await turns(3);
          relay.link.toServer.release();
          await upgraded;
          writer.write(await reader.readline());
          writer.close();
        });
        await using relay = await Relay.to(server.sockets[0]!.getsockname());
        const [reader, writer] = await open(relay.address);
        await until(() => relay.links.length > 0);
        relay.link.toServer.gather(command.length + ahead, command.length + ahead);
        writer.write(command);
        await writer.startTls(trust, HOST);
        writer.write("secret\n");
        assert.equal((await reader.readline()).toString(), "secret\n");
        writer.close();
        await writer.waitClosed();
        server.close();
        await server.waitClosed();
      });
    }

    it("takes a handshake that is longer than the reader's limit", async () => {
      const { server, connect } = await kind.serve(
        async (reader, writer) => {
          await reader.readexactly(3);
          await turns(10);
          await writer.startTls(identity("server"));
          writer.write(await reader.readexactly(6));
          writer.close();
        },
        { limit: 16 },
      );
      const [reader, writer] = await connect({ limit: 16 });
      writer.write("go\n");
      await writer.startTls(trust, HOST);
      writer.write("secret");
      assert.equal((await reader.read()).toString(), "secret");
      await writer.waitClosed();
      server.close();
      await server.waitClosed();
    });

    it("does not take unsecured bytes for secured ones: a client that left some unread is refused", async () => {
      await using pair = await openPair(kind);
      pair.peer.writer.write("220 go ahead\r\n250 injected by somebody\r\n");
      assert.equal((await pair.client.reader.readline()).toString(), "220 go ahead\r\n");
      const upgrades = await Promise.allSettled([
        pair.client.writer.startTls(trust, HOST),
        pair.peer.writer.startTls(identity("server"), { sslHandshakeTimeout: 5_000 }),
      ]);
      const [refusal, other] = upgrades as [PromiseRejectedResult, PromiseSettledResult<void>];
      assert.ok(refusal.reason instanceof InvalidStateError);
      assert.match(refusal.reason.message, /26 bytes that came in the clear were not read/);
      assert.equal(other.status, "rejected");
      await assert.rejects(pair.client.reader.read(), InvalidStateError);
      await assert.rejects(pair.client.writer.waitClosed(), InvalidStateError);
    });

    it("leaves a read that waits in place: it gets the first secured bytes", async () => {
      await using pair = await openPair(kind);
      const reads = [pair.client.reader.readline(), pair.peer.reader.readexactly(9)];
      await secure(pair);
      assert.equal(await isSettled(Promise.race(reads)), false);
      pair.client.writer.write("over TLS\n");
      pair.peer.writer.write("over TLS\n");
      assert.deepEqual((await Promise.all(reads)).map(String), ["over TLS\n", "over TLS\n"]);
    });

    it("ends a read that waits with the reason when it fails", async () => {
      await using pair = await openPair(kind);
      const reading = pair.client.reader.readline();
      const checks = [
        assert.rejects(reading, { code: "ERR_TLS_CERT_ALTNAME_INVALID" }),
        assert.rejects(pair.client.writer.waitClosed(), { code: "ERR_TLS_CERT_ALTNAME_INVALID" }),
      ];
      void pair.peer.writer.startTls(identity("wrong-host")).catch(() => {});
      await assert.rejects(pair.client.writer.startTls(trust, HOST), { code: "ERR_TLS_CERT_ALTNAME_INVALID" });
      await Promise.all(checks);
      await assert.rejects(pair.client.writer.drain(), ConnectionLostError);
    });

    it("leaves writes silent when it has failed, and the next drain() rejects", async () => {
      await using pair = await openPair(kind);
      pair.peer.writer.write("this is no TLS\r\n".repeat(100));
      pair.peer.writer.close();
      await assert.rejects(pair.client.writer.startTls(trust, HOST));
      pair.client.writer.write("lost");
      await assert.rejects(pair.client.writer.drain(), ConnectionLostError);
      await assert.rejects(pair.client.writer.startTls(trust, HOST), ConnectionLostError);
    });

    it("brings bytes that the server sends right behind its handshake", async () => {
      await using pair = await openPair(kind);
      const upgraded = pair.peer.writer.startTls(identity("server")).then(() => pair.peer.writer.write(payload(500_000)));
      await pair.client.writer.startTls(trust, HOST);
      await upgraded;
      assert.ok((await pair.client.reader.readexactly(500_000)).equals(payload(500_000)));
    });

    it("works in the middle of a conversation, with megabytes on either side of it", async () => {
      await using pair = await openPair(kind);
      for (let round = 0; round < 2; round += 1) {
        const [there, back, atPeer, atClient] = await Promise.all([
          sendBytes(pair.client.writer, 4_000_000),
          sendBytes(pair.peer.writer, 4_000_000),
          receiveBytes(pair.peer.reader, 4_000_000),
          receiveBytes(pair.client.reader, 4_000_000),
        ]);
        assert.deepEqual([atPeer, atClient], [there, back]);
        if (round === 0) await secure(pair);
      }
    });

    it("is refused on a connection with TLS, which goes on", async () => {
      await using pair = await openPair(kind);
      await secure(pair);
      await assert.rejects(pair.client.writer.startTls(trust, HOST), InvalidStateError);
      await assert.rejects(pair.peer.writer.startTls(identity("server")), { code: "ERR_INVALID_STATE", message: /secured by TLS already/ });
      await checkTalk(pair);
    });

    it("is refused on a connection that began with TLS, which goes on", async () => {
      await using ours = await listen(kind);
      const [reader, writer] = await ours.connect();
      await assert.rejects(writer.startTls(trust, HOST), InvalidStateError);
      writer.write("still here\n");
      assert.equal((await reader.readline()).toString(), "still here\n");
      writer.close();
      await writer.waitClosed();
    });

    it("is refused while it is under way, and the first goes on", async () => {
      await using pair = await openPair(kind);
      const first = pair.client.writer.startTls(trust, HOST);
      await turns();
      await assert.rejects(pair.client.writer.startTls(trust, HOST), { code: "ERR_INVALID_STATE", message: /under way/ });
      await Promise.all([first, pair.peer.writer.startTls(identity("server"))]);
      await checkTalk(pair);
    });

    it("refuses writes while it is under way", async () => {
      await using pair = await openPair(kind);
      const upgraded = pair.client.writer.startTls(trust, HOST);
      await turns();
      assert.throws(() => pair.client.writer.write("unsecured"), InvalidStateError);
      await Promise.all([upgraded, pair.peer.writer.startTls(identity("server"))]);
      await checkTalk(pair);
    });

    it("is refused after writeEof(), and what was asked for can still be read", async () => {
      await using pair = await openPair(kind);
      pair.client.writer.writeEof();
      await assert.rejects(pair.client.writer.startTls(trust, HOST), InvalidStateError);
      assert.equal((await pair.peer.reader.read()).length, 0);
      await assert.rejects(pair.peer.writer.startTls(identity("server")), InvalidStateError);
      pair.peer.writer.write("answer");
      pair.peer.writer.close();
      assert.equal((await pair.client.reader.read()).toString(), "answer");
    });

    it("is refused after close()", async () => {
      await using pair = await openPair(kind);
      pair.client.writer.close();
      await assert.rejects(pair.client.writer.startTls(trust, HOST), ConnectionLostError);
      await pair.client.writer.waitClosed();
      await assert.rejects(pair.client.writer.startTls(trust, HOST), ConnectionLostError);
    });

    for (const end of ["close", "abort"] as const) {
      it(`is ended by ${end}()`, async () => {
        await using pair = await openPair(kind);
        const upgrade = assert.rejects(pair.client.writer.startTls(trust, HOST), ConnectionLostError);
        await turns(3);
        pair.client.writer.transport[end]();
        await upgrade;
        await pair.client.writer.waitClosed();
        // The beginning of the handshake is all that came.
        assert.equal((await pair.peer.reader.read())[0], 22);
      });
    }

    it("is ended by the peer", async () => {
      await using pair = await openPair(kind);
      const upgrade = assert.rejects(pair.client.writer.startTls(trust, HOST), { code: "ECONNRESET" });
      await pair.peer.reader.readexactly(1);
      pair.peer.writer.transport.abort();
      await upgrade;
      await assert.rejects(pair.client.writer.waitClosed(), { code: "ECONNRESET" });
    });

    it("is cut when the peer is silent for too long, on either side", async () => {
      await using pair = await openPair(kind);
      for (const [writer, upgraded] of [
        [pair.client.writer, pair.client.writer.startTls(trust, { ...HOST, sslHandshakeTimeout: 20 })],
      ] as const) {
        await assert.rejects(upgraded, { name: "ConnectionTimeoutError", code: "ETIMEDOUT", message: /handshake took longer than 20 ms/ });
        await assert.rejects(writer.waitClosed(), ConnectionTimeoutError);
      }
      await using other = await openPair(kind);
      await assert.rejects(other.peer.writer.startTls(identity("server"), { sslHandshakeTimeout: 20 }), ConnectionTimeoutError);
      await assert.rejects(other.peer.writer.waitClosed(), ConnectionTimeoutError);
      assert.equal((await other.client.reader.read()).length, 0);
    });

    it("fails when the peer goes on in the clear", async () => {
      await using pair = await openPair(kind);
      pair.client.writer.write("MAIL FROM:<somebody@example.org>\r\n");
      await assert.rejects(pair.peer.writer.startTls(identity("server")));
      await assert.rejects(pair.peer.writer.waitClosed());
    });

    it("keeps the client on the server's list: shutdown() cuts it", async () => {
      await using pair = await openPair(kind);
      await secure(pair);
      await checkTalk(pair);
      assert.deepEqual(await pair.server.shutdown({ graceMs: 10 }), { finished: 0, aborted: 1 });
    });

    it("is cut by the server's abortClients(), too", async () => {
      await using pair = await openPair(kind);
      const upgrade = assert.rejects(pair.peer.writer.startTls(identity("server")), ConnectionLostError);
      await turns(3);
      pair.server.close();
      pair.server.abortClients();
      await pair.server.waitClosed();
      await upgrade;
    });
  });
}
