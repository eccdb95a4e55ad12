/** `asyncio-streams tap --in-place`: takes the path of a live server, and gives it back whatever ends it. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { openUnixConnection, type Server, startUnixServer } from "asyncio-streams";
import { needsRoot } from "../support/needs.js";
import { cannot } from "../support/runtime.js";
import { staleSocket } from "../support/stale-socket.js";
import { socketPath, temporaryDirectory } from "../support/temporary.js";
import { until } from "../support/turns.js";
import { commandLine, commandText, failure, plainEnvironment, Running, start } from "./running.js";

/** A process ID that no process has. */
const NO_PID = 2 ** 22 + 1;

const startShouting = (path: string): Promise<Server> =>
  startUnixServer(
    async (reader, writer) => {
      for await (const line of reader) {
        writer.write(String(line).toUpperCase());
        await writer.drain();
      }
      writer.close();
    },
    path,
    { mode: 0o640, onClientError: () => {} },
  );

async function ask(path: string, text: string): Promise<string> {
  const [reader, writer] = await openUnixConnection(path);
  writer.write(text);
  const answer = String(await reader.readline());
  writer.close();
  await writer.waitClosed();
  return answer;
}

const namesBeside = (path: string): string[] => readdirSync(dirname(path)).sort();

async function startTap(path: string): Promise<Running> {
  const tap = start("tap", "--in-place", path);
  await tap.until("stderr", /is tapped; Ctrl-C gives it back to its server\n/);
  return tap;
}

/** Waits until the path is the server's again, and nothing else is left. */
async function untilGivenBack(path: string, inode: number): Promise<void> {
  await until(() => lstatSync(path, { throwIfNoEntry: false })?.ino === inode && namesBeside(path).length === 1);
}

