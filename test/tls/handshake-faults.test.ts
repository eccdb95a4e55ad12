/** Handshakes that fail, and those that never end: told once, and no harm to anybody else. Certificates that are refused are tested elsewhere. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { describe, it } from "node:test";
import { ConnectionTimeoutError, type SocketAddress } from "asyncio-streams";
import { dial } from "../support/addresses.js";
import { bareServer } from "../support/bare-sockets.js";
import { type Kind, kinds, unix } from "../support/pairs.js";
import { payload } from "../support/payload.js";
import { Relay } from "../support/relay.js";
import { socketPath } from "../support/temporary.js";
import { checkEcho, connectTo, type Listening, listen } from "../support/tls-kinds.js";
import { isSettled, turns, until } from "../support/turns.js";

/** What may come instead of a ClientHello. */
const GARBAGE: readonly (readonly [what: string, bytes: Buffer])[] = [
  ["a plain client's text", Buffer.from("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")],
  ["noise", payload(2_000, 77)],
  ["zeros", Buffer.alloc(2_000)],
  ["a handshake record full of noise", Buffer.concat([Buffer.from([22, 3, 1, 1, 0]), payload(256, 5)])],
  ["a record that is too long", Buffer.concat([Buffer.from([22, 3, 1, 255, 255]), payload(65_535, 3)])],
  ["a record of an unknown kind", Buffer.concat([Buffer.from([99, 3, 3, 0, 4]), payload(200)])],
  ["application data", Buffer.concat([Buffer.from([23, 3, 3, 0, 16]), payload(16)])],
  ["a fatal alert", Buffer.from([21, 3, 1, 0, 2, 2, 40])],
];

function rawClient(address: SocketAddress): net.Socket {
  return net.connect(dial(address)).on("error", () => {});
}

/** Waits for the one error, which came without a writer and without a callback. */
async function onlyError(ours: Listening): Promise<Error & { code?: string }> {
  await until(() => ours.errors.length > 0);
  await turns(5);
  assert.deepEqual([ours.errors.length, ours.errors[0]?.writer, ours.served.length], [1, null, 0]);
  return ours.errors[0]!.error;
}

async function bareFar(kind: Kind): Promise<{ far: Awaited<ReturnType<typeof bareServer>>; address: SocketAddress }> {
  const far = await bareServer(kind === unix ? socketPath() : undefined);
  return { far, address: kind === unix ? far.path : ["127.0.0.1", far.port] };
}

