/** `Server`: closing, its clients, and serving for ever. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type {
  ClientConnectedCallback,
  OpenConnectionOptions,
  Server,
  StartServerOptions,
  StreamReader,
  StreamWriter,
} from "asyncio-streams";
import { abortAll } from "../support/abort-all.js";
import { MUCH, MUCH_BYTES } from "../support/much.js";
import { type Kind, kinds } from "../support/pairs.js";
import { isSettled, turns, until } from "../support/turns.js";

/** A server with its clients, all ended with the block. */
interface Served extends AsyncDisposable {
  readonly server: Server;
  readonly connect: (options?: OpenConnectionOptions) => Promise<[StreamReader, StreamWriter]>;
}

async function serve(kind: Kind, callback: ClientConnectedCallback, options?: StartServerOptions): Promise<Served> {
  const { server, connect } = await kind.serve(callback, options);
  const writers: StreamWriter[] = [];
  return {
    server,
    async connect(connectOptions) {
      const pair = await connect(connectOptions);
      writers.push(pair[1]);
      return pair;
    },
    async [Symbol.asyncDispose]() {
      server.close();
      server.abortClients();
      await abortAll(writers);
      await server.waitClosed();
    },
  };
}

/** Leaves the client alone until it is told. */
function idle(): { callback: ClientConnectedCallback; clients: StreamWriter[] } {
  const clients: StreamWriter[] = [];
  return { clients, callback: (_reader, writer) => void clients.push(writer) };
}

