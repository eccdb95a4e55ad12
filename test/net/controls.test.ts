/** What a runtime's own `node:net` cannot do, without this library: the reasons that `docs/runtimes.md` gives. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import { constants, linkSync, openSync, rmSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { openConnection, openUnixConnection } from "asyncio-streams";
import { Child, scriptCommand } from "../support/child.js";
import { type Need, needs, needsLinux } from "../support/needs.js";
import { VALUE } from "../support/refused.js";
import { runtime } from "../support/runtime.js";
import { socketPath, temporaryDirectory } from "../support/temporary.js";

const IN_NAMESPACE = "ip link set lo up && ip addr add fe80::7/64 dev lo scope link nodad";
const needsNamespace: Need = {
  skip: spawnSync("unshare", ["-rn", "sh", "-c", IN_NAMESPACE]).status !== 0 && "needs network namespaces (unshare) and the ip command",
};

/** How long to watch a worker that does not end. On Node and Bun it ends within milliseconds. */
const DENO_WORKER_MS = 1_000;

/** Connects a socket of `node:net`; returns the code of its error, or null. */
function codeOfConnecting(path: string): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = net.connect(path);
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.on("connect", () => {
      socket.destroy();
      resolve(null);
    });
  });
}

describe("node:net of this runtime, by itself", () => {
  const reaches = runtime === "deno" ? "neither listens on nor connects to" : "listens on and reaches";
  it(`${reaches} a link-local address`, needs(needsLinux, needsNamespace), async () => {
    const command = ["unshare", "-rn", "sh", "-c", `${IN_NAMESPACE}; exec "$@"`, "sh", ...scriptCommand("net/link-local-control-child")];
    await using child = new Child(command);
    const answer = runtime === "deno" ? "EINVAL" : null;
    assert.deepEqual(await child.next(), { listen: answer, connect: answer ?? "ECONNREFUSED" });
    await child.ended;
  });

  const code = runtime === "bun" ? "ECONNREFUSED" : "EAGAIN";
  it(`reports a full queue of a Unix server as ${code}`, needsLinux, async () => {
    const path = socketPath();
    await using frozen = new Child(scriptCommand("net/frozen-child", path));
    assert.equal(await frozen.next(), "listening");
    process.kill(frozen.process.pid as number, "SIGSTOP");
    try {
      // The bounds of Bun's queue are its own: it holds 513 clients.
      const codes: (string | null)[] = [];
      while (codes.length < 1_000 && (codes.at(-1) ?? null) === null) codes.push(await codeOfConnecting(path));
      assert.equal(codes.at(-1), code);
    } finally {
      process.kill(frozen.process.pid as number, "SIGCONT");
      rmSync(path);
    }
  });

  const inherits = runtime === "deno";
  it(`${inherits ? "lets" : "does not let"} a child process inherit the listening socket of a Unix server`, needsLinux, async () => {
    const path = socketPath();
    const server = net.createServer((socket) => socket.destroy()).listen(path);
    await once(server, "listening");
    linkSync(path, `${path}2`); // the runtime removes the first name
    await using child = new Child(["sh", "-c", "echo started; read -r line"]);
    await child.nextLine();
    server.close();
    await once(server, "close");
    assert.equal(await codeOfConnecting(`${path}2`), inherits ? null : "ECONNREFUSED");
    rmSync(`${path}2`);
  });

  it(`${runtime === "deno" ? "does not report" : "reports"} the descriptor of a TCP socket`, async () => {
    const server = net.createServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
    await once(server, "listening");
    const socket = net.connect((server.address() as net.AddressInfo).port, "127.0.0.1");
    await once(socket, "connect");
    const { fd } = (socket as unknown as { _handle: { fd?: unknown } })._handle;
    assert.equal(typeof fd, runtime === "deno" ? "undefined" : "number");
    socket.on("error", () => {}).destroy();
    server.close();
  });

  const serves = runtime === "deno" ? "does not serve" : "serves";
  it(`${serves} a Unix server that another process has sent`, needsLinux, async () => {
    const path = socketPath();
    const server = net.createServer((socket) => socket.destroy()).listen({ path });
    await once(server, "listening");
    // Both processes accept clients. Deno: the one that has sent the server gets all of them.
    const attempts = runtime === "deno" ? 300 : 1_000_000;
    const command = scriptCommand("net/sent-control-child", path, `${attempts}`);
    await using child = new Child(command, { stdio: ["pipe", "pipe", "inherit", "ipc"] });
    child.process.send("server", server);
    assert.deepEqual(await child.next(), { served: runtime !== "deno" });
    await child.ended;
    await new Promise((resolve) => server.close(resolve));
  });

  it(`${runtime === "deno" ? "does not always end" : "ends"} a worker of node:cluster that disconnects while clients come`, async () => {
    for (let attempt = 1; attempt <= 10; attempt += 1) {
      await using child = new Child(scriptCommand("net/cluster-control-child"));
      assert.equal(await child.next(), "served");
      const ended = child.next();
      const patience = runtime === "deno" ? [delay(DENO_WORKER_MS, "still there")] : [];
      const result = await Promise.race([ended.catch(String), ...patience]);
      await child.end();
      if (runtime !== "deno") assert.equal(result, "ended");
      if (runtime !== "deno" || result === "still there") return;
    }
    assert.fail("the worker has ended each time");
  });

  it(`${runtime === "deno" ? "has no" : "has"} process.setgroups()`, needsLinux, () => {
    assert.equal(typeof process.setgroups, runtime === "deno" ? "undefined" : "function");
  });

  const opens = runtime === "node" ? "opens" : "does not open";
  it(`${opens} a net.Socket on a named pipe`, needsLinux, () => {
    const path = join(temporaryDirectory(), "fifo");
    execFileSync("mkfifo", [path]);
    const fd = openSync(path, constants.O_RDWR);
    if (runtime === "deno") {
      assert.throws(() => new net.Socket({ fd, readable: true, writable: true }), { code: "EEXIST" });
      return;
    }
    const socket = new net.Socket({ fd, readable: true, writable: true });
    assert.equal(socket.pending, runtime === "bun");
    socket.destroy();
  });
});

describe("sock that Bun has connected to a named pipe", () => {
  it("is refused", needs(needsLinux, { skip: runtime !== "bun" && "only Bun connects to a descriptor" }), async () => {
    const path = join(temporaryDirectory(), "fifo");
    execFileSync("mkfifo", [path]);
    for (const open of [openUnixConnection, openConnection.bind(null, null)]) {
      const fd = openSync(path, constants.O_RDWR);
      const sock = net.connect({ fd } as unknown as net.NetConnectOpts);
      await assert.rejects(open(null, { sock }), { ...VALUE, message: /neither a Unix nor a TCP socket/ });
      assert.equal(sock.destroyed, true);
    }
  });
});
