/** A process that runs out of file descriptors: a child whose limit is low. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { dirname } from "node:path";
import { describe, it } from "node:test";
import type { ServerStats } from "asyncio-streams";
import { scriptCommand } from "../support/child.js";
import { needs, needsLinux } from "../support/needs.js";
import { cannot } from "../support/runtime.js";
import { socketPath } from "../support/temporary.js";
import { turns, until } from "../support/turns.js";
import { type Connection, type Serving, startServing } from "./serving.js";

const DESCRIPTORS = 128;

/** A server in a process that may have few descriptors. It has to end by itself, with nothing left to do. */
function startPoor(path: string, options: object = {}): Promise<Serving> {
  const command = scriptCommand("faults/descriptors-child", path, JSON.stringify(options));
  return startServing(["sh", "-c", `ulimit -n ${DESCRIPTORS}; exec "$@"`, "sh", ...command], async (child) => {
    assert.deepEqual(await child.end(), { code: 0, signal: null });
  });
}

/** Sends a line; returns what comes back: the line, or nothing if the connection was closed. */
async function say([reader, writer]: Connection, line: string): Promise<string> {
  writer.write(line);
  return (await reader.readline().catch(() => Buffer.alloc(0))).toString();
}

for (const [name, newPath] of [
  ["Unix", () => socketPath()],
  ["TCP", () => ""],
] as const) {
  describe(`no descriptor left for a server over ${name}`, needs(needsLinux, cannot("out-of-descriptors", "deno")), () => {
    it("harms no connected client", async () => {
      await using poor = await startPoor(newPath());
      const clients = [await poor.connect(), await poor.connect()];
      for (const client of clients) assert.equal(await say(client, "before\n"), "before\n");
      assert.equal(await poor.child.ask("fill"), "EMFILE");
      const others = [await poor.connect(), await poor.connect()];
      for (const client of clients) assert.equal(await say(client, "meanwhile\n"), "meanwhile\n");
      await poor.child.ask("free");
      for (const client of clients) assert.equal(await say(client, "afterwards\n"), "afterwards\n");
      const { errors } = await poor.child.ask<{ errors: unknown[] }>("stats");
      assert.deepEqual(errors, []);
      for (const [, writer] of others) writer.abort();
    });

    it("leaves no new client hanging: it is closed, or served once there is a descriptor", async () => {
      await using poor = await startPoor(newPath());
      await poor.child.ask("fill");
      const clients = await Promise.all(Array.from({ length: 5 }, () => poor.connect()));
      const answers = clients.map((client) => say(client, "hello\n"));
      await turns(20);
      await poor.child.ask("free");
      for (const answer of await Promise.all(answers)) assert.match(answer, /^(hello\n)?$/);
    });

    it("costs no CPU time while the server waits for a descriptor", cannot("idle-without-descriptors", "bun"), async () => {
      await using poor = await startPoor(newPath());
      await poor.child.ask("fill");
      await Promise.all(Array.from({ length: 5 }, () => poor.connect()));
      const cpuMs = await poor.child.ask<number>("idle");
      assert.ok(cpuMs < 100, `${cpuMs} ms of CPU time in 500 ms`);
    });

    it("ends when there is a descriptor: the next client is served", async () => {
      await using poor = await startPoor(newPath());
      for (let time = 0; time < 3; time += 1) {
        assert.equal(await poor.child.ask("fill"), "EMFILE");
        await poor.connect();
        await poor.child.ask("free");
        assert.equal(await say(await poor.connect(), "hello\n"), "hello\n");
      }
    });
  });

  describe(`maxConnections and backlog that together stay below the limit of descriptors over ${name}`, needsLinux, () => {
    it("keep descriptors free", async () => {
      await using poor = await startPoor(newPath(), { maxConnections: 20, backlog: 20 });
      const clients = await Promise.all(Array.from({ length: 150 }, () => poor.connect().catch(() => null)));
      let served = 0;
      for (const client of clients) if (client !== null) void say(client, "hello\n").then((answer) => (served += answer === "" ? 0 : 1));
      await until(() => served === 20);
      let stats = await poor.child.ask<ServerStats>("stats");
      // Those who are served may be so before the last has been accepted.
      while (stats.refused === 0) stats = await poor.child.ask<ServerStats>("stats");
      assert.deepEqual([stats.active, stats.waiting], [20, 20]);
    });
  });
}

describe("no descriptor left for a call", needs(needsLinux, cannot("calls-without-descriptors", "bun", "deno")), () => {
  it("that connects gives EMFILE, and works when there is a descriptor again", async () => {
    await using poor = await startPoor(socketPath());
    await poor.child.ask("fill");
    assert.equal(await poor.child.ask("connect"), "EMFILE");
    await poor.child.ask("free");
    assert.equal(await poor.child.ask("connect"), null);
  });

  it("that listens gives EMFILE, and leaves nothing", async () => {
    const path = socketPath();
    await using poor = await startPoor(path);
    await poor.child.ask("fill");
    assert.equal(await poor.child.ask("listen"), "EMFILE");
    assert.deepEqual(readdirSync(dirname(path)), ["test.sock"]);
  });
});
