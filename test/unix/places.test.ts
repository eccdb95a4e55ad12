/** Places where there can be no socket: each gives the system's error with the path in it, and leaves nothing. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import type { StartUnixServerOptions } from "asyncio-streams";
import { Child, scriptCommand } from "../support/child.js";
import { type Need, needsLinux } from "../support/needs.js";
import type { Outcome } from "../support/outcome.js";
import { staleSocket } from "../support/stale-socket.js";
import { socketPath, temporaryDirectory } from "../support/temporary.js";
import { ask, end, filesBeside, serve } from "./answering.js";

/** Expects an error of the system's form, about the path and not about a hidden name. */
async function assertRefused(path: string, code: string, options?: StartUnixServerOptions): Promise<void> {
  await assert.rejects(serve("refused", path, options), (error: NodeJS.ErrnoException) => {
    assert.deepEqual([error.name, error.code, error.syscall, error.path], ["Error", code, "listen", path], error.message);
    assert.ok((error.errno ?? 0) < 0, `errno ${error.errno}`);
    assert.ok(error.message.startsWith(`${code}: `) && error.message.includes(path), error.message);
    assert.ok(!error.message.includes(".as-"), error.message);
    return true;
  });
}

describe("a socket's directory", () => {
  for (const takeover of [false, true]) {
    const how = takeover ? ", by takeover" : "";
    it(`that does not exist gives ENOENT${how}`, async () => {
      await assertRefused(join(temporaryDirectory(), "none", "test.sock"), "ENOENT", { takeover });
    });

    it(`that is a plain file gives ENOTDIR${how}`, async () => {
      const file = socketPath("file");
      writeFileSync(file, "");
      await assertRefused(join(file, "test.sock"), "ENOTDIR", { takeover });
      assert.deepEqual(filesBeside(file), ["file"]);
    });

    it(`that is a loop of links gives ELOOP${how}`, async () => {
      const loop = socketPath("loop");
      symlinkSync("loop", loop);
      await assertRefused(join(loop, "test.sock"), "ELOOP", { takeover });
      assert.deepEqual(filesBeside(loop), ["loop"]);
    });

    it(`that is a dangling link gives ENOENT${how}`, async () => {
      const link = socketPath("link");
      symlinkSync("nowhere", link);
      await assertRefused(join(link, "test.sock"), "ENOENT", { takeover });
      assert.deepEqual(filesBeside(link), ["link"]);
    });
  }

  for (const [what, mode, stale] of [
    ["that may not be written to", 0o555, false],
    ["that may not be written to, with a stale file in it,", 0o555, true],
    ["that may not be entered", 0o600, false],
  ] as const) {
    it(`${what} gives EACCES`, async () => {
      const path = stale ? await staleSocket() : socketPath();
      chmodSync(dirname(path), mode);
      if (stale) chmodSync(path, 0o777);
      try {
        await using somebody = new Child(scriptCommand("unix/server-child", "nobody"));
        const error = await somebody.ask<Outcome>("start", path);
        assert.equal(error.code, "EACCES", error.message);
        assert.ok(error.message.includes(path) && !error.message.includes(".as-"), error.message);
        await somebody.end();
      } finally {
        chmodSync(dirname(path), 0o700);
      }
      assert.deepEqual(filesBeside(path), stale ? ["test.sock"] : []);
      if (stale) unlinkSync(path);
    });
  }

  it("with the sticky bit and another user's stale file gives EPERM or EACCES", async () => {
    const path = await staleSocket();
    chmodSync(dirname(path), 0o1777);
    chmodSync(path, 0o777);
    await using somebody = new Child(scriptCommand("unix/server-child", "nobody"));
    const error = await somebody.ask<Outcome | null>("start", path);
    if (process.getuid?.() === 0) {
      assert.match(error?.code ?? "", /^(EPERM|EACCES)$/);
      assert.ok(error?.message.includes(path), error?.message);
      assert.deepEqual(filesBeside(path), ["test.sock"]);
    } else assert.equal(error, null);
    await somebody.end();
    rmSync(path, { force: true });
  });
});

describe('a path that ends in "/"', () => {
  for (const tail of ["test.sock/", "", "/"]) {
    it(`as in ${JSON.stringify(`.../${tail}`)} is refused clearly`, async () => {
      const directory = temporaryDirectory();
      const refusal = { name: "TypeError", code: "ERR_INVALID_ARG_VALUE", message: /not end in "\/"/ };
      await assert.rejects(serve("refused", `${directory}/${tail}`), refusal);
      assert.deepEqual(readdirSync(directory), []);
    });
  }

  for (const tail of ["..", "."]) {
    it(`is not meant by ${JSON.stringify(tail)}: that is a directory, and in use`, async () => {
      const path = `${temporaryDirectory()}/${tail}`;
      await assertRefused(path, "EADDRINUSE");
    });
  }
});

