/** A server starts under any umask of its process, also if that is not root, and its socket has the mode that was asked for. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { chmodSync, readdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { describe, it } from "node:test";
import { Child, scriptCommand } from "../support/child.js";
import { needsLinux } from "../support/needs.js";
import { staleSocket } from "../support/stale-socket.js";
import { socketPath } from "../support/temporary.js";
import { filesBeside } from "./answering.js";

const octal = (mode: number): string => `0${mode.toString(8).padStart(3, "0")}`;

describe("a server of a process that is not root", needsLinux, () => {
  for (const umask of [0o000, 0o077, 0o111, 0o177, 0o277, 0o377, 0o477, 0o700, 0o777]) {
    it(`starts with umask ${octal(umask)}, and its socket has the mode that was asked for`, async () => {
      await using child = new Child(scriptCommand("unix/server-child", "nobody"));
      const path = socketPath();
      chmodSync(dirname(path), 0o777);
      const before = await child.ask<number>("umask", umask);
      for (const mode of [undefined, 0o660, 0o000]) {
        for (const takeover of [false, true]) {
          const context = `mode ${mode}, takeover ${takeover}`;
          assert.equal(await child.ask("start", path, { ...(mode === undefined ? {} : { mode }), takeover }), null, context);
          assert.equal(octal(statSync(path).mode & 0o7777), octal(mode ?? 0o777 & ~umask), context);
          assert.deepEqual(filesBeside(path), ["test.sock"], context);
          assert.equal(await child.ask("close"), "closed");
          assert.deepEqual(filesBeside(path), [], context);
        }
      }
      assert.equal(await child.ask("umask", before), umask, "the umask is as it was");
      await child.end();
    });
  }

  it("replaces a stale socket under umask 0777, in a directory that it may not list", async () => {
    await using child = new Child(scriptCommand("unix/server-child", "nobody"));
    const path = await staleSocket();
    chmodSync(path, 0o777);
    chmodSync(dirname(path), 0o773);
    await child.ask("umask", 0o777);
    assert.equal(await child.ask("start", path, { mode: 0o666 }), null);
    assert.deepEqual(filesBeside(path), ["test.sock"]);
    assert.equal(await child.ask("close"), "closed");
    assert.deepEqual(filesBeside(path), []);
    await child.end();
  });

  it("that was killed under umask 0777 leaves nothing that the next start does not clean up", async () => {
    const path = socketPath();
    chmodSync(dirname(path), 0o777);
    {
      await using doomed = new Child(scriptCommand("unix/server-child", "nobody"));
      await doomed.ask("umask", 0o777);
      assert.equal(await doomed.ask("start", path, { startServing: false }), null);
    }
    assert.equal(readdirSync(dirname(path)).length, 1);
    await using next = new Child(scriptCommand("unix/server-child", "nobody"));
    assert.equal(await next.ask("start", path), null);
    assert.deepEqual(filesBeside(path), ["test.sock"]);
    assert.equal(await next.ask("close"), "closed");
    await next.end();
    assert.deepEqual(filesBeside(path), []);
  });
});