for (const kind of kinds) {
  describe(`a TLS server over ${kind.name}`, () => {
    for (const [what, bytes] of GARBAGE) {
      it(`refuses ${what}, and serves the next client`, async () => {
        await using ours = await listen(kind);
        const client = rawClient(ours.address);
        client.resume();
        client.write(bytes);
        const error = await onlyError(ours);
        assert.ok(error instanceof Error && typeof error.code === "string", String(error));
        await until(() => client.closed);
        await checkEcho(await ours.connect());
        assert.equal(ours.errors.length, 1);
      });
    }

    for (const [what, leave] of [
      ["ends", (client: net.Socket) => client.end()],
      ["is gone", (client: net.Socket) => client.destroy()],
      ["ends in the middle of its first record", (client: net.Socket) => client.end(Buffer.from([22, 3, 1]))],
    ] as const) {
      it(`reports a client that ${what} before the end of its handshake`, async () => {
        await using ours = await listen(kind);
        const client = rawClient(ours.address);
        await once(client, "connect");
        leave(client);
        client.resume();
        assert.equal((await onlyError(ours)).code, "ECONNRESET");
      });
    }

    it("cuts a client that is silent from the start", async () => {
      await using ours = await listen(kind, { sslHandshakeTimeout: 20 });
      const client = rawClient(ours.address);
      client.resume();
      const error = await onlyError(ours);
      assert.ok(error instanceof ConnectionTimeoutError, String(error));
      assert.match(error.message, /the TLS handshake took longer than 20 ms/);
      await until(() => client.closed);
    });

    it("cuts a client that falls silent in the middle", async () => {
      await using ours = await listen(kind, { sslHandshakeTimeout: 50 });
      await using relay = await Relay.to(ours.address, { toServer: { after: 100, stop: "silence" } });
      const refused = assert.rejects(connectTo(relay.address, { sslHandshakeTimeout: 5_000 }), { code: "ECONNRESET" });
      assert.ok((await onlyError(ours)) instanceof ConnectionTimeoutError);
      await refused;
    });

    it("lets a client that is silent after the handshake be", async () => {
      await using ours = await listen(kind, { sslHandshakeTimeout: 1_000, sslShutdownTimeout: 20 });
      await using relay = await Relay.to(ours.address);
      const [reader, writer] = await connectTo(relay.address);
      await until(() => ours.served.length > 0);
      relay.link.toServer.stop("silence");
      const peer = ours.served[0]!;
      peer.writer.close();
      await assert.rejects(peer.writer.waitClosed(), {
        name: "ConnectionTimeoutError",
        message: /the TLS shutdown took longer than 20 ms/,
      });
      assert.equal((await reader.read()).length, 0);
      await writer.waitClosed();
      assert.ok(!ours.errors.some((told) => told.writer === null));
    });

    it("does not report a client that it cuts off itself", async () => {
      await using ours = await listen(kind);
      const client = rawClient(ours.address);
      await once(client.resume(), "connect");
      await turns(5);
      ours.server.close();
      const closed = ours.server.waitClosed();
      assert.equal(await isSettled(closed), false);
      ours.server.abortClients();
      await closed;
      await until(() => client.closed);
      assert.deepEqual(ours.errors, []);
    });

    it("ends a handshake with its grace period", async () => {
      await using ours = await listen(kind);
      const client = rawClient(ours.address);
      await once(client.resume(), "connect");
      await turns(5);
      assert.deepEqual(await ours.server.shutdown({ graceMs: 10 }), { finished: 0, aborted: 1 });
    });

    it("does not let the end of one handshake fail another", async () => {
      await using ours = await listen(kind, { sslHandshakeTimeout: 20 });
      for (let round = 0; round < 20; round += 1) {
        const silent = rawClient(ours.address);
        await until(() => ours.errors.length > round);
        // At once, before the socket of the failed one is gone.
        await ours
          .connect()
          .then(checkEcho)
          .catch(() => {}); // the time-out may cut this one, too
        await until(() => silent.resume().closed);
      }
      assert.deepEqual(
        ours.errors.filter(({ error, writer }) => writer === null && !(error instanceof ConnectionTimeoutError)),
        [],
      );
    });

    it("counts handshakes for maxConnections, and serves a queued client when one has failed", async () => {
      await using ours = await listen(kind, { maxConnections: 1 });
      const silent = rawClient(ours.address);
      await once(silent.resume(), "connect");
      await turns(5);
      const waiting = ours.connect();
      assert.equal(await isSettled(waiting), false);
      silent.destroy();
      await checkEcho(await waiting);
      assert.equal(ours.errors.length, 1);
    });
  });

  describe(`a TLS client over ${kind.name}`, () => {
    it("is cut when the server is silent", async () => {
      const { far, address } = await bareFar(kind);
      await using _ = far;
      await assert.rejects(connectTo(address, { sslHandshakeTimeout: 20 }), {
        name: "ConnectionTimeoutError",
        code: "ETIMEDOUT",
        message: "the TLS handshake took longer than 20 ms: the connection was cut",
      });
    });

    it("is cut when the server falls silent in the middle", async () => {
      await using ours = await listen(kind, { sslHandshakeTimeout: 5_000 });
      await using relay = await Relay.to(ours.address, { toClient: { after: 100, stop: "silence" } });
      await assert.rejects(connectTo(relay.address, { sslHandshakeTimeout: 50 }), ConnectionTimeoutError);
      await onlyError(ours);
    });

    it("can be aborted during the handshake, with the reason, and leaves nothing behind", async () => {
      const { far, address } = await bareFar(kind);
      await using _ = far;
      const controller = new AbortController();
      const connecting = connectTo(address, { signal: controller.signal });
      const socket = await far.accepted();
      await once(socket.resume(), "data");
      const reason = new Error("no longer wanted");
      controller.abort(reason);
      await assert.rejects(connecting, (error) => error === reason);
      if (!socket.readableEnded) await once(socket, "end");
    });

    it("is not touched by its signal after the handshake", async () => {
      await using ours = await listen(kind);
      const controller = new AbortController();
      const streams = await ours.connect({ signal: controller.signal });
      controller.abort();
      await checkEcho(streams);
    });

    for (const [what, bytes] of GARBAGE) {
      it(`refuses ${what} from the server`, async () => {
        const { far, address } = await bareFar(kind);
        await using _ = far;
        const connecting = connectTo(address, { sslHandshakeTimeout: 5_000 });
        const socket = await far.accepted();
        await Promise.all([
          assert.rejects(connecting, (error: Error & { code?: string }) => typeof error.code === "string" && error.code !== "ETIMEDOUT"),
          once(socket.resume(), "data").then(() => socket.write(bytes)),
        ]);
      });
    }

    it("is refused by a server that does not speak TLS", async () => {
      const { server } = await kind.serve((_reader, writer) => {
        writer.write("220 mail.example ready, and what is that?\r\n");
        writer.close();
      });
      await assert.rejects(
        connectTo(server.sockets[0]!.getsockname()),
        (error: Error & { code?: string }) => typeof error.code === "string",
      );
      server.close();
      await server.waitClosed();
    });

    it("gets an error when the server ends during the handshake", async () => {
      const { far, address } = await bareFar(kind);
      await using _ = far;
      const connecting = assert.rejects(connectTo(address), { code: "ECONNRESET" });
      const socket = await far.accepted();
      await once(socket.resume(), "data");
      socket.end();
      await connecting;
    });
  });
}
