/** What keeps a process alive: `ref()` and `unref()` of servers and connections, seen in child processes. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createConnection, StreamWriter } from "asyncio-streams";
import { memoryPair, RecordingProtocol } from "asyncio-streams/testing";
import { bareServer } from "../support/bare-sockets.js";
import { Child, scriptCommand } from "../support/child.js";
import { unrefKinds } from "./unref-kinds.js";

for (const { name } of unrefKinds) {
  describe(`unref() over ${name}`, () => {
    it("lets the process end although a server and its connection are open", async () => {
      await using child = new Child(scriptCommand("net/unref-child", name, "nothing"));
      assert.deepEqual(await child.ended, { code: 0, signal: null });
    });
  });
}

describe("ref(), which is the default", () => {
  for (const held of ["server", "client", "accepted", "again"]) {
    it(`keeps the process alive: ${held}`, async () => {
      await using child = new Child(scriptCommand("net/unref-child", unrefKinds[0]?.name ?? "", held));
      assert.equal(await child.next(), "alive");
    });
  }
});

describe("ref() and unref()", () => {
  it("are methods of a socket's transport", async () => {
    const far = await bareServer();
    const [transport] = await createConnection(() => new RecordingProtocol(), "127.0.0.1", far.port);
    transport.unref?.();
    transport.ref?.();
    transport.abort();
    await far[Symbol.asyncDispose]();
  });

  it("do nothing on a connection without a socket, and return the writer", async () => {
    const [{ writer }, far] = memoryPair();
    assert.equal(writer.unref().ref(), writer);
    assert.ok(writer instanceof StreamWriter);
    far.writer.close();
    writer.close();
    await writer.waitClosed();
  });
});
