/** The bounds of `proxyProtocol`: of the time and the length of a header, of the number of clients, and at the end of a server. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { echo } from "../support/echo.js";
import { kinds, tcp } from "../support/pairs.js";
import { isSettled, until } from "../support/turns.js";
import { tlv, withTlvs } from "./headers.js";
import { answerTo, dialTo, serveProxied, V1 } from "./serving.js";

const LONG_MS = 600_000;

for (const kind of kinds) {
  const serve = serveProxied.bind(null, kind);

  describe(`the bounds of proxyProtocol over ${kind.name}`, () => {
    it("cuts a client whose header takes too long", async () => {
      const { server, errors } = await serve({ timeout: 20 });
      const socket = dialTo(server);
      socket.write("PROXY ");
      assert.equal(await answerTo(socket), "");
      await until(() => errors.length > 0);
      const { error } = errors[0]!;
      assert.deepEqual([error.name, error.code], ["ConnectionTimeoutError", "ETIMEDOUT"]);
      assert.match(error.message, /^the PROXY protocol header from .* took longer than 20 ms \(\d+ bytes received\)$/);
      await server.shutdown();
    });

    it("refuses a header above maxHeaderBytes", async () => {
      const { server, errors } = await serve({ maxHeaderBytes: 52 });
      const socket = dialTo(server);
      socket.write(withTlvs(tlv(0x04, Buffer.alloc(22))));
      await answerTo(socket);
      await until(() => errors.length > 0);
      assert.match(errors[0]!.error.message, /the header of 53 bytes exceeds maxHeaderBytes \(52\)$/);
      await server.shutdown();
    });

    it("counts a client whose header is not complete against maxConnections, and serves the next behind it", async () => {
      const { server, peers } = await serve(true, { maxConnections: 1 });
      const first = dialTo(server);
      const firstAnswer = answerTo(first);
      first.write("PROXY ");
      await until(() => server.getStats().handshakes === 1);
      const second = dialTo(server);
      const secondAnswer = answerTo(second);
      second.end(`${V1}second\n`);
      await until(() => server.getStats().waiting === 1);
      assert.equal(peers.length, 0);
      first.end(`${V1.slice(6)}first\n`);
      assert.equal(await firstAnswer, "first\n");
      assert.equal(await secondAnswer, "second\n");
      await server.shutdown();
    });

    it("serves a client whose header comes during shutdown(), and drops one whose header does not", async () => {
      const { server } = await serve();
      const [late, never] = [dialTo(server), dialTo(server)];
      const [lateAnswer, noAnswer] = [answerTo(late), answerTo(never)];
      late.write("PROXY ");
      never.write("PROXY ");
      await until(() => server.getStats().handshakes === 2);
      const deadline = new AbortController();
      const shutdown = server.shutdown({ graceMs: LONG_MS, signal: deadline.signal });
      assert.equal(await isSettled(shutdown), false);
      late.write(`${V1.slice(6)}late\n`);
      assert.equal(await lateAnswer, "late\n");
      await until(() => server.getStats().active === 0);
      deadline.abort();
      assert.deepEqual(await shutdown, { finished: 1, aborted: 1 });
      assert.equal(await noAnswer, "");
    });

    for (const end of ["closeClients", "abortClients"] as const) {
      it(`drops a client whose header is not complete in ${end}(), without an error`, async () => {
        const { server, errors } = await serve();
        const socket = dialTo(server);
        const answer = answerTo(socket);
        socket.write("PROXY ");
        await until(() => server.getStats().handshakes === 1);
        server[end]();
        await answer;
        server.close();
        await server.waitClosed();
        assert.deepEqual(errors, []);
      });
    }
  });
}

describe("the end of a client of proxyProtocol", () => {
  it("reports a client that is reset before its header is complete, with the system's error", async () => {
    const errors: (Error & { code?: string })[] = [];
    const { server } = await tcp.serve(echo, { proxyProtocol: true, onClientError: (error) => void errors.push(error as Error) });
    const socket = dialTo(server);
    socket.write("PROXY ");
    await until(() => server.getStats().handshakes === 1);
    socket.resetAndDestroy();
    await until(() => errors.length > 0);
    assert.equal(errors[0]?.code, "ECONNRESET");
    assert.match(errors[0]?.message ?? "", /ended before its PROXY protocol header was complete/);
    await server.shutdown();
  });
});
