/** The mode and the owner of a socket are in force before anybody can connect. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { chmodSync, renameSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { describe, it } from "node:test";
import { Worker } from "node:worker_threads";
import type { StartUnixServerOptions } from "asyncio-streams";
import { Child, scriptCommand } from "../support/child.js";
import { needs, needsRoot } from "../support/needs.js";
import { staleSocket } from "../support/stale-socket.js";
import { socketPath } from "../support/temporary.js";
import { ask, end, filesBeside, serve } from "./answering.js";
import { python, pythonCommand } from "./python.js";

const STARTS = Number(process.env["STARTS"] ?? 50);
const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;

/** Modes that keep the connecting process out: it is somebody else if we are root, else it is us. */
const closedModes = isRoot ? [0o600, 0o660, 0o755, 0o000] : [0o000, 0o555];

/** A path in a directory that everybody may enter. */
function openPath(): string {
  const path = socketPath();
  chmodSync(dirname(path), 0o755);
  return path;
}

/**
 * What another process that connects in a loop meets while `action` runs with a umask of 0, and then while a server with `options` runs until `awaited` has been
 * met.
 */
async function besideConnecting(
  path: string,
  options: StartUnixServerOptions,
  awaited: "in" | "EACCES",
  action: () => Promise<void>,
): Promise<Readonly<Record<string, number>>> {
  await using peer = new Child(pythonCommand("connect_loop", path));
  assert.equal(await peer.next(), "connecting");
  const umask = process.umask(0);
  try {
    await action();
    const server = await serve("last", path, options);
    const met: unknown[] = [];
    while (!met.includes(awaited) && !met.includes("in")) met.push(await peer.next());
    await end(server);
  } finally {
    process.umask(umask);
  }
  peer.process.stdin?.end();
  let results: unknown;
  do results = await peer.next();
  while (typeof results === "string");
  return results as Record<string, number>;
}

async function startAndEnd(path: string, options: StartUnixServerOptions): Promise<void> {
  for (let time = 0; time < STARTS; time += 1) await end(await serve("mode", path, options));
}

describe("a process that connects in a loop from before the start", () => {
  for (const mode of closedModes) {
    it(`never connects with mode 0o${mode.toString(8).padStart(3, "0")}`, needs(python), async () => {
      const path = openPath();
      const results = await besideConnecting(path, { mode }, "EACCES", () => startAndEnd(path, { mode }));
      assert.equal(results["in"], undefined, JSON.stringify(results));
    });
  }

  it("never connects when the server starts over a stale file, or takes over", needs(python), async () => {
    const path = openPath();
    const mode = closedModes[0] as number;
    const results = await besideConnecting(path, { mode }, "EACCES", async () => {
      for (let time = 0; time < STARTS; time += 1) {
        // Made elsewhere, since it is live while it is made.
        const stale = await staleSocket(socketPath());
        chmodSync(stale, 0o777);
        renameSync(stale, path);
        const first = await serve("first", path, { mode });
        const second = await serve("second", path, { mode, takeover: true });
        await end(first);
        await end(second);
      }
    });
    assert.equal(results["in"], undefined, JSON.stringify(results));
  });

  it("never connects when the server starts in a worker thread", needs(python), async () => {
    const path = openPath();
    const mode = closedModes[0] as number;
    const results = await besideConnecting(path, { mode }, "EACCES", async () => {
      const worker = new Worker(new URL("./mode-worker.js", import.meta.url), { workerData: { path, options: { mode }, times: STARTS } });
      await new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
      await worker.terminate();
    });
    assert.equal(results["in"], undefined, JSON.stringify(results));
  });

  it("can connect without a mode if the umask allows it", needs(python), async () => {
    const path = openPath();
    const results = await besideConnecting(path, {}, "in", () => startAndEnd(path, {}));
    assert.equal(results["EACCES"], undefined, JSON.stringify(results));
  });
});

describe("the owner of a socket", () => {
  it("is the given user and group, with the mode", needsRoot, async () => {
    const path = openPath();
    const server = await serve("owned", path, { owner: { uid: NOBODY, gid: 12 }, mode: 0o620 });
    const { uid, gid, mode } = statSync(path);
    assert.deepEqual([uid, gid, mode & 0o7777], [NOBODY, 12, 0o620]);
    assert.equal(await ask(path), "owned who");
    await end(server);
    assert.deepEqual(filesBeside(path), []);
  });

  for (const [owner, expected] of [
    [{ uid: NOBODY }, [NOBODY, 0]],
    [{ gid: NOBODY }, [0, NOBODY]],
    [{}, [0, 0]],
  ] as const) {
    it(`${JSON.stringify(owner)} leaves the rest as it is`, needsRoot, async () => {
      const path = openPath();
      const server = await serve("owned", path, { owner });
      const { uid, gid } = statSync(path);
      assert.deepEqual([uid, gid], expected);
      await end(server);
    });
  }

  it("lets the connecting process in from the first moment, or not at all", needs(needsRoot, python), async () => {
    const path = openPath();
    const options = { owner: { uid: NOBODY }, mode: 0o600 };
    const results = await besideConnecting(path, options, "in", () => startAndEnd(path, options));
    assert.equal(results["EACCES"], undefined, JSON.stringify(results));
  });

  it("that this process may not set gives EPERM with the path, and leaves nothing", async () => {
    const path = openPath();
    chmodSync(dirname(path), 0o777);
    await using peer = new Child(scriptCommand("unix/server-child", "nobody"));
    assert.deepEqual(await peer.ask("start", path, { owner: { uid: 0 } }), {
      name: "Error",
      code: "EPERM",
      message: `EPERM: not permitted, listen '${path}'`,
    });
    assert.deepEqual(filesBeside(path), []);
  });
});
