/** A Unix server whose queue is full: its clients wait, as they would in a connect that may block. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { describe, it } from "node:test";
import { openUnixConnection } from "asyncio-streams";
import { Child, scriptCommand } from "../support/child.js";
import { cannot } from "../support/runtime.js";
import { socketPath } from "../support/temporary.js";
import { isSettled } from "../support/turns.js";

/** A server with a queue of one client that has been stopped, with clients that fill its queue. */
async function withFullQueue(body: (path: string, resume: () => void) => Promise<void>): Promise<void> {
  const path = socketPath();
  await using frozen = new Child(scriptCommand("net/frozen-child", path));
  assert.equal(await frozen.next(), "listening");
  frozen.process.kill("SIGSTOP");
  const filling = new AbortController();
  const queue = Array.from({ length: 8 }, () => openUnixConnection(path, { signal: filling.signal }).catch(() => null));
  try {
    await body(path, () => frozen.process.kill("SIGCONT"));
  } finally {
    frozen.process.kill("SIGCONT");
    filling.abort();
    for (const one of await Promise.all(queue)) one?.[1].transport.abort();
    rmSync(path, { force: true });
  }
}

// Bun: reports a full queue as ECONNREFUSED, as if no server were there.
const needsErrorCode = cannot("full-unix-queue", "bun");

describe("openUnixConnection() to a server whose queue is full", () => {
  it("waits, and connects when the server accepts again", needsErrorCode, async () => {
    await withFullQueue(async (path, resume) => {
      const connecting = openUnixConnection(path);
      assert.equal(await isSettled(connecting), false);
      resume();
      const [reader, writer] = await connecting;
      writer.close();
      await writer.waitClosed();
      assert.equal((await reader.read().catch(() => Buffer.alloc(0))).length, 0);
    });
  });

  it("ends with the signal", needsErrorCode, async () => {
    await withFullQueue(async (path) => {
      const controller = new AbortController();
      const connecting = openUnixConnection(path, { signal: controller.signal });
      assert.equal(await isSettled(connecting), false);
      controller.abort(new Error("never mind"));
      await assert.rejects(connecting, { message: "never mind" });
    });
  });

  it("ends with the error if the server is gone by then", needsErrorCode, async () => {
    await withFullQueue(async (path) => {
      const connecting = openUnixConnection(path);
      assert.equal(await isSettled(connecting), false);
      rmSync(path);
      await assert.rejects(connecting, { code: "ENOENT" });
    });
  });
});
