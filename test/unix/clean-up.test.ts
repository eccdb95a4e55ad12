/** What closing does to the socket file: it goes if it is ours, and nothing else is touched. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { chmodSync, linkSync, lstatSync, mkdirSync, renameSync, rmdirSync, rmSync, symlinkSync, unlinkSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, it } from "node:test";
import { InvalidStateError } from "asyncio-streams";
import { bareServer } from "../support/bare-sockets.js";
import { Child, scriptCommand } from "../support/child.js";
import { needsLinux } from "../support/needs.js";
import { staleSocket } from "../support/stale-socket.js";
import { socketPath } from "../support/temporary.js";
import { ask, end, filesBeside, serve } from "./answering.js";

describe("close()", () => {
  it("leaves the file of a successor that does not use this library", async () => {
    const path = socketPath();
    const ours = await serve("ours", path);
    unlinkSync(path);
    {
      await using far = await bareServer(path);
      const { ino } = lstatSync(path);
      await end(ours);
      assert.equal(lstatSync(path).ino, ino);
      assert.equal(far.path, path);
    }
    assert.deepEqual(filesBeside(path), []);
  });

  it("leaves the file of a successor in another process", async () => {
    const path = socketPath();
    const ours = await serve("ours", path);
    unlinkSync(path);
    await using other = new Child(scriptCommand("unix/server-child"));
    assert.equal(await other.ask("start", path), null);
    await end(ours);
    assert.equal(await ask(path), `${other.process.pid} who`);
    assert.equal(await other.ask("close"), "closed");
    assert.deepEqual(filesBeside(path), []);
    await other.end();
  });

  it("leaves a stale file that has taken the name", async () => {
    const path = socketPath();
    const ours = await serve("ours", path);
    unlinkSync(path);
    await staleSocket(path);
    await end(ours);
    assert.deepEqual(filesBeside(path), ["test.sock"]);
    unlinkSync(path);
  });

  it("leaves other names of the file", async () => {
    const path = socketPath();
    const server = await serve("ours", path);
    linkSync(path, join(dirname(path), "other.sock"));
    await end(server);
    assert.deepEqual(filesBeside(path), ["other.sock"]);
    unlinkSync(join(dirname(path), "other.sock"));
  });

  it("succeeds if the directory has been removed", async () => {
    const path = socketPath("gone/test.sock");
    mkdirSync(dirname(path));
    const server = await serve("ours", path);
    rmSync(dirname(path), { recursive: true });
    await end(server);
  });

  it("succeeds if the file has another name", async () => {
    const path = socketPath();
    const server = await serve("ours", path);
    const moved = join(dirname(path), "moved.sock");
    renameSync(path, moved);
    assert.equal(await ask(moved), "ours who");
    await end(server);
    assert.deepEqual(filesBeside(path), ["moved.sock"]);
    unlinkSync(moved);
  });

  it("removes a file whose mode has been changed", async () => {
    const path = socketPath();
    const server = await serve("ours", path);
    chmodSync(path, 0o600);
    await end(server);
    assert.deepEqual(filesBeside(path), []);
  });

  it("at once after the start, and twice, removes it once", async () => {
    const path = socketPath();
    const server = await serve("ours", path);
    server.close();
    const second = await serve("second", path);
    server.close();
    assert.deepEqual(filesBeside(path), ["test.sock"]);
    await server.waitClosed();
    await end(second);
    assert.deepEqual(filesBeside(path), []);
  });

  for (const takeover of [false, true]) {
    // Without the lock of Linux, a takeover has no step that waits.
    const need = takeover ? needsLinux : {};
    it(
      `while ${takeover ? "a takeover" : "a start over a stale file"} is under way ends that with InvalidStateError, and leaves nothing new`,
      need,
      async () => {
        const path = await staleSocket();
        const { ino } = lstatSync(path);
        const server = await serve("ours", path, { startServing: false, takeover });
        const starting = server.startServing();
        server.close();
        await assert.rejects(starting, InvalidStateError);
        assert.equal(lstatSync(path).ino, ino);
        assert.deepEqual(filesBeside(path), ["test.sock"]);
        await server.waitClosed();
        unlinkSync(path);
      },
    );
  }
});

describe("the path of the socket file", () => {
  /** Runs something with another working directory. */
  async function within(directory: string, action: () => Promise<void>): Promise<void> {
    const before = process.cwd();
    process.chdir(directory);
    try {
      await action();
    } finally {
      process.chdir(before);
    }
  }

  it("is resolved when the server starts if it is relative", async () => {
    const path = socketPath();
    const elsewhere = dirname(socketPath());
    let closing: Promise<void> | undefined;
    await within(dirname(path), async () => {
      const server = await serve("relative", "test.sock");
      assert.equal(await ask("test.sock"), "relative who");
      assert.equal(server.sockets[0]!.getsockname(), "test.sock");
      process.chdir(elsewhere);
      closing = end(server);
    });
    await closing;
    assert.deepEqual(filesBeside(path), []);
  });

  it("is resolved at the call if it is relative, also with startServing: false", async () => {
    const path = await staleSocket();
    const elsewhere = dirname(socketPath());
    await within(dirname(path), async () => {
      const server = await serve("relative", "test.sock", { startServing: false });
      process.chdir(elsewhere);
      await server.startServing();
      assert.equal(await ask(path), "relative who");
      await end(server);
    });
    assert.deepEqual(filesBeside(path), []);
    rmdirSync(elsewhere);
    mkdirSync(elsewhere);
  });

  it("may go up from behind a symbolic link", async () => {
    const path = socketPath("real/deep/x");
    const root = dirname(dirname(dirname(path)));
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync("real/deep", join(root, "link"));
    const server = await serve("linked", `${root}/link/../test.sock`);
    assert.deepEqual(filesBeside(join(root, "real", "x")), ["deep", "test.sock"]);
    assert.equal(await ask(join(root, "real", "test.sock")), "linked who");
    await end(server);
    assert.deepEqual(filesBeside(join(root, "real", "x")), ["deep"]);
    assert.deepEqual(filesBeside(join(root, "x")), ["link", "real"]);
  });

  it("may lead through a symbolic link to a directory, also relative", async () => {
    const path = socketPath("real/test.sock");
    mkdirSync(dirname(path));
    const link = join(dirname(dirname(path)), "link");
    symlinkSync("real", link);
    const server = await serve("linked", join(relative(process.cwd(), link), "test.sock"));
    assert.equal(await ask(path), "linked who");
    await end(server);
    assert.deepEqual(filesBeside(path), []);
  });
});
