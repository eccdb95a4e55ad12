/** Servers that are killed: what they leave is cleaned up by the next start on the path. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, rmdirSync, symlinkSync, unlinkSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { type StartUnixServerOptions, startUnixServer } from "asyncio-streams";
import { ownerTag } from "#src/net/socket-file/owner-tag.js";
import { bareServer } from "../support/bare-sockets.js";
import { Child, scriptCommand } from "../support/child.js";
import type { Need } from "../support/needs.js";
import { cannot } from "../support/runtime.js";
import { staleSocket } from "../support/stale-socket.js";
import { socketPath } from "../support/temporary.js";
import { answerAs, ask, end, filesBeside, serve } from "./answering.js";

/** The command that runs another in a new PID namespace. */
const NAMESPACE = ["unshare", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"];
const hasNamespaces =
  process.platform === "linux" && spawnSync("unshare", [...NAMESPACE.slice(1), "true"], { stdio: "ignore" }).status === 0;
const needsNamespaces: Need = { skip: !hasNamespaces && "needs the right to make a PID namespace" };

/** The next start on the path works, and cleans up. */
async function assertStarts(path: string, context: string): Promise<void> {
  const server = await serve("next", path);
  assert.equal(await ask(path), "next who", context);
  assert.deepEqual(filesBeside(path), ["test.sock"], context);
  await end(server);
  assert.deepEqual(filesBeside(path), [], context);
}

describe("a server that is killed", () => {
  it("while it serves leaves a stale file, which the next start replaces", async () => {
    const path = socketPath();
    await using doomed = new Child(scriptCommand("unix/server-child"));
    assert.equal(await doomed.ask("start", path), null);
    doomed.process.kill("SIGKILL");
    await doomed.ended;
    assert.deepEqual(filesBeside(path), ["test.sock"]);
    await assertStarts(path, "after SIGKILL");
  });

  it("at any moment of its starts and ends leaves nothing that the next start does not clean up, 24 times", async () => {
    const path = socketPath();
    let leftovers = 0;
    // A few at a time: most of their lives they start their runtime.
    for (let batch = 0; batch < 6; batch += 1) {
      const doomed = Array.from({ length: 4 }, () => new Child(scriptCommand("unix/killed-child", path)));
      for (const peer of doomed) {
        await peer.next();
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 20));
        peer.process.kill("SIGKILL");
        await peer.ended;
        if (readdirSync(dirname(path)).some((name) => name.startsWith(".as-"))) leftovers += 1;
      }
      await assertStarts(path, `batch ${batch}`);
    }
    assert.ok(leftovers > 0, "no start was met in the middle");
  });

  for (const [what, prepare, options] of [
    ["on a free path", async () => {}, { mode: 0o600 }],
    ["over a stale file", (path: string) => staleSocket(path), { mode: 0o600 }],
    ["that takes over", (path: string) => staleSocket(path), { mode: 0o600, takeover: true }],
  ] as const satisfies readonly (readonly [string, (path: string) => Promise<unknown>, StartUnixServerOptions])[]) {
    const name = `before any step of a start ${what} leaves nothing that the next does not clean up`;
    it(name, cannot("patched-built-in-modules", "bun", "deno"), async () => {
      const path = socketPath();
      const run = async (step: number): Promise<number | null> => {
        await using peer = new Child(scriptCommand("unix/step-child", path, `${step}`, JSON.stringify(options)));
        const { signal } = await peer.ended;
        return signal === "SIGKILL" ? null : await peer.next<number>();
      };
      await prepare(path);
      const steps = (await run(0)) as number;
      assert.ok(steps >= 4, `${steps} steps`);
      await assertStarts(path, "before the steps");
      for (let step = 1; step <= steps; step += 1) {
        await prepare(path);
        assert.equal(await run(step), null, `step ${step} of ${steps}`);
        await assertStarts(path, `step ${step} of ${steps}`);
      }
    });
  }
});

