/** Paths on which somebody is: he is told of, and not disturbed. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, lstatSync, mkdirSync, readlinkSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { openUnixConnection, startUnixServer } from "asyncio-streams";
import { Child, scriptCommand } from "../support/child.js";
import { needs, needsLinux } from "../support/needs.js";
import type { Outcome } from "../support/outcome.js";
import { staleSocket } from "../support/stale-socket.js";
import { socketPath } from "../support/temporary.js";
import { ask, end, filesBeside, serve } from "./answering.js";
import { python, pythonCommand } from "./python.js";

const identity = (path: string): string => {
  const { dev, ino, mode, mtimeMs } = lstatSync(path);
  return JSON.stringify([dev, ino, mode, mtimeMs]);
};

describe("startUnixServer() on the path of a live server", () => {
  it("gives EADDRINUSE, with a message that says so", async () => {
    const path = socketPath();
    const live = await serve("live", path);
    await assert.rejects(serve("second", path), {
      code: "EADDRINUSE",
      syscall: "listen",
      path,
      message: `EADDRINUSE: address already in use: a live server listens on this path, listen '${path}'`,
    });
    await end(live);
  });

  it("disturbs it by no more than one connection that closes at once", async () => {
    const path = socketPath();
    const clients: Promise<Buffer>[] = [];
    const live = await startUnixServer((reader, writer) => {
      clients.push(reader.read());
      writer.close();
    }, path);
    await assert.rejects(serve("second", path), { code: "EADDRINUSE" });
    await end(live);
    assert.ok(clients.length <= 1, `${clients.length} connections`);
    for (const said of clients) assert.equal((await said).length, 0);
  });

  it("leaves the clients that it has alone, 50 times", async () => {
    const path = socketPath();
    const live = await serve("live", path, { onClientError: assert.fail });
    const [reader, writer] = await openUnixConnection(path);
    for (let time = 0; time < 50; time += 1) {
      await assert.rejects(serve("second", path), { code: "EADDRINUSE" });
      writer.write(`${time}\n`);
      assert.equal((await reader.readline()).toString(), `live ${time}\n`);
    }
    writer.close();
    await end(live);
    assert.deepEqual(filesBeside(path), []);
  });

  for (const kind of ["full", "dgram", "seqpacket"] as const) {
    const what = { full: "has a full queue", dgram: "is a datagram socket", seqpacket: "is a packet socket" }[kind];
    it(`that ${what} gives EADDRINUSE, and says that its state is unknown`, needs(python), async () => {
      const path = socketPath();
      await using other = new Child(pythonCommand("sockets", kind, path));
      assert.equal(await other.next(), "ready");
      const before = identity(path);
      await assert.rejects(serve("second", path), { code: "EADDRINUSE", message: /the path is a socket.*probe for a live server failed/ });
      assert.equal(identity(path), before);
      assert.deepEqual(filesBeside(path), ["test.sock"]);
      await other.end();
      unlinkSync(path);
    });
  }

  it("that this process may not connect to gives EADDRINUSE, and says that its state is unknown", needsLinux, async () => {
    const path = socketPath();
    chmodSync(dirname(path), 0o777);
    const live = await serve("live", path, { mode: 0o000 });
    const before = identity(path);
    await using somebody = new Child(scriptCommand("unix/server-child", "nobody"));
    const error = await somebody.ask<Outcome | null>("start", path);
    assert.equal(error?.code, "EADDRINUSE");
    assert.match(error?.message ?? "", /probe for a live server failed.*EACCES/);
    assert.equal(identity(path), before);
    assert.deepEqual(filesBeside(path), ["test.sock"]);
    await somebody.end();
    await end(live);
  });

  it("a socket that is bound and does not listen is stale", needs(python), async () => {
    const path = socketPath();
    await using other = new Child(pythonCommand("sockets", "bound", path));
    assert.equal(await other.next(), "ready");
    const server = await serve("second", path);
    assert.equal(await ask(path), "second who");
    await other.end();
    await end(server);
  });
});

describe("a file that is not a socket", () => {
  const kinds: readonly (readonly [string, (path: string) => unknown])[] = [
    ["a plain file", (path) => writeFileSync(path, "content")],
    ["a directory", (path) => mkdirSync(path)],
    ["a FIFO", (path) => execFileSync("mkfifo", [path])],
    ["a link to nothing", (path) => symlinkSync("nowhere", path)],
    ["a link into a directory that does not exist", (path) => symlinkSync("no/where", path)],
    ["a link to itself", (path) => symlinkSync(path, path)],
    ["a link to a plain file", (path) => symlinkSync("/etc/hosts", path)],
    ["a link to a directory", (path) => symlinkSync("/", path)],
  ];
  for (const [what, make] of kinds) {
    for (const takeover of [false, true]) {
      it(`${what} is never touched${takeover ? ", not by takeover either" : ""}`, async () => {
        const path = socketPath();
        await make(path);
        const [before, files] = [identity(path), filesBeside(path)];
        await assert.rejects(serve("second", path, { takeover }), {
          code: "EADDRINUSE",
          path,
          message: what.startsWith("a link") ? /a symbolic link that does not lead to a socket/ : /the path is a file that is not a socket/,
        });
        assert.equal(identity(path), before);
        assert.deepEqual(filesBeside(path), files);
        rmSync(dirname(path), { recursive: true });
        mkdirSync(dirname(path));
      });
    }
  }
});

describe("a symbolic link as the path of a server", () => {
  /** A path with a link to `target.sock` beside it. */
  function linkToTarget(): { readonly path: string; readonly target: string } {
    const target = socketPath("target.sock");
    const path = join(dirname(target), "link.sock");
    symlinkSync("target.sock", path);
    return { path, target };
  }

  for (const takeover of [false, true]) {
    it(`that leads to a stale socket is replaced, as in asyncio, and its target is left${takeover ? ", by takeover" : ""}`, async () => {
      const { path, target } = linkToTarget();
      await staleSocket(target);
      const before = identity(target);
      const server = await serve("new", path, { takeover, mode: 0o640 });
      assert.ok(lstatSync(path).isSocket());
      assert.equal(lstatSync(path).mode & 0o777, 0o640);
      assert.equal(await ask(path), "new who");
      assert.equal(identity(target), before);
      await end(server);
      assert.deepEqual(filesBeside(path), ["target.sock"]);
      unlinkSync(target);
    });
  }

  it("that leads to a live server gives EADDRINUSE, and both are left alone", async () => {
    const { path, target } = linkToTarget();
    const live = await serve("live", target);
    await assert.rejects(serve("second", path), { code: "EADDRINUSE", path, message: /a live server listens on this path/ });
    assert.equal(readlinkSync(path), "target.sock");
    assert.equal(await ask(path), "live who");
    assert.deepEqual(filesBeside(path), ["link.sock", "target.sock"]);
    await end(live);
    unlinkSync(path);
  });

  it("that leads to a live server is replaced by a takeover, as in asyncio, and the server keeps its own name", async () => {
    const { path, target } = linkToTarget();
    const live = await serve("live", target);
    const server = await serve("new", path, { takeover: true });
    assert.deepEqual([await ask(path), await ask(target)], ["new who", "live who"]);
    await end(live);
    assert.deepEqual(filesBeside(path), ["link.sock"]);
    await end(server);
    assert.deepEqual(filesBeside(path), []);
  });

  it("is used by clients, whatever it leads to", async () => {
    const { path, target } = linkToTarget();
    const live = await serve("live", target);
    assert.equal(await ask(path), "live who");
    await end(live);
    await assert.rejects(ask(path), { code: "ENOENT" });
    unlinkSync(path);
  });
});
