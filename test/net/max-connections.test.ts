/** `maxConnections` and `backlog`. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { StreamReader, StreamWriter } from "asyncio-streams";
import { abortAll } from "../support/abort-all.js";
import { kinds } from "../support/pairs.js";
import { isSettled, turns, until } from "../support/turns.js";

type Client = [StreamReader, StreamWriter];

const hangUp = (clients: readonly Client[]): Promise<void> => abortAll(clients.map(([, writer]) => writer));

/** A callback that echoes a line at a time and counts whom it serves. */
function counting(): { serve: (reader: StreamReader, writer: StreamWriter) => Promise<void>; now: () => number; most: () => number } {
  const writers: StreamWriter[] = [];
  let most = 0;
  const now = (): number => writers.filter((writer) => !writer.isClosing()).length;
  return {
    now,
    most: () => most,
    async serve(reader, writer) {
      writers.push(writer);
      most = Math.max(most, now());
      for await (const line of reader) writer.write(line);
      writer.close();
    },
  };
}

for (const kind of kinds) {
  describe(`maxConnections over ${kind.name}`, () => {
    it("lets further clients wait, who are served in turn with what they have sent", async () => {
      const { serve, now } = counting();
      const { server, connect } = await kind.serve(serve, { maxConnections: 2 });
      const clients: Client[] = [];
      for (const name of ["one", "two", "three", "four"]) {
        const client = await connect();
        client[1].write(`${name}\n`);
        clients.push(client);
      }
      const [one, two, three, four] = clients as [Client, Client, Client, Client];
      assert.equal((await one[0].readline()).toString(), "one\n");
      assert.equal((await two[0].readline()).toString(), "two\n");
      await turns(10);
      assert.equal(now(), 2);
      one[1].close();
      assert.equal((await three[0].readline()).toString(), "three\n");
      two[1].close();
      assert.equal((await four[0].readline()).toString(), "four\n");
      await hangUp(clients);
      await server.shutdown();
    });

    it("is never exceeded", async () => {
      const { serve, most } = counting();
      const { server, connect } = await kind.serve(serve, { maxConnections: 3 });
      await Promise.all(
        Array.from({ length: 30 }, async (_, index) => {
          const [reader, writer] = await connect();
          writer.write(`${index}\n`);
          assert.equal((await reader.readline()).toString(), `${index}\n`);
          writer.close();
          await writer.waitClosed();
        }),
      );
      assert.equal(most(), 3);
      await server.shutdown();
    });

    it("closes clients above the maximum and the backlog", async () => {
      const { serve, now } = counting();
      const { server, connect } = await kind.serve(serve, { maxConnections: 1, backlog: 1 });
      const served = await connect();
      await until(() => now() === 1);
      const waiting = await connect();
      await turns(10);
      const refused = await connect().catch(() => null);
      if (refused !== null) assert.equal((await refused[0].read().catch(() => Buffer.alloc(0))).length, 0);
      waiting[1].write("still waiting\n");
      served[1].close();
      assert.equal((await waiting[0].readline()).toString(), "still waiting\n");
      await hangUp([served, waiting, ...(refused === null ? [] : [refused])]);
      await server.shutdown();
    });

    it("passes over a waiting client that has gone", async () => {
      const { serve, now } = counting();
      const { server, connect } = await kind.serve(serve, { maxConnections: 1 });
      const served = await connect();
      await until(() => now() === 1);
      const gone = await connect();
      await hangUp([gone]);
      const last = await connect();
      last[1].write("last\n");
      await turns(10);
      served[1].close();
      assert.equal((await last[0].readline()).toString(), "last\n");
      await hangUp([served, last]);
      await server.shutdown();
    });

    it("close() leaves those who wait: they still get their turn, and waitClosed() waits for them", async () => {
      const { serve, now } = counting();
      const { server, connect } = await kind.serve(serve, { maxConnections: 1 });
      const served = await connect();
      await until(() => now() === 1);
      const waiting = await connect();
      await turns(10);
      server.close();
      const closed = server.waitClosed();
      served[1].close();
      waiting[1].write("served\n");
      assert.equal((await waiting[0].readline()).toString(), "served\n");
      assert.equal(await isSettled(closed), false);
      waiting[1].close();
      await closed;
      await hangUp([served, waiting]);
    });

    for (const end of ["closeClients", "abortClients"] as const) {
      it(`${end}() ends those who wait, too`, async () => {
        const { serve, now } = counting();
        const { server, connect } = await kind.serve(serve, { maxConnections: 1 });
        const clients = [await connect()];
        await until(() => now() === 1);
        clients.push(await connect());
        await turns(10);
        server[end]();
        for (const [reader] of clients) assert.equal((await reader.read().catch(() => Buffer.alloc(0))).length, 0);
        server.close();
        await server.waitClosed();
        await hangUp(clients);
      });
    }

    it("a backlog of 0 is taken", async () => {
      const { serve } = counting();
      const { server, connect } = await kind.serve(serve, { backlog: 0 });
      const client = await connect();
      client[1].write("line\n");
      assert.equal((await client[0].readline()).toString(), "line\n");
      await hangUp([client]);
      await server.shutdown();
    });
  });
}