describe("hidden directories in the socket's directory", () => {
  /** Marks of no process: ids are below 2 ** 22. */
  const namespace = ownerTag().split("-")[1]!.slice(0, 3);
  const gone = (2 ** 30).toString(36);

  for (const [what, mark] of [
    ["of a process that is gone", `${gone}-${namespace}000`],
    ["of a process that had our id", `${process.pid.toString(36)}-${namespace}${ownerTag().endsWith("zzz") ? "yyy" : "zzz"}`],
  ] as const) {
    it(`${what} are removed`, async () => {
      const path = socketPath();
      const directory = join(dirname(path), `.as-${mark}-0123`);
      mkdirSync(directory);
      for (const name of ["s", "stale"]) await staleSocket(join(directory, name));
      await assertStarts(path, what);
    });
  }

  for (const [what, mark, seconds, kept] of [
    ["of this process", ownerTag(), 1e6, true],
    ["of a process in another container", `${gone}-${namespace === "zzz" ? "yyy" : "zzz"}000`, 10, true],
    ["of a process in another container, if they are old,", `${gone}-${namespace === "zzz" ? "yyy" : "zzz"}000`, 1000, false],
  ] as const) {
    it(`${what} are ${kept ? "left alone" : "removed"}`, async () => {
      const path = socketPath();
      const directory = join(dirname(path), `.as-${mark}-0123`);
      mkdirSync(directory);
      const then = Date.now() / 1000 - seconds;
      utimesSync(directory, then, then);
      await end(await serve("next", path));
      assert.deepEqual(filesBeside(path), kept ? [`.as-${mark}-0123`] : []);
      if (kept) rmdirSync(directory);
    });
  }

  for (const [what, mark, kept] of [
    ["of another container in which a server listens", `${gone}-${namespace === "zzz" ? "yyy" : "zzz"}000`, true],
    ["of a process that is gone by its name, but in which a server listens,", `${gone}-${namespace}000`, true],
    ["of another container, with a socket on which no server listens,", `${gone}-${namespace === "zzz" ? "yyy" : "zzz"}000`, false],
  ] as const) {
    it(`${what} are ${kept ? "left alone" : "removed"}, if they are old`, async () => {
      const path = socketPath();
      const directory = join(dirname(path), `.as-${mark}-0123`);
      mkdirSync(directory, { mode: 0o700 });
      if (!kept) await staleSocket(join(directory, "s"));
      const live = kept ? await bareServer(join(directory, "s")) : null;
      live?.server.on("connection", (socket) => socket.destroy());
      utimesSync(directory, 1e9, 1e9);
      await end(await serve("next", path));
      assert.deepEqual(filesBeside(path), kept ? [`.as-${mark}-0123`] : []);
      if (!kept) return;
      assert.deepEqual(readdirSync(directory), ["s"]);
      // It has seen one connection, which closed at once.
      await live?.[Symbol.asyncDispose]();
      rmdirSync(directory);
    });
  }

  it(
    "are left alone by a start in another PID namespace while their server is alive, and removed when it is not",
    needsNamespaces,
    async () => {
      const path = socketPath("first.sock");
      let clients = 0;
      const answer = answerAs("first");
      const count: typeof answer = (...client) => {
        clients += 1;
        return answer(...client);
      };
      const first = await startUnixServer(count, path, { startServing: false });
      const [hidden] = filesBeside(path) as [string];
      utimesSync(join(dirname(path), hidden), 1e9, 1e9);
      const other = join(dirname(path), "other.sock");
      {
        await using child = new Child([...NAMESPACE, ...scriptCommand("unix/server-child")]);
        assert.equal(await child.ask("start", other, { startServing: false }), null);
        assert.equal(filesBeside(path).length, 2);
      }
      await first.startServing();
      assert.equal(await ask(path), "first who");
      assert.equal(clients, 1, "the other start is not a client");
      const left = filesBeside(path).filter((name) => name.startsWith(".as-"));
      assert.equal(left.length, 1);
      // As if it were some minutes later.
      utimesSync(join(dirname(path), left[0] as string), 1e9, 1e9);
      // The system closes the sockets of a killed process a moment after its output.
      for (let starts = 0; starts < 100 && filesBeside(path).length > 1; starts += 1) await end(await serve("other", other));
      assert.deepEqual(filesBeside(path), ["first.sock"]);
      await end(first);
      assert.deepEqual(filesBeside(path), []);
    },
  );

  it("are not looked for behind a symbolic link", async () => {
    const path = socketPath();
    const target = join(dirname(path), "target");
    mkdirSync(target);
    writeFileSync(join(target, "s"), "not ours");
    const link = join(dirname(path), `.as-${gone}-${namespace}000-0123`);
    symlinkSync(target, link);
    await end(await serve("next", path));
    assert.deepEqual(readdirSync(target), ["s"]);
    unlinkSync(link);
  });
});