for (const kind of kinds) {
  describe(`Server over ${kind.name}`, () => {
    it("returns itself from ref() and unref(), also when it is closed", async () => {
      await using served = await serve(kind, () => {});
      const { server } = served;
      assert.equal(server.unref().ref(), server);
      server.close();
      assert.equal(server.unref().ref(), server);
    });

    it("has isServing() and sockets until it is closed", async () => {
      await using served = await serve(kind, () => {});
      const { server } = served;
      assert.equal(server.isServing(), true);
      assert.equal(server.sockets.length, 1);
      server.close();
      assert.equal(server.isServing(), false);
      assert.deepEqual(server.sockets, []);
    });

    it("startServing() on one that serves does nothing", async () => {
      await using served = await serve(kind, (_reader, writer) => writer.close());
      await served.server.startServing();
      await served.server.startServing();
      assert.equal(served.server.sockets.length, 1);
      const [reader] = await served.connect();
      assert.equal((await reader.read()).length, 0);
    });

    it("close() refuses new clients and leaves those it has", async () => {
      const { callback, clients } = idle();
      await using served = await serve(kind, callback);
      const [reader] = await served.connect();
      await until(() => clients.length === 1);
      // A server of TCP has no address any more after close(), so the second attempt needs it from before.
      const [socket] = served.server.sockets;
      served.server.close();
      served.server.close();
      assert.ok(socket?.getsockname());
      await assert.rejects(served.connect());
      clients[0]!.write("still open\n");
      assert.equal((await reader.readline()).toString(), "still open\n");
    });

    it("waitClosed() waits for close()", async () => {
      await using served = await serve(kind, () => {});
      const closed = served.server.waitClosed();
      assert.equal(await isSettled(closed), false);
      served.server.close();
      await closed;
    });

    it("waitClosed() waits for the last client after close()", async () => {
      const { callback, clients } = idle();
      await using served = await serve(kind, callback);
      await served.connect();
      await served.connect();
      await until(() => clients.length === 2);
      served.server.close();
      const closed = Promise.all([served.server.waitClosed(), served.server.waitClosed()]);
      clients[0]!.close();
      await clients[0]!.waitClosed();
      assert.equal(await isSettled(closed), false);
      clients[1]!.close();
      await closed;
    });

    it("waitClosed() waits for close() after the last client, too", async () => {
      const { callback, clients } = idle();
      await using served = await serve(kind, callback);
      await served.connect();
      await until(() => clients.length === 1);
      const closed = served.server.waitClosed();
      clients[0]!.close();
      await clients[0]!.waitClosed();
      assert.equal(await isSettled(closed), false);
      served.server.close();
      await closed;
      await served.server.waitClosed();
    });

    it("an aborted waitClosed() ends the wait only", async () => {
      await using served = await serve(kind, () => {});
      const controller = new AbortController();
      const closed = served.server.waitClosed({ signal: controller.signal });
      controller.abort();
      await assert.rejects(closed, { name: "AbortError" });
      assert.equal(served.server.isServing(), true);
    });

    it("closeClients() closes every client after the bytes written to it, and the server keeps serving", async () => {
      const { callback, clients } = idle();
      await using served = await serve(kind, callback);
      const connections = [await served.connect(), await served.connect()];
      await until(() => clients.length === 2);
      for (const client of clients) client.write(Buffer.alloc(1_000_000));
      served.server.closeClients();
      for (const [reader] of connections) assert.equal((await reader.read()).length, 1_000_000);
      assert.equal(served.server.isServing(), true);
      await served.connect();
      await until(() => clients.length === 3);
    });

    it("abortClients() drops the written bytes", async () => {
      const { callback, clients } = idle();
      await using served = await serve(kind, callback);
      const [reader] = await served.connect();
      await until(() => clients.length === 1);
      clients[0]!.write(MUCH);
      served.server.abortClients();
      const received = await reader.read().catch(() => Buffer.alloc(0));
      assert.ok(received.length < MUCH_BYTES);
      await clients[0]!.waitClosed();
    });

    it("closeClients() and abortClients() do nothing without clients, and on a closed server", async () => {
      await using served = await serve(kind, () => {});
      served.server.closeClients();
      served.server.abortClients();
      served.server.close();
      served.server.closeClients();
      served.server.abortClients();
      await served.server.waitClosed();
      served.server.abortClients();
    });

    it("a client whose two sides have ended is not counted", async () => {
      const { callback, clients } = idle();
      await using served = await serve(kind, callback);
      const [reader, writer] = await served.connect();
      await until(() => clients.length === 1);
      clients[0]!.writeEof();
      writer.writeEof();
      assert.equal((await reader.read()).length, 0);
      served.server.close();
      await served.server.waitClosed();
    });
  });

  describe(`serveForever() over ${kind.name}`, () => {
    it("ends with its signal's reason, and the server is closed", async () => {
      await using served = await serve(kind, () => {});
      const controller = new AbortController();
      const forever = served.server.serveForever({ signal: controller.signal });
      assert.equal(await isSettled(forever), false);
      const reason = new Error("enough");
      controller.abort(reason);
      await assert.rejects(forever, (error) => error === reason);
      assert.equal(served.server.isServing(), false);
      await served.server.waitClosed();
    });

    it("ends quietly with close(), and leaves the clients", async () => {
      const { callback, clients } = idle();
      await using served = await serve(kind, callback);
      const forever = served.server.serveForever();
      await served.connect();
      await until(() => clients.length === 1);
      served.server.close();
      await forever;
      assert.equal(clients[0]!.isClosing(), false);
    });

    it("is refused while another serves, which goes on", async () => {
      await using served = await serve(kind, () => {});
      const forever = served.server.serveForever();
      await assert.rejects(served.server.serveForever(), { name: "InvalidStateError", code: "ERR_INVALID_STATE" });
      assert.equal(await isSettled(forever), false);
      assert.equal(served.server.isServing(), true);
      served.server.close();
      await forever;
    });

    it("is refused on a closed server", async () => {
      await using served = await serve(kind, () => {});
      served.server.close();
      await assert.rejects(served.server.serveForever(), { name: "InvalidStateError", code: "ERR_INVALID_STATE" });
    });

    it("with an aborted signal ends at once, and the server is closed", async () => {
      await using served = await serve(kind, () => {});
      await assert.rejects(served.server.serveForever({ signal: AbortSignal.abort() }), { name: "AbortError" });
      assert.equal(served.server.isServing(), false);
    });

    for (const wrong of [{ signal: "now" }, { timeout: -1 }]) {
      it(`refuses ${JSON.stringify(wrong)}, and the server goes on`, async () => {
        await using served = await serve(kind, () => {});
        await assert.rejects(served.server.serveForever(wrong as never), { code: /^ERR_(INVALID_ARG_TYPE|OUT_OF_RANGE)$/ });
        assert.equal(served.server.isServing(), true);
      });
    }

    for (const wrong of [5, "forever", null]) {
      it(`refuses ${JSON.stringify(wrong)} as options`, async () => {
        await using served = await serve(kind, () => {});
        await assert.rejects(served.server.serveForever(wrong as never), { code: "ERR_INVALID_ARG_TYPE" });
        await assert.rejects(served.server.waitClosed(wrong as never), { code: "ERR_INVALID_ARG_TYPE" });
        await assert.rejects(served.server.shutdown(wrong as never), { code: "ERR_INVALID_ARG_TYPE" });
        assert.equal(served.server.isServing(), true);
        await turns();
      });
    }
  });
}