describe("tap --in-place", () => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    it(`taps a live server, and gives its path back at ${signal}`, async () => {
      const path = socketPath("a server");
      const server = await startShouting(path);
      const { ino, mode } = lstatSync(path);
      const tap = await startTap(path);
      assert.notEqual(lstatSync(path).ino, ino);
      assert.equal(lstatSync(path).mode, mode);
      assert.equal(await ask(path, "tapped\n"), "TAPPED\n");
      await tap.until("stdout", /#1 closed/);
      const { code, stdout, stderr } = await tap.kill(signal);
      assert.equal(code, 0, stderr);
      assert.match(stderr, /is given back to its server\n$/);
      assert.match(String(stdout), /tapped\\n\n[^]*TAPPED\\n\n/);
      assert.equal(lstatSync(path).ino, ino);
      assert.deepEqual(namesBeside(path), ["a server"]);
      assert.equal(await ask(path, "direct\n"), "DIRECT\n");
      await server.shutdown();
    });
  }

  it("gives the path back after SIGKILL", async () => {
    const path = socketPath("a 'server'");
    const server = await startShouting(path);
    const { ino } = lstatSync(path);
    const tap = await startTap(path);
    await tap.kill("SIGKILL");
    await untilGivenBack(path, ino);
    assert.equal(await ask(path, "direct\n"), "DIRECT\n");
    await server.shutdown();
  });

  it("gives the path back if it is killed in the moment in which it has taken the path", async () => {
    const path = socketPath();
    const server = await startShouting(path);
    const { ino } = lstatSync(path);
    for (const signal of ["SIGKILL", "SIGKILL", "SIGTERM", "SIGTERM"] as const) {
      const tap = start("tap", "--in-place", path);
      while (lstatSync(path).ino === ino); // without a turn of the event loop
      await tap.kill(signal);
      await until(() => lstatSync(path).ino === ino && !existsSync(join(dirname(path), `.test.sock.tap-${tap.child.pid}`)));
      assert.equal(await ask(path, "direct\n"), "DIRECT\n");
    }
    assert.deepEqual(namesBeside(path), ["test.sock"]); // also what the start of a killed tap has left
    await server.shutdown();
  });

  it("gives the path back when the reader of its output has ended, and keeps the connections", async () => {
    const path = socketPath();
    const server = await startShouting(path);
    const { ino } = lstatSync(path);
    const script = `{ ${commandText("tap", "--in-place", path)}; echo "exit code $?" >&2; } | head -1`;
    await using tap = new Running(["sh", "-c", script]);
    await tap.until("stderr", /is tapped/);
    const [reader, writer] = await openUnixConnection(path);
    writer.write("one\n");
    assert.equal(String(await reader.readline()), "ONE\n");
    await tap.until("stdout", /connected/);
    while (lstatSync(path).ino !== ino) {
      writer.write("more\n");
      assert.equal(String(await reader.readline()), "MORE\n");
    }
    writer.write("on\n");
    assert.equal(String(await reader.readline()), "ON\n");
    writer.close();
    await writer.waitClosed();
    await tap.until("stderr", /exit code 141\n/);
    await server.shutdown();
  });

  it("refuses no client while it takes the path and gives it back", async () => {
    const path = socketPath();
    const server = await startShouting(path);
    let isOver = false;
    let asked = 0;
    const asking = (async () => {
      for (; !isOver; asked += 1) assert.equal(await ask(path, "x\n"), "X\n");
    })();
    for (let round = 0; round < 2; round += 1) {
      const tap = await startTap(path);
      const before = asked;
      await until(() => asked > before + 1);
      assert.equal((await tap.kill("SIGTERM")).code, 0);
    }
    isOver = true;
    await asking;
    assert.ok(asked > 10);
    await server.shutdown();
  });

  it("serves the clients that have connected and are not accepted yet when it gives the path back", async () => {
    const path = socketPath();
    const server = await startShouting(path);
    const tap = await startTap(path);
    tap.signal("SIGSTOP");
    const waiting = await Promise.all(Array.from({ length: 20 }, () => openUnixConnection(path)));
    tap.signal("SIGTERM");
    tap.signal("SIGCONT");
    for (const [reader, writer] of waiting) {
      writer.write("x\n");
      assert.equal(String(await reader.readline()), "X\n");
      writer.close();
    }
    assert.equal((await tap.ended).code, 0);
    await server.shutdown();
  });

  it("resets its clients while the server refuses it, and says so", cannot("unix-server-inherited", "deno"), async () => {
    const path = socketPath();
    const server = await startUnixServer((_, writer) => writer.close(), path, { cleanupSocket: false });
    const tap = await startTap(path);
    await server.shutdown(); // which leaves its file
    assert.equal(await ask(path, "x\n").catch(() => "reset"), "reset");
    await tap.until("stdout", /#1 [^\n]*cannot connect to [^\n]*\(ECONNREFUSED\)/);
    assert.equal((await tap.kill("SIGTERM")).code, 0);
    unlinkSync(path);
  });

  it("lets its connections go on after the first signal, and cuts them at the second", async () => {
    const path = socketPath();
    const server = await startShouting(path);
    const tap = await startTap(path);
    const [reader, writer] = await openUnixConnection(path);
    writer.write("one\n");
    await reader.readline();
    tap.signal("SIGINT");
    await tap.until("stderr", /1 connection goes on; a second signal cuts it\n/);
    assert.equal(await ask(path, "direct\n"), "DIRECT\n");
    writer.write("two\n");
    assert.equal(String(await reader.readline()), "TWO\n");
    assert.equal((await tap.kill("SIGINT")).code, 130);
    assert.equal((await reader.read()).length, 0);
    writer.close();
    await server.shutdown();
  });

  it("ends when the server has ended, and leaves the path alone", async () => {
    const path = socketPath();
    const server = await startShouting(path);
    const tap = await startTap(path);
    unlinkSync(path); // as most servers do at their end, whatever is there by then
    await server.shutdown();
    const { code, stderr } = await tap.ended;
    assert.equal(code, 0);
    assert.match(stderr, /does not lead here any more: its server has ended\n$/);
    assert.deepEqual(namesBeside(path), []);
  });

  it("leaves another server alone that has taken the path, even after SIGKILL", async () => {
    const path = socketPath();
    const server = await startShouting(path);
    // The guard is a shell, whose variables may come from the environment.
    const env = plainEnvironment({ give_back: "0", now: "1", ours: "1" });
    const tap = new Running(commandLine("tap", "--in-place", path), { env });
    await tap.until("stderr", /is tapped/);
    const next = await startUnixServer((_, writer) => writer.close(), path, { takeover: true });
    const { ino } = lstatSync(path);
    await tap.kill("SIGKILL");
    await untilGivenBack(path, ino);
    await next.shutdown();
    await server.shutdown();
  });

  it("follows a symbolic link to the socket", async () => {
    const path = socketPath();
    const server = await startShouting(path);
    const link = join(temporaryDirectory(), "link");
    symlinkSync(path, link);
    const tap = await startTap(link);
    assert.equal(await ask(link, "x\n"), "X\n");
    await tap.kill("SIGTERM");
    assert.ok(lstatSync(link).isSymbolicLink());
    assert.equal(await ask(path, "x\n"), "X\n");
    await server.shutdown();
  });

  it("gives the socket the owner of the server's", needsRoot, async () => {
    const path = socketPath();
    const server = await startUnixServer((_, writer) => writer.close(), path, { owner: { uid: 4321, gid: 4322 } });
    const tap = await startTap(path);
    const { uid, gid } = lstatSync(path);
    assert.deepEqual([uid, gid], [4321, 4322]);
    await tap.kill("SIGTERM");
    await server.shutdown();
  });

  it("repairs at its start what a tap has left that was killed together with its guard", async () => {
    const path = socketPath("app.sock");
    const server = await startShouting(path);
    const { ino } = lstatSync(path);
    renameSync(path, join(dirname(path), `.app.sock.tap-${NO_PID}`));
    await staleSocket(path);
    const tap = await startTap(path);
    assert.match(tap.stderr, /is given back to its server: a tap with the process ID \d+ was killed\n/);
    assert.equal(await ask(path, "x\n"), "X\n");
    await tap.kill("SIGTERM");
    assert.equal(lstatSync(path).ino, ino);
    // The path may be missing, and the second name may be stale.
    renameSync(path, join(dirname(path), `.app.sock.tap-${NO_PID}`));
    await staleSocket(join(dirname(path), `.app.sock.tap-${NO_PID + 1}`));
    await (await startTap(path)).kill("SIGTERM");
    assert.equal(lstatSync(path).ino, ino);
    assert.deepEqual(namesBeside(path), ["app.sock"]);
    await server.shutdown();
  });

  it("refuses a path that is tapped already", async () => {
    const path = socketPath();
    const server = await startShouting(path);
    const tap = await startTap(path);
    assert.match(await failure(1, ["tap", "--in-place", path]), /it is tapped already, by the process \d+$/);
    await tap.kill("SIGTERM");
    await server.shutdown();
  });

  it("refuses what is not the path of a live server, and changes nothing", async () => {
    const directory = temporaryDirectory();
    const file = join(directory, "file");
    writeFileSync(file, "");
    assert.match(await failure(1, ["tap", "--in-place", file]), /it is not a socket$/);
    assert.match(await failure(1, ["tap", "--in-place", `${file}2`]), /no such file \(ENOENT\)$/);
    assert.match(await failure(1, ["tap", "--in-place", "/no/such/x"]), /no such file or directory \(ENOENT\)$/);
    const stale = await staleSocket(join(directory, "stale"));
    assert.match(await failure(1, ["tap", "--in-place", stale]), /no server listens there \(ECONNREFUSED\)$/);
    rmSync(stale);
    const long = join(directory, "x".repeat(100 - directory.length));
    const server = await startShouting(long);
    assert.match(await failure(1, ["tap", "--in-place", long]), /its socket would be longer than \d+ bytes$/);
    await server.shutdown();
    assert.deepEqual(readdirSync(directory), ["file"]);
  });

  it("refuses a socket of another user, and changes nothing", needsRoot, async () => {
    const path = socketPath();
    const server = await startShouting(path);
    chownSync(path, 4321, 4321);
    const script = `exec setpriv --bounding-set=-fowner --inh-caps=-fowner ${commandText("tap", "--in-place", path)}`;
    const { code, stderr } = await new Running(["sh", "-c", script]).ended;
    assert.equal(code, 1, stderr);
    assert.match(stderr, /: not permitted \(EPERM\): only root and the owner of the socket can tap it\n$/);
    assert.deepEqual(namesBeside(path), ["test.sock"]);
    await server.shutdown();
  });

  it("leaves the path to its server if it cannot listen", needsRoot, async () => {
    // Not even root may change the owner in a directory of this kind: the start fails after the link is made.
    const directory = join(temporaryDirectory(), "d");
    mkdirSync(directory);
    const path = join(directory, "app.sock");
    const server = await startShouting(path);
    const { ino } = lstatSync(path);
    const script = `exec setpriv --bounding-set=-chown --inh-caps=-chown --ambient-caps=-all ${commandText("tap", "--in-place", path)}`;
    chownSync(path, 4321, 4321);
    const { code, stderr } = await new Running(["sh", "-c", script]).ended;
    assert.equal(code, 1, stderr);
    assert.match(stderr, /^asyncio-streams: cannot listen on [^\n]*\(EPERM\)\n$/);
    assert.equal(lstatSync(path).ino, ino);
    assert.deepEqual(readdirSync(directory), ["app.sock"]);
    await server.shutdown();
    assert.ok(!existsSync(path));
  });
});
