/** `examples/cluster.ts`: several processes behind one port and one path, restarted and killed while clients come all the time. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import type { SocketAddress } from "asyncio-streams";
import { openTo } from "../support/addresses.js";
import { type Need, needs, needsLinux } from "../support/needs.js";
import { cannot, runtime } from "../support/runtime.js";
import { socketPath } from "../support/temporary.js";
import { until } from "../support/turns.js";
import { exampleCommand, type RunningExample, startExample } from "./run-example.js";

const WORKERS = 2;
const CLIENTS = 4;

/** node:cluster forgets connections that are on their way to a process that is killed: their clients have to give up. In milliseconds. */
const PATIENCE_MS = 10_000;

/** Sends a line over a new connection; returns the process id in front of the answer. */
async function ask(address: SocketAddress): Promise<number> {
  const [reader, writer] = await openTo(address, { timeout: PATIENCE_MS });
  try {
    writer.write("hello\n");
    const pid = /^(\d+) hello\n$/.exec(String(await reader.readline({ timeout: PATIENCE_MS })))?.[1];
    if (pid === undefined) throw new Error("the connection ended without an answer");
    return Number(pid);
  } finally {
    writer.close();
    await writer.waitClosed({ timeout: PATIENCE_MS }).catch(() => {});
  }
}

/** Clients that come one after the other until they are stopped. */
class Load {
  readonly served: Map<number, number> = new Map();
  readonly errors: unknown[] = [];
  #ending = false;
  readonly #clients: Promise<void>[];

  constructor(addresses: readonly SocketAddress[]) {
    this.#clients = Array.from({ length: CLIENTS }, async (_, index) => {
      while (!this.#ending) {
        try {
          const pid = await ask(addresses[index % addresses.length]!);
          this.served.set(pid, (this.served.get(pid) ?? 0) + 1);
        } catch (error) {
          this.errors.push(error);
        }
      }
    });
  }

  /** Waits until so many processes that are not among these have answered. */
  untilServedByOthers(pids: Iterable<number>, count: number): Promise<void> {
    const known = new Set(pids);
    return until(() => [...this.served.keys()].filter((pid) => !known.has(pid)).length >= count);
  }

  async end(): Promise<void> {
    this.#ending = true;
    await Promise.all(this.#clients);
  }
}

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
const hasReusePort =
  runtime === "node" && process.platform === "linux" && (major > 23 || (major === 22 && minor >= 12) || (major === 23 && minor >= 1));

/** The ids of the processes that the example has started. */
function childrenOf({ process: { pid } }: RunningExample): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  return [...text.matchAll(/\d+/g)].map(Number);
}

for (const [how, options] of [
  ["cluster", cannot("cluster-disconnect-under-load", "deno")],
  ["handover", cannot("pass-descriptor", "deno")],
  ["reuse-port", hasReusePort ? {} : { skip: "the runtime has no reusePort" }],
] as const) {
  describe(`the cluster example by ${how}`, options, () => {
    const path = socketPath("c.sock");
    let example: RunningExample;
    let addresses: SocketAddress[];

    before(async () => {
      example = startExample([...exampleCommand("cluster.js"), "0", path, String(WORKERS), how], path);
      const [, port] = /^\d+ listens on 127\.0\.0\.1:(\d+) and /.exec(await example.nextLine()) ?? [];
      addresses = [["127.0.0.1", Number(port)], ...(how === "reuse-port" ? [] : [path])];
    });

    // In case that a test has failed before the end.
    after(() => example.process.kill("SIGKILL"));

    it("serves every address by all processes", async () => {
      for (const address of addresses) {
        const load = new Load([address]);
        await until(() => load.served.size === WORKERS);
        await load.end();
        assert.deepEqual(load.errors, []);
      }
    });

    // With reusePort each process has a queue of its own, which the system resets when the process stops listening.
    const restarts: Need = { skip: how === "reuse-port" && "needs one queue for all processes" };
    it("restarts all processes without a failed client", restarts, async () => {
      const load = new Load(addresses);
      await until(() => load.served.size === WORKERS);
      const old = [...load.served.keys()];
      example.process.kill("SIGHUP");
      assert.equal(await example.nextLine(), "restarted");
      load.served.clear();
      await until(() => load.served.size === WORKERS);
      await load.end();
      assert.deepEqual(
        old.filter((pid) => load.served.has(pid)),
        [],
      );
      assert.deepEqual(load.errors, []);
    });

    it("survives a process that is killed before it serves, and restarts all the same", needs(needsLinux, restarts), async () => {
      const known = childrenOf(example);
      example.process.kill("SIGHUP");
      let started: readonly number[] = [];
      await until(() => {
        started = childrenOf(example).filter((pid) => !known.includes(pid));
        return started.length > 0;
      });
      process.kill(started[0] as number, "SIGKILL");
      assert.equal(await example.nextLine(), "restarted");
      const load = new Load(addresses);
      await until(() => load.served.size === WORKERS);
      await load.end();
      assert.deepEqual(
        [...load.served.keys()].filter((pid) => known.includes(pid)),
        [],
      );
      assert.deepEqual(load.errors, []);
    });

    it("replaces a process that is killed, and fails at most the clients that it had", async () => {
      const load = new Load(addresses);
      await until(() => load.served.size === WORKERS);
      const known = [...load.served.keys()];
      const killed = known[0] as number;
      process.kill(killed, "SIGKILL");
      assert.equal(await example.nextLine(), `${killed} died`);
      await load.untilServedByOthers(known, 1);
      load.served.clear();
      await until(() => load.served.size === WORKERS && [...load.served.values()].every((count) => count > CLIENTS));
      await load.end();
      assert.ok(!load.served.has(killed));
      // Each client may have been with it, and once more before the system has closed its sockets.
      assert.ok(load.errors.length <= 2 * CLIENTS, `${load.errors.length} clients failed: ${String(load.errors[0])}`);
    });

    it("ends by SIGTERM, and leaves no socket file", async () => {
      example.process.kill("SIGTERM");
      assert.equal(await example.ended(), "");
      assert.ok(!existsSync(path));
    });
  });
}
