/** PostgreSQL on its Unix socket, with the client of `examples/postgres.ts`. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { before, describe } from "node:test";
import { Postgres } from "../../examples/postgres.js";
import { PostgresError } from "../../examples/postgres-connection.js";
import { turns } from "../support/turns.js";
import { exampleOutput } from "./example.js";
import { postgresServer, untilServerWaits } from "./postgres-server.js";

const ROWS = 100_000;

/** Checks the code of an error of the server. */
function failure(code: string): (error: unknown) => boolean {
  return (error) => error instanceof PostgresError && error.code === code;
}

describe("PostgreSQL", () => {
  const server = postgresServer();
  const { it } = server.program;
  let postgres: Postgres;
  /** Looks on from outside. */
  let onlooker: Postgres;

  before(async () => {
    postgres = await Postgres.connect(server.unix);
    onlooker = await Postgres.connect(server.unix);
    server.program.atEnd(() => Promise.all([postgres.close(), onlooker.close()]));
  });

  it("accepts the right password, by SCRAM", async () => {
    assert.deepEqual(await postgres.execute("SELECT current_user, inet_client_addr()"), [["tester", null]]);
  });

  it("refuses a wrong password", async () => {
    await assert.rejects(Postgres.connect({ ...server.unix, password: "guessed" }), failure("28P01"));
    await assert.rejects(Postgres.connect({ ...server.unix, user: "nobody" }), failure("28P01"));
    await assert.rejects(Postgres.connect({ ...server.unix, database: "nothing" }), failure("3D000"));
  });

  it("gives values as they are: empty, null, with newlines, in any script", async () => {
    assert.deepEqual(await postgres.execute("SELECT '', NULL, E'a\\nb', 'Straße 東京 🐘' UNION ALL SELECT 'x', 'y', 'z', ''"), [
      ["", null, "a\nb", "Straße 東京 🐘"],
      ["x", "y", "z", ""],
    ]);
  });

  it("streams 100,000 rows, and waits in the middle for a client that does not read on", async () => {
    const [[pid]] = (await postgres.execute("SELECT pg_backend_pid()")) as [[string]];
    const rows = postgres.query(`SELECT n, repeat('x', 1000) FROM generate_series(1, ${ROWS}) n`);
    assert.equal((await rows.next()).value?.[0], "1");
    await untilServerWaits(onlooker, pid);
    let count = 1;
    for await (const [number, text] of rows) {
      count += 1;
      assert.equal(number, `${count}`);
      assert.equal(text?.length, 1000);
    }
    assert.equal(count, ROWS);
  });

  it("copies 100,000 rows in, and out again, unchanged", async () => {
    await postgres.execute("CREATE TABLE copied (number int PRIMARY KEY, text text)");
    const sent = createHash("sha256");
    function* lines(): Generator<string> {
      for (let number = 1; number <= ROWS; number += 1) {
        const line = `${number}\tthe row of ${number}, with \\t and ü\n`;
        sent.update(line);
        yield line;
      }
    }
    await postgres.copyIn("COPY copied FROM STDIN", lines());
    assert.deepEqual(await onlooker.execute("SELECT count(*), sum(number) FROM copied"), [[`${ROWS}`, `${(ROWS * (ROWS + 1)) / 2}`]]);

    const received = createHash("sha256");
    for await (const line of postgres.copyOut("COPY (SELECT * FROM copied ORDER BY number) TO STDOUT")) received.update(line);
    assert.equal(received.digest("hex"), sent.digest("hex"));
  });

  it("copies no faster than the server takes it", async () => {
    await postgres.execute("CREATE TABLE slow (text text)");
    await postgres.execute(`CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql
      AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NEW; END $$`);
    await postgres.execute("CREATE TRIGGER slow BEFORE INSERT ON slow FOR EACH ROW EXECUTE FUNCTION wait()");
    await onlooker.execute("SELECT pg_advisory_lock(1)");
    const row = `${"x".repeat(1_000_000)}\n`;
    let taken = 0;
    function* rows(): Generator<string> {
      for (; taken < 100; taken += 1) yield row;
    }
    const copying = postgres.copyIn("COPY slow FROM STDIN", rows());
    for (let before = -1; before < taken || taken === 0; await turns(100)) before = taken;
    assert.ok(taken < 10, `${taken} of 100 rows were taken before the server took the first`);
    await onlooker.execute("SELECT pg_advisory_unlock(1)");
    await copying;
    assert.deepEqual(await postgres.execute("SELECT count(*), sum(length(text)) FROM slow"), [["100", "100000000"]]);
  });

  it("refuses rows that cannot be copied, and goes on", async () => {
    await assert.rejects(postgres.copyIn("COPY copied FROM STDIN", ["200000\tone\n", "no number\ttwo\n"]), failure("22P02"));
    await assert.rejects(postgres.copyIn("COPY nothing FROM STDIN", ["1\n"]), failure("42P01"));
    assert.deepEqual(await postgres.execute("SELECT count(*) FROM copied WHERE number >= 200000"), [["0"]]);
  });

  it("answers with an error, and goes on", async () => {
    await assert.rejects(postgres.execute("SELECT wrong"), failure("42703"));
    await assert.rejects(postgres.execute("SELECT 1 / (3 - n) FROM generate_series(1, 5) n"), failure("22012"));
    assert.deepEqual(await postgres.execute("SELECT 1"), [["1"]]);
  });

  it("goes on after a query whose rows were not all taken", async () => {
    for await (const [number] of postgres.query("SELECT generate_series(1, 10000)")) if (number === "10") break;
    assert.deepEqual(await postgres.execute("SELECT 2"), [["2"]]);
  });

  it("cancels a query through a second connection", async () => {
    const rows = postgres.query("SELECT generate_series(1, 1000000000), repeat('x', 10000)");
    await rows.next();
    await postgres.cancel();
    await assert.rejects(async () => {
      for await (const _ of rows) continue;
    }, failure("57014"));
    assert.deepEqual(await postgres.execute("SELECT 3"), [["3"]]);
  });

  it("says why it ends a connection", async () => {
    const victim = await Postgres.connect(server.unix);
    const [[pid]] = (await victim.execute("SELECT pg_backend_pid()")) as [[string]];
    const waiting = victim.execute("SELECT pg_sleep(600)");
    await Promise.all([assert.rejects(waiting, failure("57P01")), onlooker.execute(`SELECT pg_terminate_backend(${pid})`)]);
    await victim.close();
  });

  it("answers the example as its header says", () => {
    const { host, port, user, password, database } = server.unix;
    const env = { PGHOST: host, PGPORT: `${port}`, PGUSER: user, PGPASSWORD: password, PGDATABASE: database };
    const [version, ...lines] = exampleOutput("postgres.js", [], env);
    assert.match(version ?? "", /^PostgreSQL \d+\.\d+ .*answers$/);
    assert.deepEqual(lines, [
      "the sum of 100,000 rows is 5000050000",
      "blue\t#00f",
      "red\t#f00",
      "Error: canceling statement due to user request",
      "",
    ]);
  });
});
