/**
 * Another user may rename files in the socket's directory, and exchanges what lies there between two steps of a start. No other file gets the
 * mode or the owner of the socket, and none is removed. `scripts/races.mjs` does the same with another process that is as fast as it can.
 */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs, {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { basename, dirname, join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { Directory } from "#src/net/socket-file/directory.js";
import { Child, scriptCommand } from "../support/child.js";
import { type Need, needs, needsLinux, needsRoot } from "../support/needs.js";
import type { Outcome } from "../support/outcome.js";
import { cannot } from "../support/runtime.js";
import { socketPath, temporaryDirectory } from "../support/temporary.js";
import { ask, end, filesBeside, serve } from "./answering.js";

const NOBODY = 65_534;

/** Exchanges the hidden directory for what `replace` makes, after a call of a function of `node:fs` that makes it. */
let exchange: ((hidden: string) => void) | null = null;
const original = fs.mkdirSync;

beforeEach(() => {
  fs.mkdirSync = ((path: string, options: fs.MakeDirectoryOptions) => {
    const made = original(path, options);
    const now = exchange;
    exchange = null;
    if (basename(path).startsWith(".as-")) now?.(path);
    return made;
  }) as typeof fs.mkdirSync;
  syncBuiltinESMExports();
});

afterEach(() => {
  fs.mkdirSync = original;
  syncBuiltinESMExports();
});

/** The command that runs another with nothing in `/proc`. */
const WITHOUT_PROC = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs tmpfs /proc && exec "$@"', "sh"];
const hasMounts =
  process.platform === "linux" && spawnSync("unshare", [...WITHOUT_PROC.slice(1), "true"], { stdio: "ignore" }).status === 0;
const needsMounts: Need = { skip: !hasMounts && "needs the right to mount a file system" };

/** What must not change: a directory with files whose names are those in a hidden directory. */
function vault(): { readonly path: string; readonly state: () => unknown } {
  const path = temporaryDirectory();
  for (const name of ["s", "stale"]) writeFileSync(join(path, name), name, { mode: 0o600 });
  const state = (): unknown =>
    readdirSync(path).map((name) => {
      const { uid, gid, mode } = lstatSync(join(path, name));
      return [name, uid, gid, mode, readFileSync(join(path, name), "utf8")];
    });
  return { path, state };
}

const patched = cannot("patched-built-in-modules", "bun", "deno");

describe("a hidden directory that is exchanged as soon as it is made", needs(needsLinux, patched), () => {
  for (const [what, need, replace] of [
    ["a link to another directory", needsLinux, (hidden: string, target: string) => symlinkSync(target, hidden)],
    [
      "a directory of another user",
      needsRoot,
      (hidden: string) => {
        mkdirSync(hidden, { mode: 0o700 });
        chownSync(hidden, NOBODY, NOBODY);
      },
    ],
    [
      "a directory of this user that others may enter",
      needsLinux,
      (hidden: string) => {
        mkdirSync(hidden);
        chmodSync(hidden, 0o777);
      },
    ],
    [
      "a directory of this user that is not empty",
      needsLinux,
      (hidden: string) => {
        mkdirSync(hidden, { mode: 0o700 });
        writeFileSync(join(hidden, "s"), "");
      },
    ],
  ] as const) {
    it(`for ${what} gives EACCES, and that is left alone`, need, async () => {
      const { path: target, state } = vault();
      const path = socketPath();
      const before = state();
      let replaced = "";
      let identity: unknown;
      const look = (): unknown => {
        const { ino, mode, uid } = lstatSync(replaced);
        return [ino, mode, uid, readdirSync(replaced)];
      };
      exchange = (hidden) => {
        replaced = join(dirname(path), basename(hidden));
        renameSync(hidden, join(dirname(path), "moved"));
        replace(replaced, target);
        identity = look();
      };
      await assert.rejects(serve("exchanged", path, { mode: 0o666, owner: { uid: process.getuid?.() ?? 0 } }), {
        code: "EACCES",
        syscall: "listen",
        path,
        message: /another user has exchanged the directory/,
      });
      assert.deepEqual(state(), before);
      if (lstatSync(replaced, { throwIfNoEntry: false }) !== undefined) assert.deepEqual(look(), identity);
      assert.ok(!filesBeside(path).includes("test.sock"));
      rmSync(replaced, { recursive: true, force: true });
    });
  }
});

describe("a hidden directory that is exchanged later", needs(needsLinux, patched), () => {
  for (const step of ["chmodSync", "lchownSync", "linkSync", "unlinkSync", "rmdirSync"] as const) {
    it(`before ${step}, for a link to another directory: the server starts, and the other is left alone`, async () => {
      const { path: target, state } = vault();
      const path = socketPath();
      const before = state();
      const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
      const real = fs[step] as (...args: unknown[]) => unknown;
      let hidden = "";
      (fs as Record<string, unknown>)[step] = (...args: unknown[]): unknown => {
        if (hidden === "") {
          hidden = join(dirname(path), filesBeside(path).find((name) => name.startsWith(".as-")) as string);
          renameSync(hidden, join(dirname(path), "moved"));
          symlinkSync(target, hidden);
        }
        return real(...args);
      };
      syncBuiltinESMExports();
      try {
        const server = await serve("exchanged", path, { mode: 0o640, owner: { uid, gid } });
        assert.notEqual(hidden, "");
        assert.equal(statSync(path).mode & 0o777, 0o640);
        assert.equal(await ask(path), "exchanged who");
        await end(server);
      } finally {
        (fs as Record<string, unknown>)[step] = real;
        syncBuiltinESMExports();
      }
      assert.deepEqual(state(), before);
      assert.deepEqual(filesBeside(path).toSorted(), [basename(hidden), "moved"].toSorted());
      assert.deepEqual(readdirSync(join(dirname(path), "moved")), []);
      unlinkSync(hidden);
    });
  }
});

describe("a directory that belongs to another user", needs(needsLinux, needsRoot), () => {
  /** Runs a script of the shell as that user, in the directory. */
  function asNobody(directory: string, script: string): void {
    const user = ["--reuid", `${NOBODY}`, "--regid", `${NOBODY}`, "--clear-groups"];
    const { status, stderr } = spawnSync("setpriv", [...user, "sh", "-ec", script], { cwd: directory, encoding: "utf8" });
    assert.equal(status, 0, stderr);
  }

  for (const takeover of [false, true]) {
    it(`is safe for the files of root, who starts a server there${takeover ? ", by takeover" : ""}`, async () => {
      const { path: target, state } = vault();
      const path = socketPath();
      chownSync(dirname(path), NOBODY, NOBODY);
      const before = state();
      const server = await serve("root's", path, { mode: 0o660, owner: { uid: NOBODY }, startServing: false, takeover });
      // The mode is in force, and nobody else can reach the socket.
      asNobody(dirname(path), `! ls .as-*/ 2>/dev/null; h=$(ls -d .as-*); mv $h moved; ln -s ${target} $h`);
      await server.startServing();
      const { uid, mode } = lstatSync(path);
      assert.deepEqual([uid, mode & 0o777], [NOBODY, 0o660]);
      assert.equal(await ask(path), "root's who");
      await end(server);
      assert.deepEqual(state(), before);
      asNobody(dirname(path), "rm .as-*; rmdir moved");
      assert.deepEqual(filesBeside(path), []);
    });
  }

  it("is safe for them when what a killed process has left there is removed", async () => {
    const { path: target, state } = vault();
    const path = socketPath();
    chownSync(dirname(path), NOBODY, NOBODY);
    const before = state();
    {
      await using doomed = new Child(scriptCommand("unix/server-child"));
      assert.equal(await doomed.ask("start", path, { startServing: false }), null);
    }
    asNobody(dirname(path), `h=$(ls -d .as-*); mv $h moved; ln -s ${target} $h`);
    await end(await serve("root's", path));
    assert.deepEqual(state(), before);
    asNobody(dirname(path), "h=$(ls -d .as-*); rm $h; mv moved $h");
    await end(await serve("root's", path));
    assert.deepEqual(filesBeside(path), []);
  });

  it("is not taken for a place where paths stay what they are", async () => {
    const path = socketPath();
    chownSync(dirname(path), NOBODY, NOBODY);
    const directory = Directory.open(dirname(path), false);
    assert.equal(directory.protectedPath(), null);
  });
});

describe("a system without /proc", needs(needsMounts, cannot("without-proc", "bun", "deno")), () => {
  for (const [mode, options, code] of [
    [0o755, { mode: 0o660 }, null],
    [0o1777, { mode: 0o660 }, null],
    [0o777, {}, null],
    [0o777, { mode: 0o660 }, "EPERM"],
    [0o770, { owner: { uid: 0 } }, "EPERM"],
  ] as const) {
    it(`${code === null ? "starts" : "refuses"} a server with ${JSON.stringify(options)} in a directory of mode 0${mode.toString(8)}`, async () => {
      const path = socketPath();
      chmodSync(dirname(path), mode);
      await using child = new Child([...WITHOUT_PROC, ...scriptCommand("unix/server-child")]);
      const error = await child.ask<Outcome | null>("start", path, options);
      assert.equal(error?.code ?? null, code, error?.message);
      if (code === null) assert.equal(await ask(path), `${child.process.pid} who`);
      assert.equal(await child.ask("close"), "closed");
      await child.end();
      assert.deepEqual(filesBeside(path), []);
    });
  }
});
