/** mysql2 over a connection of ours, with MariaDB. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { describe } from "node:test";
import { clientOf, connectedDuplex } from "./clients.js";
import { findProgram, program, runToEnd } from "./program.js";

const PACKAGE = "mariadb-server";
/** MariaDB does not run as root. The package makes this user. */
const USER = "mysql";

interface Mysql {
  createConnection(options: { stream: Duplex; user: string; connectTimeout: number }): Promise<{
    query(text: string): Promise<readonly [readonly Record<string, unknown>[]]>;
    execute(text: string, values: readonly unknown[]): Promise<readonly [readonly Record<string, unknown>[]]>;
    end(): Promise<void>;
  }>;
}

describe("mysql2", () => {
  const server = program({
    name: "mariadbd",
    package: PACKAGE,
    insteadOfRoot: USER,
    prepare({ directory }) {
      const settings = ["--no-defaults", `--datadir=${join(directory, "data")}`];
      runToEnd(USER, findProgram("mariadb-install-db", PACKAGE), [...settings, "--auth-root-authentication-method=normal"], directory);
    },
    args: ({ directory, socket }) => [
      "--no-defaults",
      `--datadir=${join(directory, "data")}`,
      "--skip-networking",
      `--socket=${socket}`,
      `--pid-file=${join(directory, "pid")}`,
    ],
  });

  server.it("logs in, and asks for many rows and long values", async () => {
    const mysql = clientOf<Mysql>("mysql2/promise");
    const stream = await connectedDuplex(server.socket);
    const connection = await mysql.createConnection({ stream, user: "root", connectTimeout: 60_000 });
    const [two] = await connection.execute("SELECT ? + 1 AS two", [1]);
    assert.equal(Number(two[0]?.["two"]), 2);
    const [rows] = await connection.query("SELECT seq FROM mysql.seq_1_to_50000");
    assert.equal(rows.length, 50_000);
    const [long] = await connection.query("SELECT REPEAT('a', 5000000) AS a");
    assert.equal((long[0]?.["a"] as string).length, 5_000_000);
    await assert.rejects(connection.query("SELEKT"), { code: "ER_PARSE_ERROR" });
    await connection.end();
  });
});
