/** Clients that have connected, and that the server has not seen yet when it closes. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { openUnixConnection, type Server, startUnixServer } from "asyncio-streams";
import { Child } from "../support/child.js";
import { needs } from "../support/needs.js";
import { cannot } from "../support/runtime.js";
import { socketPath, temporaryDirectory } from "../support/temporary.js";
import { answerAs, ask, end, filesBeside, serve } from "./answering.js";
import { python, pythonCommand } from "./python.js";

const CLIENTS = 20;

/** Connects clients while this thread sleeps, so that all of them are in the queue and none has been accepted. */
function fillQueue(path: string): Child {
  const marker = join(temporaryDirectory(), "connected");
  const peer = new Child(pythonCommand("queue", path, `${CLIENTS}`, marker));
  const pause = new Int32Array(new SharedArrayBuffer(4));
  while (!existsSync(marker)) Atomics.wait(pause, 0, 0, 1);
  return peer;
}

const answersOf = (name: string): string[] => Array.from({ length: CLIENTS }, (_, number) => `${name} ${number}`);

describe("a client in the queue when the server closes", () => {
  it("is answered", needs(python), async () => {
    const path = socketPath();
    const server = await serve("closing", path);
    await using peer = fillQueue(path);
    server.close();
    assert.deepEqual(filesBeside(path), []);
    assert.deepEqual(await peer.next(), answersOf("closing"));
    await server.waitClosed();
    await peer.ended;
  });

  it("is answered by the old server when it has been taken over, and then closes", needs(python), async () => {
    const path = socketPath();
    const old = await serve("old", path);
    const starting = serve("new", path, { takeover: true });
    await using peer = fillQueue(path);
    const successor = await starting;
    old.close();
    const answers = await peer.next<string[]>();
    assert.deepEqual(
      answers.map((answer) => answer.replace(/^(old|new) /, "")),
      answersOf("").map((answer) => answer.trim()),
    );
    assert.equal(await ask(path), "new who");
    await old.waitClosed();
    await end(successor);
    await peer.ended;
  });

  it("is answered when the name has been removed", needs(python), async () => {
    const path = socketPath();
    const server = await serve("vanished", path);
    await using peer = fillQueue(path);
    unlinkSync(path);
    server.close();
    assert.deepEqual(await peer.next(), answersOf("vanished"));
    await server.waitClosed();
    await peer.ended;
  });

  it("keeps waitClosed() waiting", needs(python), async () => {
    const path = socketPath();
    const answer = answerAs("waited for");
    let served = 0;
    const server = await startUnixServer(async (reader, writer, context) => {
      served += 1;
      await answer(reader, writer, context);
    }, path);
    await using peer = fillQueue(path);
    server.close();
    assert.equal(served, 0);
    await server.waitClosed();
    assert.equal(served, CLIENTS);
    assert.deepEqual(await peer.next(), answersOf("waited for"));
    await peer.ended;
  });

  it("is not joined by others, because the name is removed at once", async () => {
    const path = socketPath();
    const server: Server = await serve("closing", path);
    server.close();
    await assert.rejects(openUnixConnection(path), { code: "ENOENT" });
    await server.waitClosed();
  });
});

describe("the queue of a server", () => {
  const options = needs(python, cannot("backlog", "bun"));

  it("is as short as can be with backlog 0", options, async () => {
    const path = socketPath();
    await using _server = await serve("short", path, { backlog: 0 });
    // Nobody accepts while this thread waits for the other process. Deno: takes in a few in a thread of its own.
    const { status, stderr, stdout } = spawnSync(python.binary, ["-c", CONNECT_UNTIL_FULL, path], { encoding: "utf8" });
    assert.equal(status, 0, stderr);
    assert.ok(Number(stdout) >= 1 && Number(stdout) <= 20, stdout);
  });
});

/** Connects until the queue is full, and prints how often that was possible. */
const CONNECT_UNTIL_FULL = `
import socket, sys
clients = []
try:
    while len(clients) < 600:
        client = socket.socket(socket.AF_UNIX)
        client.setblocking(False)
        client.connect(sys.argv[1])
        clients.append(client)
except BlockingIOError:
    pass
print(len(clients))
`;

describe("the name of a server that is removed while it serves", () => {
  it("does not affect its clients, and a new server may take it", async () => {
    const path = socketPath();
    const first = await serve("first", path);
    const [reader, writer] = await openUnixConnection(path);
    unlinkSync(path);
    const second = await serve("second", path);
    writer.write("who\n");
    assert.equal((await reader.readline()).toString(), "first who\n");
    assert.equal(await ask(path), "second who");
    writer.close();
    await end(first);
    assert.equal(await ask(path), "second who");
    await end(second);
    assert.deepEqual(filesBeside(path), []);
  });
});
