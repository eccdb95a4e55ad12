/** TLS servers that end while clients are in the middle of their handshake. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { describe, it } from "node:test";
import {
  type OpenConnectionOptions,
  openConnection,
  openUnixConnection,
  type SocketAddress,
  type StreamReader,
  type StreamWriter,
} from "asyncio-streams";
import { dial } from "../support/addresses.js";
import { trust } from "../support/certificates.js";
import { kinds } from "../support/pairs.js";
import { type Listening, listen } from "../support/tls-kinds.js";
import { isSettled, until } from "../support/turns.js";

const MANY = 20;

/** Clients that are connected and have not begun to speak TLS. */
async function connectMany(ours: Listening): Promise<net.Socket[]> {
  const sockets = Array.from({ length: MANY }, () => net.connect(dial(ours.address)).on("error", () => {}));
  await Promise.all(sockets.map((socket) => once(socket, "connect")));
  await until(() => ours.server.getStats().accepted === MANY);
  return sockets;
}

/** Whatever becomes of them, they end. */
async function untilClosed(sockets: readonly net.Socket[]): Promise<void> {
  for (const socket of sockets) socket.resume();
  await until(() => sockets.every((socket) => socket.closed));
}

function open(address: SocketAddress, sock: net.Socket): Promise<[StreamReader, StreamWriter]> {
  const options: OpenConnectionOptions = { sock, ssl: trust, serverHostname: "localhost" };
  return typeof address === "string" ? openUnixConnection(null, options) : openConnection(null, null, options);
}

for (const kind of kinds) {
  describe(`a server that is closed while handshakes run over ${kind.name}`, () => {
    it("continues them: clients that finish are served, and waitClosed() waits for them", async () => {
      await using ours = await listen(kind);
      const { address } = ours;
      const sockets = await connectMany(ours);
      ours.server.close();
      const closed = ours.server.waitClosed();
      assert.equal(await isSettled(closed), false);
      for (const socket of sockets) {
        const [reader, writer] = await open(address, socket);
        writer.write("still there\n");
        assert.equal((await reader.readline()).toString(), "still there\n");
        writer.close();
        await writer.waitClosed();
      }
      await closed;
      assert.deepEqual([ours.served.length, ours.errors.length], [MANY, 0]);
    });

    it("cuts them off at the end of the grace of shutdown(), and counts them", async () => {
      await using ours = await listen(kind);
      const sockets = await connectMany(ours);
      assert.deepEqual(await ours.server.shutdown({ graceMs: 20 }), { finished: 0, aborted: MANY });
      await untilClosed(sockets);
      assert.deepEqual([ours.served.length, ours.errors.length, ours.server.getStats().handshakes], [0, 0, 0]);
    });

    for (const end of ["closeClients", "abortClients"] as const) {
      it(`cuts them off at ${end}(), and has ended then`, async () => {
        await using ours = await listen(kind);
        const sockets = await connectMany(ours);
        ours.server.close();
        ours.server[end]();
        await ours.server.waitClosed();
        await untilClosed(sockets);
        assert.deepEqual([ours.served.length, ours.errors.length], [0, 0]);
      });
    }

    it("has ended once they have timed out", async () => {
      await using ours = await listen(kind, { sslHandshakeTimeout: 100 });
      const sockets = await connectMany(ours);
      ours.server.close();
      await ours.server.waitClosed();
      await untilClosed(sockets);
      assert.deepEqual([ours.served.length, ours.errors.length], [0, MANY]);
    });
  });
}
