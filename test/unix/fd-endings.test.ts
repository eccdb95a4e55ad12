/** How a connection that carries descriptors ends: by either side, by an error, for want of memory. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { loadUnix, openFdConnection, startFdServer } from "asyncio-streams/unix";
import { needsLinux } from "../support/needs.js";
import { runtime } from "../support/runtime.js";
import { socketPath } from "../support/temporary.js";
import { turns, until } from "../support/turns.js";
import { echoFds } from "./fd-pairs.js";
import { openDescriptors, targetOf } from "./numbered-messages.js";

/** Bun and Deno may need the function themselves meanwhile. */
const patchable = { skip: runtime !== "node" && "replaces a function of the runtime" };

describe("the end of a connection that carries descriptors", needsLinux, () => {
  before(() => loadUnix());

  it("is reported with a reset, after the data and descriptors before it", async () => {
    const path = socketPath();
    const server = await startFdServer(async (_reader, writer) => {
      writer.transport.pauseReading();
      await writer.sendFds("last", [0]);
      await turns(50);
      writer.transport.abort(); // with unread data, which resets the connection
    }, path);
    const [reader, writer] = await openFdConnection(path);
    writer.transport.pauseReading();
    writer.write("xyz");
    await until(() => server.getStats().accepted > 0 && server.getStats().active === 0);
    writer.transport.resumeReading();
    assert.equal((await reader.readexactly(4)).toString(), "last");
    await assert.rejects(reader.read(), { code: "ECONNRESET" });
    const [descriptor] = reader.takeFds();
    assert.equal(targetOf(descriptor?.fd as number), targetOf(0));
    descriptor?.close();
    writer.close();
    await assert.rejects(writer.waitClosed(), { code: "ECONNRESET" });
    await server.shutdown();
  });

  it("is noticed by a write, which fails with EPIPE", async () => {
    const path = socketPath();
    const server = await startFdServer((_reader, writer) => writer.close(), path);
    const [reader, writer] = await openFdConnection(path);
    await reader.read();
    await assert.rejects(
      (async () => {
        for (;;) await writer.sendFds("x", [0]);
      })(),
      (error: Error & { code?: string }) => error.code === "ECONNRESET" && (error.cause as { code?: string }).code === "EPIPE",
    );
    writer.close();
    await server.shutdown();
  });

  for (const size of [300_000, 1_000_000]) {
    it(`is its own if the system has no memory for ${size} bytes that have to wait`, patchable, async ({ mock }) => {
      const path = socketPath();
      const server = await startFdServer((_reader, writer) => writer.transport.pauseReading(), path);
      const [, writer] = await openFdConnection(path);
      await until(() => server.getStats().active > 0);
      const start = openDescriptors();
      const much = Buffer.alloc(size);
      const allocation = mock.method(Buffer, "allocUnsafeSlow", () => {
        throw new RangeError("Array buffer allocation failed");
      });
      const sending: Promise<void>[] = [];
      try {
        for (let count = 0; count < 5; count += 1) sending.push(writer.sendFds(much, [0, 1]));
      } finally {
        allocation.mock.restore();
      }
      const results = await Promise.allSettled(sending);
      assert.equal(results.at(-1)?.status, "rejected");
      await assert.rejects(writer.waitClosed(), { code: "ENOMEM" });
      assert.ok(openDescriptors() < start);
      server.abortClients();
      await server.shutdown({ graceMs: 0 });
    });
  }

  it("is its own if the system has no memory for what arrives", patchable, async ({ mock }) => {
    const path = socketPath();
    const server = await startFdServer(async (_reader, writer) => {
      await writer.sendFds(Buffer.alloc(10_000), [0]);
      await turns(50);
      writer.close();
    }, path);
    const [reader, writer] = await openFdConnection(path);
    const allocation = mock.method(Buffer, "allocUnsafeSlow", () => {
      throw new RangeError("Array buffer allocation failed");
    });
    try {
      await assert.rejects(reader.read(1), { code: "ENOMEM" });
    } finally {
      allocation.mock.restore();
    }
    writer.close();
    await server.shutdown();
  });

  it("comes after both sides have ended, in any order", async () => {
    const path = socketPath();
    const server = await startFdServer(echoFds, path);
    for (const first of ["write", "end"] as const) {
      const [reader, writer] = await openFdConnection(path);
      if (first === "write") writer.write("hello");
      writer.writeEof();
      assert.equal((await reader.read()).toString(), first === "write" ? "hello \n" : "");
      writer.close();
      await writer.waitClosed();
    }
    await server.shutdown();
  });

  it("sends everything before a close, also to a slow peer", async () => {
    const path = socketPath();
    const much = Buffer.alloc(1_000_000, "x");
    const server = await startFdServer(async (_reader, writer) => {
      writer.write(much);
      writer.writelines([much, much]);
      writer.close();
    }, path);
    const [reader, writer] = await openFdConnection(path);
    writer.transport.pauseReading();
    await turns(20);
    writer.transport.resumeReading();
    assert.equal((await reader.read()).length, 3 * much.length);
    writer.close();
    await server.shutdown();
  });

  it("sends everything before our side's end, also to a slow peer", async () => {
    const path = socketPath();
    const much = Buffer.alloc(1_000_000, "x");
    const server = await startFdServer(async (reader, writer) => {
      writer.write(much);
      writer.writeEof();
      await reader.read();
      writer.close();
    }, path);
    const [reader, writer] = await openFdConnection(path);
    assert.equal((await reader.read()).length, much.length);
    writer.close();
    await server.shutdown();
  });
});
