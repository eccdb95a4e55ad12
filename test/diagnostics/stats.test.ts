/** `server.getStats()`: who is there, who has been, and what was carried. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import net from "node:net";
import { describe, it } from "node:test";
import { createServer, openConnection, startServer } from "asyncio-streams";
import { identity } from "../support/certificates.js";
import { kinds, openPair } from "../support/pairs.js";
import { until } from "../support/turns.js";

const NOTHING = {
  ...{ active: 0, waiting: 0, handshakes: 0 },
  ...{ accepted: 0, refused: 0, unauthorized: 0, failed: 0 },
  ...{ bytesRead: 0, bytesWritten: 0 },
};

for (const kind of kinds) {
  describe(`getStats() over ${kind.name}`, () => {
    it("is all zeros before the first client", async () => {
      const { server } = await kind.serve(() => {});
      assert.deepEqual(server.getStats(), NOTHING);
      server.close();
      assert.deepEqual(server.getStats(), NOTHING);
      await server.waitClosed();
    });

    it("counts clients and bytes of open and closed connections", async () => {
      await using pair = await openPair(kind);
      const { server } = pair;
      pair.client.writer.write("12345");
      await pair.peer.reader.readexactly(5);
      pair.peer.writer.write("123");
      await pair.client.reader.readexactly(3);
      const whileThere = { ...NOTHING, active: 1, accepted: 1, bytesRead: 5, bytesWritten: 3 };
      assert.deepEqual(server.getStats(), whileThere);
      pair.client.writer.close();
      pair.peer.writer.close();
      await pair.peer.writer.waitClosed();
      assert.deepEqual(server.getStats(), { ...whileThere, active: 0 });
    });

    it("keeps the bytes of a connection whose two sides have ended, and counts them once", async () => {
      await using pair = await openPair(kind);
      pair.client.writer.write("12345");
      pair.client.writer.writeEof();
      pair.peer.writer.writeEof();
      await pair.peer.reader.read();
      await pair.client.reader.read();
      await until(() => pair.server.getStats().active === 0);
      assert.equal(pair.server.getStats().bytesRead, 5);
      pair.peer.writer.close();
      await pair.peer.writer.waitClosed();
      assert.equal(pair.server.getStats().bytesRead, 5);
    });

    it("counts queued and refused clients", async () => {
      const { server, connect } = await kind.serve(
        async (reader, writer) => {
          await reader.read();
          writer.close();
        },
        { maxConnections: 1, backlog: 1 },
      );
      const clients = [await connect()];
      await until(() => server.getStats().active === 1);
      clients.push(await connect());
      await until(() => server.getStats().waiting === 1);
      clients.push(await connect());
      await until(() => server.getStats().refused === 1);
      assert.deepEqual(server.getStats(), { ...NOTHING, active: 1, waiting: 1, accepted: 3, refused: 1 });
      for (const [reader, writer] of clients) {
        writer.close();
        await reader.read().catch(() => {});
        await writer.waitClosed().catch(() => {});
      }
      await until(() => server.getStats().active === 0 && server.getStats().waiting === 0);
      server.close();
      await server.waitClosed();
    });
  });
}

describe("getStats()", () => {
  it("counts a client whose protocol cannot be made as failed", async () => {
    const failure = new Error("on purpose");
    const reports: unknown[] = [];
    const server = await createServer(
      () => {
        throw failure;
      },
      "127.0.0.1",
      0,
      { onError: (error) => reports.push(error) },
    );
    const [host, port] = server.sockets[0]!.getsockname() as readonly [string, number];
    const [reader, writer] = await openConnection(host, port);
    await reader.read().catch(() => {});
    await until(() => reports.length === 1);
    assert.deepEqual(server.getStats(), { ...NOTHING, accepted: 1, failed: 1 });
    writer.close();
    server.close();
    await server.waitClosed();
  });

  it("counts handshakes while they are under way, and those that fail", async () => {
    const reports: unknown[] = [];
    const server = await startServer(() => {}, "127.0.0.1", 0, { ssl: identity("server"), onClientError: (error) => reports.push(error) });
    const [host, port] = server.sockets[0]!.getsockname() as readonly [string, number];
    const socket = net.connect(port, host).on("error", () => {});
    await until(() => server.getStats().handshakes === 1);
    assert.deepEqual(server.getStats(), { ...NOTHING, handshakes: 1, accepted: 1 });
    socket.end("this is no handshake\r\n\r\n");
    socket.resume();
    await until(() => reports.length === 1);
    assert.deepEqual(server.getStats(), { ...NOTHING, accepted: 1, failed: 1 });
    socket.destroy();
    server.close();
    await server.waitClosed();
  });
});
