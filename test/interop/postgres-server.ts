/** A PostgreSQL server with a Unix socket, and with TLS on a TCP port. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Postgres } from "../../examples/postgres.js";
import type { Address } from "../../examples/postgres-connection.js";
import { freePort } from "../support/bare-sockets.js";
import { certificateFile, keyFile } from "../support/certificates.js";
import { commandAs, findProgram, type Program, program, runToEnd } from "./program.js";

const PACKAGE = "postgresql";
/** PostgreSQL does not run as root. The package makes this user. */
const USER = "postgres";
const PASSWORD = "päss,word=";

export interface PostgresServer {
  readonly program: Program;
  /** Through the Unix socket. */
  readonly unix: Address;
  /** Over TCP; in the clear, unless `ssl` is added. */
  readonly tcp: Address;
}

/** As often in a row a server says so that it waits for good, and not just between two writes. It is asked every 100 ms by its own clock. */
const SAYINGS = 15;

/** Waits until the server can send no more to a client, which has not read all yet; `pid` is the client's process there. */
export async function untilServerWaits(onlooker: Postgres, pid: string): Promise<void> {
  for (let inARow = 0; inARow < SAYINGS; ) {
    const [row] = await onlooker.execute(`SELECT state, wait_event FROM pg_stat_activity WHERE pid = ${pid}`);
    assert.equal(row?.[0], "active", "the server has sent everything to a client that does not read");
    inARow = row?.[1] === "ClientWrite" ? inARow + 1 : 0;
    await onlooker.execute("SELECT pg_sleep(0.1)");
  }
}

/** Starts one for the suite whose body this is called in. */
export function postgresServer(): PostgresServer {
  const initdb = findProgram("initdb", PACKAGE);
  const login = { port: 0, user: "tester", password: PASSWORD, database: "postgres" };

  const server = program({
    name: "postgres",
    package: PACKAGE,
    insteadOfRoot: USER,
    endingSignal: "SIGINT", // at once; with SIGTERM it waits for its clients
    async prepare({ directory }) {
      login.port = await freePort();
      writeFileSync(join(directory, "password"), PASSWORD);
      const data = join(directory, "data");
      const settings = ["--no-sync", "--no-locale", "--encoding=UTF8", "--auth=scram-sha-256", `--username=${login.user}`];
      runToEnd(USER, initdb, [...settings, `--pwfile=${directory}/password`, `--pgdata=${data}`], directory);
      // It wants its key to be its own user's, and nobody else's.
      const owner = commandAs(USER, "install", []).length > 1 ? [`--owner=${USER}`] : [];
      runToEnd(undefined, "install", [...owner, "--mode=600", certificateFile("server"), join(data, "server.crt")], directory);
      runToEnd(undefined, "install", [...owner, "--mode=600", keyFile("server"), join(data, "server.key")], directory);
    },
    args: ({ directory }) => [
      "-D",
      join(directory, "data"),
      "-F",
      "-p",
      `${login.port}`,
      "-k",
      directory,
      "-c",
      "listen_addresses=127.0.0.1",
      "-c",
      "ssl=on",
    ],
    async answers({ directory }) {
      const postgres = await Postgres.connect({ ...login, host: directory });
      await postgres.close();
    },
  });
  return {
    program: server,
    get unix() {
      return { ...login, host: server.directory };
    },
    get tcp() {
      return { ...login, host: "127.0.0.1" };
    },
  };
}
