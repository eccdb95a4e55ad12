/** pg (node-postgres) over a connection of ours, with PostgreSQL. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import type { Duplex } from "node:stream";
import { describe } from "node:test";
import { clientOf, connectedDuplex } from "./clients.js";
import { postgresServer } from "./postgres-server.js";

interface Pg {
  Client: new (
    options: object,
  ) => {
    connect(): Promise<unknown>;
    query(text: string, values?: readonly unknown[]): Promise<{ readonly rows: readonly Record<string, unknown>[] }>;
    end(): Promise<void>;
  };
}

/** pg calls `connect()` of the socket that it is given, and waits for the event. */
function connectsByItself(duplex: Duplex): Duplex {
  return Object.assign(duplex, { connect: () => process.nextTick(() => duplex.emit("connect")) });
}

describe("pg", () => {
  const postgres = postgresServer();
  const server = postgres.program;

  server.it("logs in by SCRAM-SHA-256, and asks for many rows and long values", async () => {
    const { Client } = clientOf<Pg>("pg");
    const { host, port, user, password, database } = postgres.unix;
    const duplex = await connectedDuplex(`${host}/.s.PGSQL.${port}`);
    const client = new Client({ user, password, database, keepAlive: true, stream: () => connectsByItself(duplex) });
    await client.connect();
    const { rows } = await client.query("SELECT n, $1::text AS t FROM generate_series(1, 50000) AS n", ["text"]);
    assert.equal(rows.length, 50_000);
    assert.deepEqual({ ...rows.at(-1) }, { n: 50_000, t: "text" });
    const [long] = (await client.query("SELECT repeat('a', 5000000) AS a")).rows;
    assert.equal((long?.["a"] as string).length, 5_000_000);
    await assert.rejects(client.query("SELEKT"), { code: "42601" });
    await client.end();
  });
});
