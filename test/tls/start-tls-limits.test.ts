/** What limits `startTls()` in time: `sslHandshakeTimeout`, `timeout` and `signal`, from the call on. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ConnectionLostError, ConnectionTimeoutError, type StartTlsOptions, type StreamWriter } from "asyncio-streams";
import { openTo } from "../support/addresses.js";
import { bareServer } from "../support/bare-sockets.js";
import { identity, trust } from "../support/certificates.js";
import { MUCH } from "../support/much.js";
import { kinds, openPair } from "../support/pairs.js";
import { socketPath } from "../support/temporary.js";
import { checkTalk, HOST, secure } from "../support/tls-kinds.js";
import { turns } from "../support/turns.js";
import { watchedController } from "../support/watched-signal.js";

/** A connection to a peer that reads nothing, with unsent bytes. */
async function clogged(family: "Unix" | "TCP"): Promise<AsyncDisposable & { writer: StreamWriter }> {
  const far = await bareServer(family === "Unix" ? socketPath() : undefined);
  const [, writer] = await openTo(family === "Unix" ? far.path : ["127.0.0.1", far.port]);
  writer.write(MUCH);
  await turns(3);
  assert.ok(writer.transport.getWriteBufferSize() > 0);
  return {
    writer,
    async [Symbol.asyncDispose]() {
      writer.abort();
      await far[Symbol.asyncDispose]();
    },
  };
}

for (const kind of kinds) {
  describe(`the limits of startTls() over ${kind.name}`, () => {
    const family = kind.name as "Unix" | "TCP";
    const reason = new Error("enough");
    const limits: readonly (readonly [string, () => StartTlsOptions, object])[] = [
      ["sslHandshakeTimeout", () => ({ sslHandshakeTimeout: 20 }), { name: "ConnectionTimeoutError", code: "ETIMEDOUT" }],
      ["timeout", () => ({ timeout: 20 }), { name: "TimeoutError", message: /took longer than its time-out of 20 ms/ }],
      ["signal", () => ({ signal: AbortSignal.timeout(20) }), { name: "TimeoutError" }],
      [
        "signal, aborted later",
        () => {
          const controller = new AbortController();
          setImmediate(() => controller.abort(reason));
          return { signal: controller.signal };
        },
        reason,
      ],
    ];
    for (const [name, options, error] of limits) {
      it(`end the wait for a peer that does not read: ${name}`, async () => {
        await using ends = await clogged(family);
        const { writer } = ends;
        await assert.rejects(writer.startTls(trust, { ...HOST, ...options() }), error);
        assert.equal(writer.isClosing(), true);
        await assert.rejects(writer.waitClosed(), error);
        await assert.rejects(writer.drain(), ConnectionLostError);
        await assert.rejects(writer.flush(), ConnectionLostError);
      });

      it(`end the handshake of a client with a silent peer: ${name}`, async () => {
        await using pair = await openPair(kind);
        const read = assert.rejects(pair.client.reader.readline(), error);
        await assert.rejects(pair.client.writer.startTls(trust, { ...HOST, ...options() }), error);
        await assert.rejects(pair.client.writer.waitClosed(), error);
        await read;
        assert.equal((await pair.peer.reader.read())[0], 22, "nothing but a handshake was sent");
      });

      it(`end the handshake of a server with a silent peer: ${name}`, async () => {
        await using pair = await openPair(kind);
        await assert.rejects(pair.peer.writer.startTls(identity("server"), options()), error);
        await assert.rejects(pair.peer.writer.waitClosed(), error);
        assert.equal((await pair.client.reader.read()).length, 0);
      });
    }

    it("name the bytes that the peer has not taken", async () => {
      await using ends = await clogged(family);
      await assert.rejects(ends.writer.startTls(trust, { ...HOST, sslHandshakeTimeout: 20 }), {
        message:
          /^the TLS handshake took longer than 20 ms: the peer has not taken the \d+ bytes written before, and the connection was cut$/,
      });
    });

    it("leave nothing on the signal, whatever the end", async () => {
      const watched = watchedController();
      const { signal } = watched;
      {
        await using pair = await openPair(kind);
        await Promise.all([
          pair.client.writer.startTls(trust, { ...HOST, signal }),
          pair.peer.writer.startTls(identity("server"), { signal }),
        ]);
        assert.deepEqual([watched.listeners(), watched.peak()], [0, 1]);
        watched.abort();
        await checkTalk(pair); // the signal does not end the connection later
      }
      const other = watchedController();
      await using pair = await openPair(kind);
      const upgrade = pair.client.writer.startTls(trust, { ...HOST, signal: other.signal, timeout: 60_000 });
      pair.client.writer.close();
      await assert.rejects(upgrade, ConnectionLostError);
      assert.equal(other.listeners(), 0);
    });

    it("change nothing if the signal is already aborted", async () => {
      await using pair = await openPair(kind);
      await assert.rejects(pair.client.writer.startTls(trust, { ...HOST, signal: AbortSignal.abort(reason) }), reason);
      await secure(pair);
      await checkTalk(pair);
    });

    it("refuse a signal and a time-out that are none, and change nothing", async () => {
      await using pair = await openPair(kind);
      for (const wrong of [{ signal: 1 }, { timeout: "soon" }, { timeout: -1 }, { timeout: null }] as unknown as StartTlsOptions[])
        await assert.rejects(pair.client.writer.startTls(trust, { ...HOST, ...wrong }), { code: /ERR_INVALID_ARG_TYPE|ERR_OUT_OF_RANGE/ });
      await secure(pair);
      await checkTalk(pair);
    });

    it("end the connection with an error if the reason is none", async () => {
      await using pair = await openPair(kind);
      const controller = new AbortController();
      const upgrade = pair.client.writer.startTls(trust, { ...HOST, signal: controller.signal });
      controller.abort("just because");
      await assert.rejects(upgrade, (thrown) => thrown === "just because");
      await assert.rejects(pair.client.writer.waitClosed(), {
        code: "ERR_NOT_AN_ERROR",
        message: /startTls\(\) was aborted with string 'just because'/,
      });
    });

    it("let a peer that reads late finish in time", async () => {
      await using pair = await openPair(kind);
      pair.client.writer.write(MUCH);
      const upgrade = pair.client.writer.startTls(trust, { ...HOST, timeout: 60_000, sslHandshakeTimeout: 60_000 });
      assert.equal((await pair.peer.reader.readexactly(MUCH.length)).length, MUCH.length);
      await Promise.all([upgrade, pair.peer.writer.startTls(identity("server"))]);
      await checkTalk(pair);
    });

    it("report a peer that leaves instead of reading", async () => {
      await using pair = await openPair(kind);
      pair.client.writer.write(MUCH);
      const upgrade = assert.rejects(pair.client.writer.startTls(trust, HOST), (error) => !(error instanceof ConnectionTimeoutError));
      await turns(3);
      pair.peer.writer.abort();
      await upgrade;
      await assert.rejects(pair.client.writer.drain(), ConnectionLostError);
    });
  });
}
