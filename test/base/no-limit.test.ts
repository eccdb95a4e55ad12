/** `Infinity` as a time-out stands for no limit, wherever a call takes milliseconds. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StreamReader, startServer, TimeoutError } from "asyncio-streams";
import { createSubprocessExec, PIPE } from "asyncio-streams/process";
import { checkTransport, connectMemory } from "asyncio-streams/testing";
import { openTo } from "../support/addresses.js";
import { identity, trust } from "../support/certificates.js";
import { echo } from "../support/echo.js";
import { runtime } from "../support/runtime.js";
import { turns } from "../support/turns.js";

const NONE = { timeout: Infinity };

function timers(): number {
  return runtime === "node" ? process.getActiveResourcesInfo().filter((name) => name === "Timeout").length : 0;
}

describe("an infinite time-out", () => {
  it("lets a read wait without a timer, and returns data at once if it is there", async () => {
    const reader = new StreamReader();
    const before = timers();
    const waiting = reader.readline(NONE);
    await turns(3);
    assert.equal(timers(), before);
    reader.feedData("one\ntwo\n");
    assert.equal((await waiting).toString(), "one\n");
    assert.equal((await reader.readline(NONE)).toString(), "two\n");
  });

  it("is accepted where a server or a connection takes one, also for TLS and the PROXY protocol, and by shutdown()", async () => {
    const tls = { sslHandshakeTimeout: Infinity, sslShutdownTimeout: Infinity };
    const server = await startServer(echo, "127.0.0.1", 0, {
      ...NONE,
      ...tls,
      ssl: identity("server"),
      proxyProtocol: { timeout: Infinity },
    });
    const options = { ...NONE, ...tls, ssl: trust, serverHostname: "localhost", sendProxyHeader: { command: "local" } } as const;
    const [reader, writer] = await openTo(server.sockets[0]!.getsockname(), options);
    writer.write("hello\n");
    await writer.drain(NONE);
    assert.equal((await reader.readline(NONE)).toString(), "hello\n");
    writer.close();
    await writer.waitClosed(NONE);
    assert.equal((await server.shutdown({ graceMs: Infinity })).aborted, 0);
  });

  it("is accepted by startTls()", async () => {
    const server = await startServer(
      (_reader, writer) => writer.startTls(identity("server"), { sslHandshakeTimeout: Infinity }),
      "127.0.0.1",
      0,
    );
    const [, writer] = await openTo(server.sockets[0]!.getsockname());
    await writer.startTls(trust, { serverHostname: "localhost", sslHandshakeTimeout: Infinity, sslShutdownTimeout: Infinity, ...NONE });
    writer.close();
    await writer.waitClosed();
    await server.shutdown();
  });

  it("is accepted for a child process, and for a check of a transport", async () => {
    const child = await createSubprocessExec(process.execPath, ["--version"], { stdout: PIPE, graceMs: Infinity });
    await child.communicate(undefined, NONE);
    assert.ok(checkTransport((first, second) => void connectMemory(first, second), undefined, NONE).length > 0);
  });
});

describe("TimeoutError", () => {
  it("has a code, and is a DOMException like the reason of AbortSignal.timeout()", async () => {
    const error: unknown = await new StreamReader().readline({ timeout: 1 }).catch((reason: unknown) => reason);
    assert.ok([DOMException, Error].every((Class) => error instanceof Class));
    assert.ok(error instanceof TimeoutError);
    assert.deepEqual([error.name, error.code], ["TimeoutError", "TimeoutError"]);
    assert.match(error.message, /time-out of 1 ms/);
    assert.equal(typeof error.stack, "string");
    assert.equal(new TimeoutError().message, "the call took too long");
  });
});
