/** The socket file of a server: how it appears, what it replaces, and how it goes. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  type Stats,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { describe, it } from "node:test";
import { openUnixConnection, type Server, type StartUnixServerOptions, startUnixServer } from "asyncio-streams";
import { bareServer } from "../support/bare-sockets.js";
import { staleSocket } from "../support/stale-socket.js";
import { socketPath } from "../support/temporary.js";

/** Starts a server that answers with `name`. */
const serve = (name: string, path: string, options?: StartUnixServerOptions): Promise<Server> =>
  startUnixServer(
    (_reader, writer) => {
      writer.write(name);
      writer.close();
    },
    path,
    options,
  );

/** Who answers at `path`. */
async function ask(path: string): Promise<string> {
  const [reader, writer] = await openUnixConnection(path);
  const name = (await reader.read()).toString();
  writer.close();
  await writer.waitClosed().catch(() => {});
  return name;
}

const identity = (stats: Stats): string => `${stats.dev}:${stats.ino}:${stats.mode}`;

describe("the socket file", () => {
  it("is the only thing in its directory, and gone after close()", async () => {
    const path = socketPath();
    const server = await serve("one", path);
    assert.deepEqual(readdirSync(dirname(path)), ["test.sock"]);
    assert.ok(lstatSync(path).isSocket());
    server.close();
    assert.deepEqual(readdirSync(dirname(path)), []);
    await server.waitClosed();
  });

  it("is the server's address at both ends", async () => {
    const path = socketPath();
    let sockname: unknown;
    await using server = await startUnixServer((_reader, writer) => {
      sockname = writer.getExtraInfo("sockname");
      writer.close();
    }, path);
    const [reader, writer] = await openUnixConnection(path);
    await reader.read();
    assert.deepEqual([sockname, writer.getExtraInfo("peername"), server.sockets[0]!.getsockname()], [path, path, path]);
    assert.equal(server.sockets[0]!.family, "unix");
    assert.equal(server.sockets[0]!.getpeername(), null);
    writer.close();
    await writer.waitClosed();
  });

  it("replaces a stale one", async () => {
    const path = await staleSocket();
    const server = await serve("fresh", path);
    assert.deepEqual(readdirSync(dirname(path)), ["test.sock"]);
    assert.equal(await ask(path), "fresh");
    server.close();
    await server.waitClosed();
  });

  for (const [what, start] of [
    ["of ours", (path: string): Promise<AsyncDisposable> => serve("undisturbed", path)],
    [
      "of somebody else",
      async (path: string): Promise<AsyncDisposable> => {
        const far = await bareServer(path);
        far.server.on("connection", (socket) => socket.end("undisturbed"));
        return far;
      },
    ],
  ] as const) {
    it(`is not taken from a live server ${what}, which goes on undisturbed`, async () => {
      const path = socketPath();
      await using _ = await start(path);
      const before = identity(lstatSync(path));
      await assert.rejects(serve("second", path), (error: NodeJS.ErrnoException) => {
        assert.deepEqual([error.code, error.syscall, error.path], ["EADDRINUSE", "listen", path]);
        return true;
      });
      assert.equal(identity(lstatSync(path)), before);
      assert.deepEqual(readdirSync(dirname(path)), ["test.sock"]);
      assert.equal(await ask(path), "undisturbed");
    });
  }

  for (const [what, make, look] of [
    ["a plain file", (path: string) => writeFileSync(path, "content"), (path: string) => readFileSync(path, "utf8")],
    ["an empty directory", (path: string) => mkdirSync(path), (path: string) => readdirSync(path)],
    ["a FIFO", (path: string) => execFileSync("mkfifo", [path]), () => null],
    ["a dangling link", (path: string) => symlinkSync("/nowhere/at/all", path), () => null],
    ["a link to a plain file", (path: string) => symlinkSync("/etc/hosts", path), () => null],
  ] as const) {
    it(`does not replace ${what}: the start gives EADDRINUSE`, async () => {
      const path = socketPath();
      make(path);
      const before = [identity(lstatSync(path)), look(path)];
      await assert.rejects(serve("second", path), { code: "EADDRINUSE", path });
      assert.deepEqual([identity(lstatSync(path)), look(path)], before);
      assert.deepEqual(readdirSync(dirname(path)), ["test.sock"]);
      rmSync(path, { recursive: true });
    });
  }

  it("of several servers that start at once on one path, one wins, also over a stale file", async () => {
    for (const path of [socketPath(), await staleSocket()]) {
      const results = await Promise.allSettled(Array.from({ length: 5 }, (_, index) => serve(`${index}`, path)));
      const winners = results.flatMap((result, index) => (result.status === "fulfilled" ? [{ server: result.value, index }] : []));
      const losers = results.flatMap((result) => (result.status === "rejected" ? [(result.reason as NodeJS.ErrnoException).code] : []));
      assert.equal(winners.length, 1);
      assert.deepEqual(losers, ["EADDRINUSE", "EADDRINUSE", "EADDRINUSE", "EADDRINUSE"]);
      assert.equal(await ask(path), `${winners[0]!.index}`);
      assert.deepEqual(readdirSync(dirname(path)), ["test.sock"]);
      winners[0]!.server.close();
      await winners[0]!.server.waitClosed();
    }
  });
});