describe("a mode that makes no sense", () => {
  for (const mode of [-1, 0o1000, 0o4755, 0o100600, 1.5, Number.NaN, Infinity]) {
    it(`${mode} is a RangeError, and nothing is left`, async () => {
      const path = socketPath();
      await assert.rejects(serve("refused", path, { mode }), { name: "RangeError", code: "ERR_OUT_OF_RANGE", message: /mode/ });
      assert.deepEqual(filesBeside(path), []);
    });
  }

  for (const [mode, meant] of [
    [660, "0o660"],
    [777, "0o777"],
    ["660", "0o660"],
    ["0600", "0o600"],
    ["0o640", "0o640"],
  ] as const) {
    it(`${typeof mode} ${mode} is refused with the octal number that is meant`, async () => {
      const message = new RegExp(`mode must be .*${meant}`);
      await assert.rejects(serve("refused", socketPath(), { mode: mode as number }), { message });
    });
  }

  for (const mode of ["0660", "rw", null, 0o660n]) {
    it(`${typeof mode} ${String(mode)} is a TypeError`, async () => {
      const path = socketPath();
      await assert.rejects(serve("refused", path, { mode: mode as never }), { name: "TypeError", code: "ERR_INVALID_ARG_TYPE" });
      assert.deepEqual(filesBeside(path), []);
    });
  }

  for (const owner of [{ uid: -1 }, { gid: 2 ** 32 - 1 }, { uid: 1.5 }, { gid: "users" }, 5, "root"]) {
    it(`so is an owner ${JSON.stringify(owner)}`, async () => {
      const path = socketPath();
      await assert.rejects(serve("refused", path, { owner: owner as never }), { code: /^ERR_(OUT_OF_RANGE|INVALID_ARG_TYPE)$/ });
      assert.deepEqual(filesBeside(path), []);
    });
  }
});

/** A file system of its own in memory; `null` if it cannot be had. */
function mount(options: string): string | null {
  const directory = temporaryDirectory();
  const { status } = spawnSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", directory], { stdio: "ignore" });
  return status === 0 ? directory : null;
}

const unmount = (directory: string): unknown => spawnSync("umount", [directory], { stdio: "ignore" });

/** Options for `it()`. */
const needsMount: Need = (() => {
  const directory = process.platform === "linux" ? mount("size=4k") : null;
  if (directory !== null) unmount(directory);
  return { skip: directory === null && "needs the right to mount a file system" };
})();

describe("a file system that is full, read-only or unsuitable", needsLinux, () => {
  it("gives EROFS if it is read-only", needsMount, async () => {
    const directory = mount("size=4k") as string;
    try {
      await staleSocket(join(directory, "stale.sock"));
      spawnSync("mount", ["-o", "remount,ro", directory]);
      await assertRefused(join(directory, "test.sock"), "EROFS");
      await assertRefused(join(directory, "test.sock"), "EROFS", { takeover: true });
      await assertRefused(join(directory, "stale.sock"), "EROFS");
      assert.deepEqual(readdirSync(directory), ["stale.sock"]);
    } finally {
      unmount(directory);
    }
  });

  // A file system in memory counts its directory, and every name of a file.
  for (const [inodes, what] of [
    [1, "the hidden directory"],
    [2, "the socket in it"],
    [3, "the socket's public name"],
  ] as const) {
    it(`gives ENOSPC if it has no space for ${what}, and nothing is left`, needsMount, async () => {
      const directory = mount(`nr_inodes=${inodes}`) as string;
      try {
        await assertRefused(join(directory, "test.sock"), "ENOSPC");
        assert.deepEqual(readdirSync(directory), []);
      } finally {
        unmount(directory);
      }
    });
  }

  it("is enough if it has space for no more than it needs", needsMount, async () => {
    const directory = mount("nr_inodes=4") as string;
    try {
      const path = join(directory, "test.sock");
      const server = await serve("enough", path);
      assert.equal(await ask(path), "enough who");
      await end(server);
      assert.deepEqual(readdirSync(directory), []);
    } finally {
      unmount(directory);
    }
  });

  for (const directory of ["/proc", "/sys"]) {
    it(`gives the system's error with the path if it holds no socket files, as ${directory}`, async () => {
      const path = `${directory}/test.sock`;
      await assert.rejects(serve("refused", path), (error: NodeJS.ErrnoException) => {
        assert.match(error.code ?? "", /^(ENOENT|EACCES|EPERM|EROFS)$/);
        assert.deepEqual([error.syscall, error.path], ["listen", path]);
        return true;
      });
    });
  }
});

describe("one name in a directory", () => {
  it("is tried for again after each failure, in the same process, and nothing is left", async () => {
    const path = socketPath("directory/test.sock");
    await assertRefused(path, "ENOENT");
    mkdirSync(dirname(path));
    writeFileSync(path, "");
    await assertRefused(path, "EADDRINUSE");
    unlinkSync(path);
    const server = await serve("at last", path);
    assert.deepEqual(filesBeside(path), ["test.sock"]);
    await end(server);
    assert.deepEqual(filesBeside(path), []);
  });
});
