/** `timeout` of the calls that connect and start, beside `signal`: it covers every step, and ends with the call. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import net from "node:net";
import { dirname } from "node:path";
import { describe, it } from "node:test";
import {
  BaseProtocol,
  createConnection,
  createServer,
  createUnixConnection,
  createUnixServer,
  type OpenConnectionOptions,
  openConnection,
  openUnixConnection,
  startServer,
  startUnixServer,
} from "asyncio-streams";
import { withLookup } from "../net/fake-lookup.js";
import { type BareServer, bareConnection, bareServer } from "../support/bare-sockets.js";
import { identity, trust } from "../support/certificates.js";
import { kinds } from "../support/pairs.js";
import { socketPath } from "../support/temporary.js";

const TIMED_OUT = { name: "TimeoutError", message: /^the call took longer than its time-out of \d+ ms$/ };
const makeProtocol = (): BaseProtocol => new BaseProtocol();
const ssl = { ssl: trust, serverHostname: "localhost" };

/** The calls that connect, each to a bare server of its kind. */
const connecting: Readonly<
  Record<string, { family: "unix" | "tcp"; open: (far: BareServer, options: OpenConnectionOptions) => Promise<unknown> }>
> = {
  openUnixConnection: { family: "unix", open: (far, options) => openUnixConnection(far.path, options) },
  createUnixConnection: { family: "unix", open: (far, options) => createUnixConnection(makeProtocol, far.path, options) },
  openConnection: { family: "tcp", open: (far, options) => openConnection("127.0.0.1", far.port, options) },
  createConnection: { family: "tcp", open: (far, options) => createConnection(makeProtocol, "127.0.0.1", far.port, options) },
};

/** Resolves when the other end has closed. */
function closedBy(socket: net.Socket): Promise<void> {
  return new Promise<void>((resolve) => void socket.on("end", resolve).on("close", resolve).resume());
}

for (const [name, { family, open }] of Object.entries(connecting)) {
  describe(`timeout of ${name}()`, () => {
    it("ends a TLS handshake that the peer does not answer, and closes the socket", async () => {
      await using far = await bareServer(family === "unix" ? socketPath() : undefined);
      const opening = open(far, { ...ssl, timeout: 60 });
      const closed = far.accepted().then(closedBy);
      await assert.rejects(opening, TIMED_OUT);
      await closed;
    });

    it("comes before a longer sslHandshakeTimeout, and after a shorter one", async () => {
      await using far = await bareServer(family === "unix" ? socketPath() : undefined);
      await assert.rejects(open(far, { ...ssl, timeout: 30, sslHandshakeTimeout: 60_000 }), TIMED_OUT);
      await assert.rejects(open(far, { ...ssl, timeout: 60_000, sslHandshakeTimeout: 30 }), { code: "ETIMEDOUT" });
    });

    it("may be given with a signal: what comes first ends the call", async () => {
      await using far = await bareServer(family === "unix" ? socketPath() : undefined);
      const controller = new AbortController();
      const reason = new Error("enough");
      const opening = open(far, { ...ssl, timeout: 60_000, signal: controller.signal });
      await far.accepted();
      controller.abort(reason);
      await assert.rejects(opening, reason);
      await assert.rejects(open(far, { ...ssl, timeout: 30, signal: new AbortController().signal }), TIMED_OUT);
      await assert.rejects(open(far, { timeout: 60_000, signal: controller.signal }), reason);
    });

    it("closes a sock whose handshake takes too long", async () => {
      const { far, socket } = await bareConnection(family);
      await using _ = far;
      const adopt = { ...ssl, sock: socket, timeout: 30 };
      const opening = name.includes("Unix") ? openUnixConnection(null, adopt) : openConnection(null, null, adopt);
      await assert.rejects(opening, TIMED_OUT);
      assert.ok(socket.destroyed);
    });

    for (const [value, expected] of [
      [-1, "ERR_OUT_OF_RANGE"],
      [1.5, "ERR_OUT_OF_RANGE"],
      [2 ** 31, "ERR_OUT_OF_RANGE"],
      ["5", "ERR_INVALID_ARG_TYPE"],
      [null, "ERR_INVALID_ARG_TYPE"],
    ] as const) {
      it(`is not ${String(value)} (${typeof value})`, async () => {
        await using far = await bareServer(family === "unix" ? socketPath() : undefined);
        await assert.rejects(open(far, { timeout: value as number }), { code: expected });
        assert.equal(far.sockets.length, 0);
      });
    }
  });
}

