/** The command `asyncio-streams` with real programs: as their client, as their server, and in front of them. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { lstatSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Postgres } from "../../examples/postgres.js";
import { Redis } from "../../examples/redis.js";
import { commandLine, Running, run, start, startServe } from "../command/running.js";
import { certificateFile } from "../support/certificates.js";
import { payload } from "../support/payload.js";
import { socketPath } from "../support/temporary.js";
import { postgresServer } from "./postgres-server.js";
import { findProgram, program } from "./program.js";

const curl = findProgram("curl", "curl");
const socat = findProgram("socat", "socat");

async function tapInPlace(path: string): Promise<Running> {
  const tap = start("tap", "--in-place", path);
  await tap.until("stderr", /is tapped/);
  return tap;
}

async function endOf(tap: Running, path: string, inode: number): Promise<string> {
  const { code, stdout, stderr } = await tap.kill("SIGINT");
  assert.equal(code, 0, stderr);
  assert.equal(lstatSync(path).ino, inode);
  return String(stdout);
}

describe("the command and Redis", () => {
  const server = program({
    name: "redis-server",
    package: "redis-server",
    args: ({ socket, directory }) => ["--port", "0", "--unixsocket", socket, "--dir", directory, "--save", ""],
  });

  server.it("asks it", async () => {
    const { code, stdout } = await run(["connect", "--crlf", server.socket], "SET colour blue\nGET colour\nQUIT\n");
    assert.deepEqual([code, String(stdout)], [0, "+OK\r\n$4\r\nblue\r\n+OK\r\n"]);
  });

  server.it("taps it in place, between two clients that it serves directly", async () => {
    const before = await Redis.connect(server.socket);
    const { ino } = lstatSync(server.socket);
    const tap = await tapInPlace(server.socket);
    const redis = await Redis.connect(server.socket);
    assert.equal(await redis.command("SET", "large", payload(1_000_000)), "OK");
    assert.ok(payload(1_000_000).equals(await redis.command<Buffer>("GET", "large")));
    assert.equal(await before.command("SET", "colour", "red"), "OK");
    await redis.close();
    await tap.until("stdout", /#1 closed/);
    const transcript = await endOf(tap, server.socket, ino);
    assert.match(transcript, / > [^\n]*\n {4}\*2\\r\\n\n {4}\$5\\r\\n\n {4}HELLO\\r\\n\n/);
    assert.doesNotMatch(transcript, /colour/);
    const after = await Redis.connect(server.socket);
    assert.equal(String(await after.command("GET", "colour")), "red");
    await before.close();
    await after.close();
  });

  server.it("examines it", async () => {
    const { code, stdout } = await run(["doctor", server.socket]);
    assert.equal(code, 0, String(stdout));
    assert.match(String(stdout), new RegExp(`: live\n  listens      pid ${server.pid}, user \\S+: .*redis-server`));
  });
});

describe("the command and PostgreSQL", () => {
  const server = postgresServer();

  server.program.it("taps it in place", async () => {
    const path = join(server.program.directory, `.s.PGSQL.${server.unix.port}`);
    const { ino } = lstatSync(path);
    const tap = await tapInPlace(path);
    const postgres = await Postgres.connect(server.unix);
    const rows = await postgres.execute("SELECT repeat('x', 1000) FROM generate_series(1, 2000)");
    assert.equal(rows.length, 2000);
    await postgres.close();
    await tap.until("stdout", /#1 closed/);
    assert.match(await endOf(tap, path, ino), /SELECT repeat\('x', 1000\)/);
  });

  server.program.it("begins TLS as it wants", async () => {
    const tls = ["connect", "--starttls", "postgres"];
    // A CancelRequest of no process, which the server answers by closing the connection.
    const cancel = Buffer.from("0000001004d2162e0000000100000002", "hex");
    const { code, stdout, stderr } = await run([...tls, "--ca", certificateFile("ca"), `localhost:${server.tcp.port}`], cancel);
    assert.deepEqual([code, String(stdout), stderr], [0, "", ""]);
    const refused = await run([
      "connect",
      "--starttls",
      "postgres",
      "--servername",
      "localhost",
      join(server.program.directory, `.s.PGSQL.${server.unix.port}`),
    ]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /the server refuses STARTTLS: it is configured without SSL/);
  });
});

describe("the command and curl", () => {
  it("taps an HTTP server in place, as one would Docker's", async () => {
    const path = socketPath("docker.sock");
    const server = createServer((request, response) => {
      request.resume().on("end", () => response.end(JSON.stringify({ ApiVersion: "1.43", path: request.url })));
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const { ino } = lstatSync(path);
    const tap = await tapInPlace(path);
    const ask = (url: string) => new Running([curl, "--silent", "--show-error", "--unix-socket", path, url]).ended;
    const { stdout, stderr } = await ask("http://localhost/version");
    assert.deepEqual([String(stdout), stderr], ['{"ApiVersion":"1.43","path":"/version"}', ""]);
    await tap.until("stdout", /#1 closed/);
    const transcript = await endOf(tap, path, ino);
    assert.match(transcript, / > \d+ bytes\n {4}GET \/version HTTP\/1\.1\\r\\n\n[^]* < \d+ bytes\n {4}HTTP\/1\.1 200 OK\\r\\n\n/);
    assert.match(String((await ask("http://localhost/info")).stdout), /"path":"\/info"/);
    await new Promise((resolve) => server.close(resolve));
  });
});

describe("the command and socat", () => {
  it("serves it, and is served by it", async () => {
    const path = socketPath();
    const { server } = await startServe("--echo", path);
    const client = await new Running([socat, "-t", "60", "-", `UNIX:${path}`]).end(payload(1_000_000));
    assert.ok(client.stdout.equals(payload(1_000_000)));
    assert.equal((await server.kill("SIGTERM")).code, 0);

    const other = socketPath();
    await using listening = new Running([socat, "-t", "60", `UNIX-LISTEN:${other},fork`, "EXEC:cat"]);
    while ((await run(["connect", other])).code !== 0) assert.equal(listening.child.exitCode, null);
    const { code, stdout } = await run(["connect", other], payload(1_000_000));
    assert.equal(code, 0);
    assert.ok(stdout.equals(payload(1_000_000)));
    await listening.kill("SIGTERM");
    rmSync(other, { force: true });
  });

  it("looks on between two of them", async () => {
    const [path, target] = [socketPath(), socketPath()];
    await using sink = new Running([socat, "-u", `UNIX-LISTEN:${target}`, "-"]);
    await using tap = new Running(commandLine("tap", "--only", "in", "--format", "none", path, target));
    await tap.until("stderr", /leads to/);
    const { code, stderr } = await new Running([socat, "-u", "-", `UNIX:${path}`]).end(payload(500_000));
    assert.equal(code, 0, stderr);
    assert.ok((await sink.ended).stdout.equals(payload(500_000)));
    await tap.until("stdout", /#1 closed after [\d.]+ s: 488\.3 KiB in, 0 bytes out/);
    assert.equal((await tap.kill("SIGTERM")).code, 0);
  });
});
