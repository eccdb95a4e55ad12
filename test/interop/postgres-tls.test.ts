/** PostgreSQL over TCP, in the clear and with TLS from the middle of the connection on. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe } from "node:test";
import { Postgres } from "../../examples/postgres.js";
import { PostgresError } from "../../examples/postgres-connection.js";
import { trust } from "../support/certificates.js";
import { postgresServer, untilServerWaits } from "./postgres-server.js";

const ENCRYPTION = "SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()";

describe("PostgreSQL over TCP", () => {
  const server = postgresServer();
  const { it } = server.program;

  it("speaks in the clear, if it is not asked for TLS", async () => {
    const postgres = await Postgres.connect(server.tcp);
    assert.deepEqual(await postgres.execute(ENCRYPTION), [["f", null]]);
    await postgres.close();
  });

  it("changes over to TLS after SSLRequest, and logs in there", async () => {
    const postgres = await Postgres.connect({ ...server.tcp, ssl: trust });
    assert.deepEqual(await postgres.execute(ENCRYPTION), [["t", "TLSv1.3"]]);
    await postgres.close();
  });

  it("streams 100,000 rows over TLS", async () => {
    const postgres = await Postgres.connect({ ...server.tcp, ssl: trust });
    let sum = 0;
    for await (const [number, text] of postgres.query("SELECT n, repeat('x', 100) FROM generate_series(1, 100000) n")) {
      sum += Number(number);
      assert.equal(text?.length, 100);
    }
    assert.equal(sum, 5_000_050_000);
    await postgres.close();
  });

  it("waits in the middle for a client that does not read on", async () => {
    const postgres = await Postgres.connect({ ...server.tcp, ssl: trust });
    const onlooker = await Postgres.connect(server.unix);
    const [[pid]] = (await postgres.execute("SELECT pg_backend_pid()")) as [[string]];
    const rows = postgres.query("SELECT n, repeat('x', 10000) FROM generate_series(1, 10000) n");
    await rows.next();
    await untilServerWaits(onlooker, pid);
    let count = 1;
    for await (const [number] of rows) assert.equal(number, `${(count += 1)}`);
    assert.equal(count, 10_000);
    await Promise.all([postgres.close(), onlooker.close()]);
  });

  it("copies in and out over TLS", async () => {
    const postgres = await Postgres.connect({ ...server.tcp, ssl: trust });
    const lines = Array.from({ length: 20_000 }, (_, index) => `${index}\t${"y".repeat(100)}\n`);
    await postgres.execute("CREATE TEMPORARY TABLE copied (number int, text text)");
    await postgres.copyIn("COPY copied FROM STDIN", lines);
    const back: string[] = [];
    for await (const line of postgres.copyOut("COPY copied TO STDOUT")) back.push(String(line));
    assert.deepEqual(back, lines);
    await postgres.close();
  });

  it("cancels a query through a second connection, over TLS, too", async () => {
    const postgres = await Postgres.connect({ ...server.tcp, ssl: trust });
    const rows = postgres.query("SELECT generate_series(1, 1000000000), repeat('x', 10000)");
    await rows.next();
    await postgres.cancel();
    await assert.rejects(
      async () => {
        for await (const _ of rows) continue;
      },
      (error) => error instanceof PostgresError && error.code === "57014",
    );
    await postgres.close();
  });

  it("is refused with a certificate of an unknown authority", async () => {
    await assert.rejects(Postgres.connect({ ...server.tcp, ssl: true }), /self.signed certificate|unable to (get|verify)|UnknownIssuer/i);
  });

  it("has no TLS on its Unix socket, and says so", async () => {
    await assert.rejects(Postgres.connect({ ...server.unix, ssl: trust }), /has no TLS$/);
  });
});