describe("mode", () => {
  for (const mode of [0o600, 0o660, 0o666, 0o777, 0o700, 0o000]) {
    it(`0o${mode.toString(8).padStart(3, "0")} is in force, whatever the umask`, async () => {
      const path = socketPath();
      const umask = process.umask(0o077);
      try {
        await using _ = await serve("one", path, { mode });
        assert.equal(statSync(path).mode & 0o7777, mode);
      } finally {
        process.umask(umask);
      }
    });
  }

  it("is what the umask leaves by default", async () => {
    const path = socketPath();
    const umask = process.umask(0o027);
    try {
      await using _ = await serve("one", path);
      assert.equal(statSync(path).mode & 0o7777, 0o750);
    } finally {
      process.umask(umask);
    }
  });

  it("is in force when the name appears with startServing()", async () => {
    const path = socketPath();
    await using server = await serve("one", path, { mode: 0o640, startServing: false });
    assert.ok(!readdirSync(dirname(path)).includes("test.sock"));
    await server.startServing();
    assert.equal(statSync(path).mode & 0o7777, 0o640);
  });
});

describe("cleanupSocket", () => {
  it("false leaves the file, stale, for the next server to replace", async () => {
    const path = socketPath();
    const first = await serve("first", path, { cleanupSocket: false });
    first.close();
    await first.waitClosed();
    assert.deepEqual(readdirSync(dirname(path)), ["test.sock"]);
    await assert.rejects(openUnixConnection(path), { code: "ECONNREFUSED" });
    const second = await serve("second", path, { cleanupSocket: true });
    assert.equal(await ask(path), "second");
    second.close();
    await second.waitClosed();
    assert.deepEqual(readdirSync(dirname(path)), []);
  });

  it("true removes the file after shutdown() and at the end of an await using block, too", async () => {
    const path = socketPath();
    const first = await serve("first", path);
    await first.shutdown();
    assert.deepEqual(readdirSync(dirname(path)), []);
    {
      await using _ = await serve("second", path);
      assert.deepEqual(readdirSync(dirname(path)), ["test.sock"]);
    }
    assert.deepEqual(readdirSync(dirname(path)), []);
  });

  it("does not remove the file of a successor on the same path", async () => {
    const path = socketPath();
    const first = await serve("first", path);
    unlinkSync(path);
    const second = await serve("second", path);
    first.close();
    await first.waitClosed();
    assert.deepEqual(readdirSync(dirname(path)), ["test.sock"]);
    assert.equal(await ask(path), "second");
    second.close();
    await second.waitClosed();
  });

  it("does not remove a plain file that has taken the name", async () => {
    const path = socketPath();
    const server = await serve("first", path);
    unlinkSync(path);
    writeFileSync(path, "mine");
    server.close();
    await server.waitClosed();
    assert.equal(readFileSync(path, "utf8"), "mine");
  });

  it("succeeds if the file has been removed already", async () => {
    const path = socketPath();
    const server = await serve("first", path);
    unlinkSync(path);
    server.close();
    await server.waitClosed();
    assert.deepEqual(readdirSync(dirname(path)), []);
  });
});
