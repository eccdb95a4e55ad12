/** `StreamWriter.startTls()`: the same reader and writer go on, and not a byte is lost. Its arguments and certificates are tested elsewhere. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openTo } from "../support/addresses.js";
import { identity, trust } from "../support/certificates.js";
import { kinds, openPair } from "../support/pairs.js";
import { payload, receiveBytes, sendBytes } from "../support/payload.js";
import { COMMAND, secureAndCheck, startTlsBehindRelay } from "../support/start-tls-relay.js";
import { checkTalk, HOST, secure } from "../support/tls-kinds.js";
import { isSettled, turns, until } from "../support/turns.js";

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
      await using far = await startTlsBehindRelay(kind, {
        onCommand(relay) {
          buffered = relay.link.toServer.passed;
        },
      });
      const client = await openTo(far.relay.address);
      await until(() => far.relay.links.length > 0);
      far.relay.link.toServer.gather(100);
      await secureAndCheck(client);
      assert.ok(buffered > 100, `${buffered} bytes were there with the command`);
    });

    for (const ahead of [1, 5, 100]) {
      it(`takes a handshake of which ${ahead} bytes were read ahead`, async () => {
        await using far = await startTlsBehindRelay(kind, { duringHandshake: (relay) => relay.link.toServer.release() });
        const client = await openTo(far.relay.address);
        await until(() => far.relay.links.length > 0);
        far.relay.link.toServer.gather(COMMAND.length + ahead, COMMAND.length + ahead);
        await secureAndCheck(client);
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

    it("leaves a read that waits in place: it gets the first secured bytes", async () => {
      await using pair = await openPair(kind);
      const reads = [pair.client.reader.readline(), pair.peer.reader.readexactly(9)];
      await secure(pair);
      assert.equal(await isSettled(Promise.race(reads)), false);
      pair.client.writer.write("over TLS\n");
      pair.peer.writer.write("over TLS\n");
      assert.deepEqual((await Promise.all(reads)).map(String), ["over TLS\n", "over TLS\n"]);
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

    it("does not keep a connection open whose callback fails afterwards", async () => {
      const errors: unknown[] = [];
      const { server, connect } = await kind.serve(
        async (_reader, writer) => {
          await writer.startTls(identity("server"));
          throw new Error("on purpose");
        },
        { onClientError: (error) => errors.push((error as Error).message) },
      );
      const [reader, writer] = await connect();
      await writer.startTls(trust, HOST);
      assert.equal((await reader.read(-1, { timeout: 10_000 })).length, 0);
      assert.deepEqual(errors, ["on purpose"]);
      server.close();
      await Promise.all([writer.waitClosed(), server.waitClosed()]);
    });

    it("does not keep a connection open whose callback returns while the server shuts down", async () => {
      const { server, connect } = await kind.serve(async (reader, writer) => {
        await writer.startTls(identity("server"));
        await reader.readline();
      });
      const [, writer] = await connect();
      await writer.startTls(trust, HOST);
      assert.deepEqual(await server.shutdown({ graceMs: 10_000 }), { finished: 1, aborted: 0 });
      await writer.waitClosed();
    });
  });
}
