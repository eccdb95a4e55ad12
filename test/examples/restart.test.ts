/** `examples/restart.ts`: restarted again and again while clients send, it loses and doubles no line of any connection. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { copyFileSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, it } from "node:test";
import { openUnixConnection } from "asyncio-streams";
import { needs, needsLinux } from "../support/needs.js";
import { root } from "../support/repository.js";
import { cannot } from "../support/runtime.js";
import { socketPath } from "../support/temporary.js";
import { exampleCommand, startExample } from "./run-example.js";

/** Restarts; `RESTARTS=50 node scripts/test.mjs examples/restart` makes more. */
const RESTARTS = Number(process.env["RESTARTS"] ?? 4);
const CLIENTS = 4;

/** Lines that a client sends before it waits for an answer. */
const AHEAD = 20;

/** Sends lines until it is ended, and checks that the answers count them all, in order. Returns the processes that have answered. */
class CountingClient {
  readonly pids: Set<number> = new Set();
  #ending = false;
  readonly #done: Promise<void>;

  constructor(path: string) {
    this.#done = this.#run(path);
  }

  async #run(path: string): Promise<void> {
    const [reader, writer] = await openUnixConnection(path);
    const sent: string[] = [];
    let answers = 0;
    const answer = async (): Promise<void> => {
      const [, count, pid, line] = /^(\d+) (\d+) (.*\n)$/.exec(String(await reader.readline())) ?? [];
      answers += 1;
      assert.deepEqual([Number(count), line], [answers, sent.shift()]);
      this.pids.add(Number(pid));
    };
    for (let number = 0; !this.#ending; number += 1) {
      const line = `${number} ${"x".repeat((number * 37) % 1_900)}\n`;
      sent.push(line);
      writer.write(line);
      await writer.drain();
      if (sent.length >= AHEAD) await answer();
    }
    while (sent.length > 0) await answer();
    writer.close();
    await writer.waitClosed();
  }

  end(): Promise<void> {
    this.#ending = true;
    return this.#done;
  }
}

describe("the restart example", needs(needsLinux, cannot("detach-connection", "deno")), () => {
  it(`keeps every connection through ${RESTARTS} restarts under load`, async () => {
    const path = socketPath("r.sock");
    const example = startExample([...exampleCommand("restart.js"), path], path);
    let pid = Number(/^(\d+) serves /.exec(await example.nextLine())?.[1]);
    const clients = Array.from({ length: CLIENTS }, () => new CountingClient(path));
    for (let restart = 0; restart < RESTARTS; restart += 1) {
      process.kill(pid, "SIGHUP");
      pid = Number(/^(\d+) serves /.exec(await example.nextLine())?.[1]);
      // A client that connects now is served, and those from before go on.
      const late = new CountingClient(path);
      while (!clients.every(({ pids }) => pids.has(pid)) || !late.pids.has(pid)) await new Promise((resolve) => setImmediate(resolve));
      await late.end();
    }
    await Promise.all(clients.map((client) => client.end()));
    for (const { pids } of clients) assert.equal(pids.size, RESTARTS + 1);
    process.kill(pid);
    await example.ended();
  });

  it("goes on if the successor dies before it serves", async (t) => {
    const path = socketPath("d.sock");
    const program = join(root, "build", "examples", `restart-${process.pid}.js`);
    copyFileSync(join(root, "build", "examples", "restart.js"), program);
    const example = startExample([...exampleCommand(basename(program)), path], path);
    t.after(() => example.process.kill("SIGKILL"));
    const pid = Number(/^(\d+) serves /.exec(await example.nextLine())?.[1]);
    rmSync(program); // the successor finds no program
    const client = new CountingClient(path);
    while (client.pids.size === 0) await new Promise((resolve) => setImmediate(resolve));
    process.kill(pid, "SIGHUP");
    assert.match(await example.nextLine(), new RegExp(`^${pid} goes on without a successor: `));
    const late = new CountingClient(path);
    while (late.pids.size === 0) await new Promise((resolve) => setImmediate(resolve));
    await Promise.all([client.end(), late.end()]);
    assert.deepEqual([...client.pids, ...late.pids], [pid, pid]);
    process.kill(pid);
    await example.ended();
  });
});
