/** `startFdServer()` and `openFdConnection()`: their options, and what can go wrong when a connection is made. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import net from "node:net";
import { before, describe, it } from "node:test";
import { openUnixConnection, StreamWriter, UnauthorizedError } from "asyncio-streams";
import { loadUnix, openFdConnection, openSocketpair, startFdServer } from "asyncio-streams/unix";
import { Child, scriptCommand } from "../support/child.js";
import { needs, needsLinux } from "../support/needs.js";
import { cannot, nodeMajor, runtime } from "../support/runtime.js";
import { socketPath } from "../support/temporary.js";
import { turns, until } from "../support/turns.js";
import { echoFds } from "./fd-pairs.js";
import { openDescriptors, targetOf } from "./numbered-messages.js";
import { python, pythonCommand } from "./python.js";

describe("startFdServer()", needsLinux, () => {
  before(() => loadUnix());

  it("lets clients wait for a place, with the descriptors that they have sent already", async () => {
    const path = socketPath();
    const server = await startFdServer(echoFds, path, { maxConnections: 1 });
    const [first, firstWriter] = await openFdConnection(path);
    await firstWriter.sendFds("a", [0]);
    await first.readline();
    const waiting = await Promise.all(Array.from({ length: 5 }, () => openFdConnection(path)));
    for (const [, writer] of waiting) await writer.sendFds("b", [1]);
    await until(() => server.getStats().waiting >= 5);
    await turns(50);
    firstWriter.close();
    for (const [reader, writer] of waiting) {
      assert.equal((await reader.readline()).toString(), `b ${targetOf(1)}\n`);
      writer.close();
    }
    await server.shutdown();
  });

  it("removes clients that have left from the queue", async () => {
    const path = socketPath();
    const server = await startFdServer(echoFds, path, { maxConnections: 1, backlog: 1 });
    const [first, firstWriter] = await openFdConnection(path);
    firstWriter.write("a");
    await first.readline();
    const [, gone] = await openFdConnection(path);
    await until(() => server.getStats().waiting >= 1);
    gone.transport.abort();
    await gone.waitClosed();
    const [reader, writer] = await openFdConnection(path);
    await writer.sendFds("b", [1]);
    await until(() => server.getStats().accepted >= 3);
    firstWriter.close();
    assert.equal((await reader.readline()).toString(), `b ${targetOf(1)}\n`);
    writer.close();
    await server.shutdown();
  });

  it("refuses clients by authorize, and lets others in after a pending decision", async () => {
    for (const answer of [false, Promise.resolve(false), Promise.resolve(true)]) {
      const path = socketPath();
      const errors: unknown[] = [];
      const server = await startFdServer(echoFds, path, { authorize: () => answer, onClientError: (error) => errors.push(error) });
      const [reader, writer] = await openFdConnection(path);
      await writer.sendFds("a", [0]);
      const line = (await reader.readline().catch(() => Buffer.alloc(0))).toString();
      assert.equal(line, (await answer) ? `a ${targetOf(0)}\n` : "");
      assert.equal(errors[0] instanceof UnauthorizedError, !(await answer));
      writer.close();
      await server.shutdown();
    }
  });

  it("reports what a callback throws, with the writer, and closes the connection and its descriptors", async () => {
    const path = socketPath();
    const failure = new Error("callback");
    const reported: unknown[] = [];
    const server = await startFdServer(
      async (reader) => {
        await reader.readexactly(1);
        assert.equal(reader.bufferedFds, 2);
        throw failure;
      },
      path,
      { onClientError: (error, writer) => reported.push(error, writer instanceof StreamWriter) },
    );
    const [reader, writer] = await openFdConnection(path);
    const start = openDescriptors();
    await writer.sendFds("x", [0, 1]);
    assert.equal((await reader.read()).length, 0);
    assert.deepEqual(reported, [failure, true]);
    await until(() => openDescriptors() <= start);
    writer.close();
    await server.shutdown();
  });

  it("ends idle reads when it shuts down", async () => {
    const path = socketPath();
    let signal: AbortSignal | undefined;
    const server = await startFdServer((reader, writer, context) => {
      signal = context.signal;
      return echoFds(reader, writer, context);
    }, path);
    const [reader, writer] = await openFdConnection(path);
    await writer.sendFds("x", [0]);
    await reader.readline();
    assert.deepEqual(await server.shutdown(), { finished: 1, aborted: 0 });
    assert.equal(signal?.aborted, true);
    assert.equal((await reader.read()).length, 0);
    writer.close();
  });

  it("serves ordinary clients", async () => {
    const path = socketPath();
    const server = await startFdServer(echoFds, path);
    const [reader, writer] = await openUnixConnection(path);
    writer.write("plain");
    assert.equal((await reader.readline()).toString(), "plain \n");
    writer.writeEof();
    assert.equal((await reader.read()).length, 0);
    writer.close();
    await server.shutdown();
  });

  it("adopts a listening server as sock", async () => {
    const path = socketPath();
    const listening = net.createServer().listen(path);
    await once(listening, "listening");
    const server = await startFdServer(echoFds, null, { sock: listening, cleanupSocket: true });
    const [reader, writer] = await openFdConnection(path);
    await writer.sendFds("x", [0]);
    assert.equal((await reader.readline()).toString(), `x ${targetOf(0)}\n`);
    writer.close();
    await server.shutdown();
  });

  it("refuses TLS, the PROXY protocol and wrong arguments", async () => {
    const path = socketPath();
    for (const options of [{ ssl: {} }, { proxyProtocol: true }, { sslHandshakeTimeout: 1 }])
      await assert.rejects(startFdServer(echoFds, path, options as object), { name: "TypeError", code: "ERR_INVALID_ARG_VALUE" });
    for (const fdLimit of [0, 1.5, 65_536]) await assert.rejects(startFdServer(echoFds, path, { fdLimit }), { code: "ERR_OUT_OF_RANGE" });
    await assert.rejects(startFdServer(null as never, path), { code: "ERR_INVALID_ARG_TYPE" });
    await assert.rejects(startFdServer(echoFds, path, { onClientError: 1 as never }), { code: "ERR_INVALID_ARG_TYPE" });
    await assert.rejects(startFdServer(echoFds), { message: "neither path nor sock was given" });
  });
});

describe("openFdConnection()", needsLinux, () => {
  before(() => loadUnix());

  it("rejects with the system's error", async () => {
    const path = socketPath();
    await assert.rejects(openFdConnection(path), {
      code: "ENOENT",
      syscall: "connect",
      address: path,
      message: `connect ENOENT ${path}`,
    });
    const abstract = `\0asyncio-streams-${process.pid}`.padEnd(108, "-");
    await assert.rejects(openFdConnection(abstract), { code: "ECONNREFUSED" });
  });

  it("connects to an abstract name", needs(python, cannot("abstract-name-of-108-bytes", "bun")), async () => {
    const name = `\0asyncio-streams-${process.pid}`.padEnd(108, "-");
    const server = await startFdServer(echoFds, name);
    const [reader, writer] = await openFdConnection(name);
    await writer.sendFds("x", [0]);
    assert.equal((await reader.readline()).toString(), `x ${targetOf(0)}\n`);
    writer.close();
    await server.shutdown();
  });

  it("waits while the server's queue is full, until it is aborted or its time is over", needs(python), async () => {
    const path = socketPath();
    await using child = new Child(pythonCommand("fd_queue", path));
    await child.nextLine();
    const opened = await Promise.all([openFdConnection(path), openFdConnection(path)]);
    const start = openDescriptors();
    await assert.rejects(openFdConnection(path, { timeout: 30 }), { name: "TimeoutError" });
    const controller = new AbortController();
    const aborted = openFdConnection(path, { signal: controller.signal });
    await turns();
    controller.abort();
    await assert.rejects(aborted, { name: "AbortError" });
    await assert.rejects(openFdConnection(path, { signal: AbortSignal.abort() }), { name: "AbortError" });
    assert.equal(openDescriptors(), start);
    const waiting = openFdConnection(path);
    child.process.stdin?.write("accept\n");
    const [reader, writer] = await waiting;
    assert.equal((await reader.readline()).toString(), "accepted\n");
    for (const [, one] of [...opened, [reader, writer] as const]) one.close();
    await child.end();
  });

  it("refuses wrong arguments", async () => {
    await assert.rejects(openFdConnection(), { message: "neither path nor sock was given" });
    await assert.rejects(openFdConnection("/path", { sock: 0 }), { message: "path and sock cannot be given at the same time" });
    await assert.rejects(openFdConnection("/path", { ssl: true } as object), { code: "ERR_INVALID_ARG_VALUE" });
    await assert.rejects(openFdConnection("/path", { limit: 0 }), { code: "ERR_OUT_OF_RANGE" });
    for (const sock of ["0", null, {}])
      await assert.rejects(openFdConnection(null, { sock: sock as never }), { code: "ERR_INVALID_ARG_TYPE" });
    await assert.rejects(openFdConnection(null, { sock: 999_999 }), {
      message: "sock must be a connected Unix stream socket: file descriptor 999999 is not",
    });
  });

  it("closes a sock that it cannot use, and no other file", async () => {
    const start = openDescriptors();
    const file = openSync("/etc/hosts", "r");
    await assert.rejects(openFdConnection(null, { sock: file }), { code: "ERR_INVALID_ARG_VALUE" });
    assert.equal(targetOf(file), "/etc/hosts");
    closeSync(file);
    for (const [one, other] of [openSocketpair(), openSocketpair()]) {
      other.close();
      const sock = one.detach();
      await assert.rejects(openFdConnection("/path", { sock }), { code: "ERR_INVALID_ARG_VALUE" });
      if (runtime !== "deno") assert.throws(() => targetOf(sock), { code: "ENOENT" });
    }
    if (runtime === "node") assert.equal(openDescriptors(), start);
    if (runtime === "bun") assert.ok(openDescriptors() <= start); // it closes those of earlier tests meanwhile
  });

  it("refuses startTls()", async () => {
    const path = socketPath();
    const server = await startFdServer(echoFds, path);
    const [, writer] = await openFdConnection(path);
    await assert.rejects(writer.startTls(true), { code: "ERR_INVALID_STATE" });
    writer.close();
    await server.shutdown();
  });

  it("needs loadUnix()", async () => {
    await using child = new Child(scriptCommand("unix/fd-early-child", socketPath()));
    assert.match(await child.nextLine(), /^InvalidStateError: cannot openFdConnection\(\): call loadUnix\(\) first/);
    assert.match(await child.nextLine(), /^InvalidStateError: cannot startFdServer\(\): call loadUnix\(\) first/);
    assert.equal((await child.end()).code, 0);
  });
});

describe("a process with connections that carry descriptors", needsLinux, () => {
  const ways: Readonly<Record<string, { env?: object; ffi?: string; skip?: boolean }>> = {
    "the usual way": {},
    "a thread instead of a handle": { env: { ASYNCIO_STREAMS_PLAIN_SOCKETS: "1" } },
    "node:ffi": { ffi: "node:ffi", skip: runtime !== "node" || nodeMajor < 26 },
    "koffi, on Bun too": { ffi: "koffi", skip: runtime === "deno" },
  };
  for (const [name, { env, ffi, skip = false }] of Object.entries(ways)) {
    it(`ends by itself when they are closed: ${name}`, { skip }, async () => {
      const command = scriptCommand("unix/fd-exchange-child", socketPath(), "500", ...(ffi === undefined ? [] : [ffi]));
      const stderr = ffi === "node:ffi" ? "ignore" : "inherit";
      await using child = new Child(command, { env: { ...process.env, ...env }, stdio: ["pipe", "pipe", stderr] });
      const { exchanges, more } = await child.next<{ exchanges: number; more: number }>();
      assert.equal(exchanges, 500);
      assert.ok(more < 10, `${more} descriptors are left`); // Deno opens files of its own now and then
      assert.deepEqual(await child.ended, { code: 0, signal: null });
    });
  }
});
