/** `StreamWriter.startTls()` where it is refused, fails or is cut short. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ConnectionLostError, ConnectionTimeoutError, InvalidStateError } from "asyncio-streams";
import { identity, trust } from "../support/certificates.js";
import { kinds, openPair } from "../support/pairs.js";
import { checkTalk, HOST, secure } from "../support/tls-kinds.js";
import { turns } from "../support/turns.js";

for (const kind of kinds) {
  describe(`startTls() that fails over ${kind.name}`, () => {
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
      assert.match(refusal.reason.message, /26 unread plaintext bytes are buffered/);
      assert.equal(other.status, "rejected");
      await assert.rejects(pair.client.reader.read(), InvalidStateError);
      await assert.rejects(pair.client.writer.waitClosed(), InvalidStateError);
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

    it("is refused while it is under way, and the first goes on", async () => {
      await using pair = await openPair(kind);
      const first = pair.client.writer.startTls(trust, HOST);
      await turns();
      await assert.rejects(pair.client.writer.startTls(trust, HOST), {
        code: "ERR_INVALID_STATE",
        message: /another startTls\(\) is in progress/,
      });
      await Promise.all([first, pair.peer.writer.startTls(identity("server"))]);
      await checkTalk(pair);
    });

    it("refuses writes while it is under way", async () => {
      await using pair = await openPair(kind);
      const upgraded = pair.client.writer.startTls(trust, HOST);
      assert.throws(() => pair.client.writer.write("unsecured"), InvalidStateError);
      assert.throws(() => pair.client.writer.writelines(["unsecured"]), InvalidStateError);
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

    it("ends the connection when the TLS engine throws at once", async () => {
      await using pair = await openPair(kind);
      const upgrade = pair.client.writer.startTls({ ...trust, minDHSize: -1 }, HOST);
      pair.peer.writer.close(); // for the runtimes that do not look at that option
      await assert.rejects(upgrade);
      await assert.rejects(pair.client.writer.waitClosed());
    });

    it("is refused for options that make no TLS, and the connection goes on", async () => {
      await using pair = await openPair(kind);
      await assert.rejects(pair.client.writer.startTls({ ...trust, minVersion: "TLSv9" as never }, HOST), /TLSv9/);
      pair.client.writer.write("still there\n");
      assert.equal((await pair.peer.reader.readline()).toString(), "still there\n");
    });

    it("is refused after close()", async () => {
      await using pair = await openPair(kind);
      pair.client.writer.close();
      await assert.rejects(pair.client.writer.startTls(trust, HOST), ConnectionLostError);
      await pair.client.writer.waitClosed();
      await assert.rejects(pair.client.writer.startTls(trust, HOST), ConnectionLostError);
    });

    it("is ended by close() in the turn in which the handshake is done", async () => {
      await using pair = await openPair(kind);
      const { writer } = pair.client;
      const checkServerIdentity = (): undefined => {
        queueMicrotask(() => writer.close());
        return undefined;
      };
      const upgrade = assert.rejects(writer.startTls({ ...trust, checkServerIdentity }, HOST), { code: "ECONNRESET" });
      const other = pair.peer.writer.startTls(identity("server")).catch(() => {});
      await upgrade;
      assert.equal(writer.isClosing(), true);
      await writer.waitClosed().catch(() => {});
      pair.peer.writer.abort();
      await other;
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
