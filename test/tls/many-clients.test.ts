/** Clients that never finish their handshake do not keep others from being served. Only the order of events is looked at, not the clock. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { describe, it } from "node:test";
import { ConnectionTimeoutError, type SocketAddress } from "asyncio-streams";
import { dial } from "../support/addresses.js";
import { kinds } from "../support/pairs.js";
import { checkEcho, listen } from "../support/tls-kinds.js";
import { turns, until } from "../support/turns.js";

const MANY = 500;

/** The beginning of a ClientHello. */
const HELLO = Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]);

/** Connects clients of which every other one begins a handshake; none goes on. */
async function stall(address: SocketAddress, count: number): Promise<net.Socket[]> {
  const clients: net.Socket[] = [];
  // Few at a time, so that the system's queue of connections does not overflow.
  while (clients.length < count) {
    const some = Array.from({ length: 20 }, () => net.connect(dial(address)));
    await Promise.all(some.map((client) => once(client, "connect")));
    for (const [index, client] of some.entries()) {
      client.on("error", () => {}).resume();
      if (index % 2 === 0) client.write(HELLO);
    }
    clients.push(...some);
    await turns();
  }
  return clients;
}

for (const kind of kinds) {
  describe(`${MANY} clients over ${kind.name} that never finish their handshake`, () => {
    it("do not keep a good one from being served, and end with the server", async () => {
      await using ours = await listen(kind, { backlog: 2 * MANY });
      const clients = await stall(ours.address, MANY);
      await checkEcho(await ours.connect());
      assert.deepEqual([ours.served.length, ours.errors.length], [1, 0]);
      ours.server.close();
      ours.server.abortClients();
      await ours.server.waitClosed();
      await until(() => clients.every((client) => client.closed));
      assert.deepEqual([ours.served.length, ours.errors.length], [1, 0]);
    });

    it("are cut by the time-out, and reported one by one", async () => {
      await using ours = await listen(kind, { backlog: MANY, sslHandshakeTimeout: 300 });
      const clients = await stall(ours.address, MANY);
      await until(() => clients.every((client) => client.closed) && ours.errors.length >= MANY);
      await turns(5);
      assert.equal(ours.errors.length, MANY);
      assert.deepEqual(
        ours.errors.filter(({ error, writer }) => !(error instanceof ConnectionTimeoutError && writer === null)),
        [],
      );
      assert.equal(ours.served.length, 0);
    });
  });
}
