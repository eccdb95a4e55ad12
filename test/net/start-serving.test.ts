/** `startServing: false`, and the server's `signal`. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { dirname } from "node:path";
import { describe, it } from "node:test";
import { openConnection, openUnixConnection, startServer, startUnixServer } from "asyncio-streams";
import { bareServer, freePort } from "../support/bare-sockets.js";
import { kinds } from "../support/pairs.js";
import { staleSocket } from "../support/stale-socket.js";
import { socketPath } from "../support/temporary.js";
import { turns } from "../support/turns.js";

for (const kind of kinds) {
  describe(`startServing: false over ${kind.name}`, () => {
    it("does not serve before startServing(), which may be called again and again", async () => {
      const { server, connect } = await kind.serve((_reader, writer) => writer.close(), { startServing: false });
      assert.equal(server.isServing(), false);
      assert.equal(server.sockets.length, 1);
      await Promise.all([server.startServing(), server.startServing()]);
      assert.equal(server.isServing(), true);
      await server.startServing();
      assert.equal(server.sockets.length, 1);
      const [reader, writer] = await connect();
      assert.equal((await reader.read()).length, 0);
      writer.close();
      await writer.waitClosed();
      server.close();
      await server.waitClosed();
    });

    it("a server that never served can be closed", async () => {
      const { server } = await kind.serve(() => {}, { startServing: false });
      server.close();
      assert.deepEqual(server.sockets, []);
      await server.waitClosed();
      await assert.rejects(server.startServing(), { name: "InvalidStateError", code: "ERR_INVALID_STATE" });
    });

    it("serveForever() starts serving", async () => {
      const { server, connect } = await kind.serve((_reader, writer) => writer.close(), { startServing: false });
      const forever = server.serveForever();
      await server.startServing();
      const [reader, writer] = await connect();
      await reader.read();
      writer.close();
      await writer.waitClosed();
      server.close();
      await forever;
      await server.waitClosed();
    });

    it("close() while startServing() is under way rejects it, and leaves nothing", async () => {
      const { server } = await kind.serve(() => {}, { startServing: false });
      const starting = server.startServing();
      server.close();
      await assert.rejects(starting, { name: "InvalidStateError" });
      assert.equal(server.isServing(), false);
      await server.waitClosed();
    });
  });

  describe(`the signal of a server over ${kind.name}`, () => {
    it("aborted before rejects the call with its reason", async () => {
      const reason = new Error("never mind");
      await assert.rejects(
        kind.serve(() => {}, { signal: AbortSignal.abort(reason) }),
        (error) => error === reason,
      );
    });

    it("aborted during the call rejects it with its reason", async () => {
      const controller = new AbortController();
      const reason = new Error("never mind");
      const starting = kind.serve(() => {}, { signal: controller.signal });
      controller.abort(reason);
      await assert.rejects(starting, (error) => error === reason);
    });

    it("aborted afterwards closes the server and leaves its clients", async () => {
      const controller = new AbortController();
      const { server, connect } = await kind.serve(
        async (reader, writer) => {
          writer.write(await reader.readline());
          writer.close();
        },
        { signal: controller.signal },
      );
      const [reader, writer] = await connect();
      await turns(5);
      controller.abort();
      assert.equal(server.isServing(), false);
      assert.deepEqual(server.sockets, []);
      writer.write("still served\n");
      assert.equal((await reader.readline()).toString(), "still served\n");
      writer.close();
      await writer.waitClosed();
      await server.waitClosed();
    });

    it("leaves no listener after the server is closed", async () => {
      const controller = new AbortController();
      const { server } = await kind.serve(() => {}, { signal: controller.signal });
      server.close();
      await server.waitClosed();
      controller.abort();
      assert.equal(server.isServing(), false);
    });
  });

  describe(`the signal of a connection over ${kind.name}`, () => {
    it("aborted before or during the call rejects it with its reason", async () => {
      const { server, connect } = await kind.serve((_reader, writer) => writer.close());
      const reason = new Error("never mind");
      await assert.rejects(connect({ signal: AbortSignal.abort(reason) }), (error) => error === reason);
      const controller = new AbortController();
      const connecting = connect({ signal: controller.signal });
      controller.abort(reason);
      await assert.rejects(connecting, (error) => error === reason);
      await turns(5);
      server.close();
      await server.waitClosed();
    });

    it("aborted afterwards does not touch the connection", async () => {
      const controller = new AbortController();
      const { server, connect } = await kind.serve(async (reader, writer) => {
        writer.write(await reader.readline());
        writer.close();
      });
      const [reader, writer] = await connect({ signal: controller.signal });
      controller.abort();
      await turns(5);
      writer.write("still here\n");
      assert.equal((await reader.readline()).toString(), "still here\n");
      writer.close();
      await writer.waitClosed();
      server.close();
      await server.waitClosed();
    });

    it("rejects with a TimeoutError for a time-out", async () => {
      const { server, connect } = await kind.serve(() => {});
      const signal = AbortSignal.timeout(0);
      while (!signal.aborted) await turns();
      await assert.rejects(connect({ signal }), { name: "TimeoutError" });
      server.close();
      await server.waitClosed();
    });
  });
}

describe("startUnixServer() with startServing: false", () => {
  it("has no public file yet, so that no client can connect", async () => {
    const path = socketPath();
    const server = await startUnixServer(() => {}, path, { startServing: false });
    assert.equal(server.sockets[0]!.getsockname(), path);
    await assert.rejects(openUnixConnection(path), { code: "ENOENT" });
    server.close();
    assert.deepEqual(readdirSync(dirname(path)), []);
    await server.waitClosed();
  });

  it("rejects startServing() if the path has been taken, and is closed", async () => {
    const path = socketPath();
    const late = await startUnixServer(() => {}, path, { startServing: false });
    await using _ = await startUnixServer(() => {}, path);
    await assert.rejects(late.startServing(), { code: "EADDRINUSE", path });
    assert.deepEqual([late.isServing(), late.sockets], [false, []]);
    await late.waitClosed();
    assert.deepEqual(readdirSync(dirname(path)), ["test.sock"]);
  });

  it("replaces a file that has become stale meanwhile", async () => {
    const path = socketPath();
    const late = await startUnixServer(() => {}, path, { startServing: false });
    await staleSocket(path);
    await late.startServing();
    assert.equal(late.isServing(), true);
    late.close();
    await late.waitClosed();
    assert.deepEqual(readdirSync(dirname(path)), []);
  });

  it("aborted during the call leaves no file", async () => {
    const path = socketPath();
    const controller = new AbortController();
    const starting = startUnixServer(() => {}, path, { signal: controller.signal });
    controller.abort();
    await assert.rejects(starting, { name: "AbortError" });
    assert.deepEqual(readdirSync(dirname(path)), []);
  });
});

describe("startServer() with startServing: false", () => {
  it("does not have the port yet, so that no client can connect", async () => {
    const port = await freePort();
    const server = await startServer(() => {}, "127.0.0.1", port, { startServing: false });
    assert.deepEqual(server.sockets[0]!.getsockname(), ["127.0.0.1", port]);
    await assert.rejects(openConnection("127.0.0.1", port), { code: "ECONNREFUSED" });
    server.close();
    await server.waitClosed();
  });

  it("rejects startServing() if the port has been taken, and is closed", async () => {
    await using far = await bareServer();
    const server = await startServer(() => {}, "127.0.0.1", far.port, { startServing: false });
    await assert.rejects(server.startServing(), { code: "EADDRINUSE" });
    assert.deepEqual([server.isServing(), server.sockets], [false, []]);
    await assert.rejects(server.startServing(), { code: "ERR_INVALID_STATE" });
    await server.waitClosed();
  });
});
