/** Restarts by takeover: clients that connect without pause notice nothing. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { lstatSync } from "node:fs";
import { describe, it } from "node:test";
import { openUnixConnection, type Server } from "asyncio-streams";
import { Child, scriptCommand } from "../support/child.js";
import { staleSocket } from "../support/stale-socket.js";
import { socketPath } from "../support/temporary.js";
import { until } from "../support/turns.js";
import { ask, end, filesBeside, serve } from "./answering.js";
import { Clients } from "./clients.js";

const RESTARTS = 50;

describe("takeover", () => {
  it(`${RESTARTS} times in one process, the old server closing after the new one is up: not one client is refused, reset or unanswered`, async () => {
    const path = socketPath();
    let current: Server = await serve("0", path);
    const ends: Promise<void>[] = [];
    {
      await using clients = new Clients(path);
      for (let restart = 1; restart <= RESTARTS; restart += 1) {
        const old = current;
        current = await serve(`${restart}`, path, { takeover: true });
        ends.push(end(old));
        assert.deepEqual(filesBeside(path), ["test.sock"]);
        // Each has served somebody before it is replaced.
        await until(() => clients.answers.has(`${restart}`) || clients.failures.length > 0);
        assert.deepEqual(clients.failures, []);
      }
      await clients[Symbol.asyncDispose]();
      assert.deepEqual(clients.failures, []);
      assert.ok(clients.total > RESTARTS);
    }
    await Promise.all(ends);
    await end(current);
    assert.deepEqual(filesBeside(path), []);
  });

  it(`${RESTARTS} times between processes: not one client is refused, reset or unanswered`, async () => {
    const path = socketPath();
    await using one = new Child(scriptCommand("unix/server-child"));
    await using two = new Child(scriptCommand("unix/server-child"));
    assert.equal(await one.ask("start", path), null);
    await using clients = new Clients(path);
    let [old, successor] = [one, two];
    for (let restart = 1; restart <= RESTARTS; restart += 1) {
      assert.equal(await successor.ask("start", path, { takeover: true }), null);
      const before = clients.answers.get(`${successor.process.pid}`) ?? 0;
      assert.equal(await old.ask("close"), "closed");
      await until(() => (clients.answers.get(`${successor.process.pid}`) ?? 0) > before || clients.failures.length > 0);
      assert.deepEqual(clients.failures, []);
      [old, successor] = [successor, old];
    }
    await clients[Symbol.asyncDispose]();
    assert.deepEqual(clients.failures, []);
    assert.deepEqual(filesBeside(path), ["test.sock"]);
    assert.equal(await old.ask("close"), "closed");
    assert.deepEqual(filesBeside(path), []);
    await Promise.all([one.end(), two.end()]);
  });

  it("5 times between processes that end when their last client has gone: not one client is refused, reset or unanswered", async () => {
    const path = socketPath();
    const start = async (): Promise<Child> => {
      const peer = new Child(scriptCommand("unix/takeover-child", path));
      assert.equal(await peer.next(), "serving");
      return peer;
    };
    let old = await start();
    const clients = new Clients(path);
    for (let restart = 0; restart < 5; restart += 1) {
      const successor = await start();
      await until(() => clients.answers.has(`${successor.process.pid}`) || clients.failures.length > 0);
      assert.equal(await old.ask("close"), "closed");
      assert.deepEqual(await old.ended, { code: 0, signal: null });
      old = successor;
    }
    await clients[Symbol.asyncDispose]();
    assert.deepEqual(clients.failures, []);
    assert.equal(await old.ask("close"), "closed");
    await old.ended;
    assert.deepEqual(filesBeside(path), []);
  });

  it("leaves the old server its clients", async () => {
    const path = socketPath();
    const old = await serve("old", path);
    const [reader, writer] = await openUnixConnection(path);
    const successor = await serve("new", path, { takeover: true });
    old.close();
    writer.write("who\n");
    assert.equal((await reader.readline()).toString(), "old who\n");
    assert.equal(await ask(path), "new who");
    writer.close();
    await old.waitClosed();
    await end(successor);
  });

  it("the old server's close() does not touch the new file, whenever it comes", async () => {
    const path = socketPath();
    const old = await serve("old", path);
    const successor = await serve("new", path, { takeover: true });
    const { ino } = lstatSync(path);
    await end(old);
    assert.equal(lstatSync(path).ino, ino);
    assert.deepEqual(filesBeside(path), ["test.sock"]);
    assert.equal(await ask(path), "new who");
    await end(successor);
    assert.deepEqual(filesBeside(path), []);
  });

  it("the old server serves without a name until it is closed", async () => {
    const path = socketPath();
    const old = await serve("old", path);
    const successor = await serve("new", path, { takeover: true });
    assert.deepEqual([old.isServing(), old.sockets[0]!.getsockname()], [true, path]);
    await end(successor);
    assert.deepEqual(filesBeside(path), []);
    await end(old);
  });

  for (const [what, prepare] of [
    ["a free path", async () => {}],
    ["a stale file", (path: string) => staleSocket(path)],
  ] as const) {
    it(`of ${what} is an ordinary start`, async () => {
      const path = socketPath();
      await prepare(path);
      const server = await serve("new", path, { takeover: true, mode: 0o640 });
      assert.equal(lstatSync(path).mode & 0o777, 0o640);
      assert.deepEqual(filesBeside(path), ["test.sock"]);
      assert.equal(await ask(path), "new who");
      await end(server);
      assert.deepEqual(filesBeside(path), []);
    });
  }

  it("with startServing: false takes the name when serving starts, not before", async () => {
    const path = socketPath();
    const old = await serve("old", path);
    const successor = await serve("new", path, { takeover: true, startServing: false });
    assert.equal(await ask(path), "old who");
    await successor.startServing();
    assert.equal(await ask(path), "new who");
    await end(old);
    await end(successor);
  });
});