for (const kind of kinds) {
  describe(`timeout of a connection that is made, over ${kind.name}`, () => {
    it("has no effect any more, and leaves no timer", async () => {
      const { server, connect } = await kind.serve(async (reader, writer) => {
        for await (const line of reader) writer.write(line);
        writer.close();
      });
      await using _ = server;
      const [reader, writer] = await connect({ timeout: 60_000 }); // the leak guard finds a timer that is left
      writer.write("still here\n");
      assert.equal((await reader.readline()).toString(), "still here\n");
      writer.close();
      await writer.waitClosed();
    });
  });
}

describe("timeout of openConnection()", () => {
  it("covers the lookup of the name", async () => {
    const never = new Promise<never>(() => {});
    await withLookup(
      () => never,
      () => assert.rejects(openConnection("name.invalid", 1, { timeout: 20 }), TIMED_OUT),
    );
  });

  it("covers the lookup of localAddr", async () => {
    const never = new Promise<never>(() => {});
    const options = { timeout: 20, localAddr: ["name.invalid", 0] as const };
    await withLookup(
      () => never,
      () => assert.rejects(openConnection("127.0.0.1", 1, options), TIMED_OUT),
    );
  });
});

describe("timeout of a server's start", () => {
  it("covers the lookup of a name", async () => {
    const never = new Promise<never>(() => {});
    await withLookup(
      () => never,
      async () => {
        await assert.rejects(
          startServer(() => {}, "name.invalid", 0, { timeout: 20 }),
          TIMED_OUT,
        );
        await assert.rejects(createServer(makeProtocol, ["127.0.0.1", "name.invalid"], 0, { timeout: 20 }), TIMED_OUT);
      },
    );
  });

  it("has no effect on the server that has started", async () => {
    for (const start of [
      () => startServer(() => {}, "127.0.0.1", 0, { timeout: 60_000 }),
      () => createServer(makeProtocol, "127.0.0.1", 0, { timeout: 60_000 }),
      () => startUnixServer(() => {}, socketPath(), { timeout: 60_000 }),
      () => createUnixServer(makeProtocol, socketPath(), { timeout: 60_000 }),
    ]) {
      await using server = await start(); // the leak guard finds a timer that is left
      assert.ok(server.isServing());
    }
  });

  it("leaves no file behind if it passes", async () => {
    const path = socketPath();
    const starting = startUnixServer(() => {}, path, { timeout: 0 });
    await starting.then(
      (server) => server.shutdown(), // it was quicker
      (error: unknown) => assert.equal((error as Error).name, "TimeoutError"),
    );
    assert.deepEqual(readdirSync(dirname(path)), []);
  });

  it("may be given with a signal, which closes the server also later", async () => {
    const controller = new AbortController();
    const server = await startServer(() => {}, "127.0.0.1", 0, { timeout: 60_000, signal: controller.signal });
    controller.abort();
    assert.equal(server.isServing(), false);
    await server.waitClosed({ timeout: 60_000 });
  });

  it("refuses values that are no time", async () => {
    await assert.rejects(
      startServer(() => {}, "127.0.0.1", 0, { timeout: -1 }),
      { code: "ERR_OUT_OF_RANGE" },
    );
    await assert.rejects(
      startUnixServer(() => {}, socketPath(), { timeout: "5" as never }),
      { code: "ERR_INVALID_ARG_TYPE" },
    );
  });
});

describe("server.startServing()", () => {
  it("takes a signal and a timeout, which end the wait alone", async () => {
    await using server = await startUnixServer(() => {}, socketPath(), { startServing: false, ssl: identity("server") });
    await assert.rejects(server.startServing({ signal: AbortSignal.abort(new Error("not now")) }), /not now/);
    assert.equal(server.isServing(), false);
    const controller = new AbortController();
    const starting = server.startServing({ signal: controller.signal });
    controller.abort(new Error("do not wait"));
    await assert.rejects(starting, /do not wait/);
    await server.startServing({ timeout: 60_000 });
    assert.ok(server.isServing());
  });
});
