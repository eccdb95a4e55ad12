/** A listening `net.Server` that is handed over. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, readlinkSync, renameSync, rmSync, unlinkSync } from "node:fs";
import net from "node:net";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { createUnixServer, openUnixConnection, startUnixServer } from "asyncio-streams";
import { needsLinux } from "../support/needs.js";
import { staleSocket } from "../support/stale-socket.js";
import { socketPath, temporaryDirectory } from "../support/temporary.js";
import { ask, end, filesBeside, serve } from "./answering.js";

/** A server of Node's that listens on a path, or on a port. */
async function listening(address: string | { host: string; port: number }): Promise<net.Server> {
  const server = net.createServer().listen(address);
  await once(server, "listening");
  return server;
}

describe("a net.Server as sock", () => {
  it("is served on, with its path as name", async () => {
    const path = socketPath();
    const server = await serve("adopted", null, { sock: await listening(path) });
    assert.deepEqual([server.isServing(), server.sockets[0]!.getsockname(), server.sockets[0]!.family], [true, path, "unix"]);
    assert.equal(await ask(path), "adopted who");
    await end(server);
    unlinkSync(path);
  });

  it("tells its clients' callbacks its path, and lets them send after the client's end", async () => {
    const path = socketPath();
    const server = await startUnixServer(
      async (reader, writer) => {
        const said = await reader.read();
        writer.write(`${said.toString()} on ${writer.getExtraInfo("sockname") as string}`);
        writer.close();
      },
      null,
      { sock: await listening(path) },
    );
    const [reader, writer] = await openUnixConnection(path);
    writer.write("all");
    writer.writeEof();
    assert.equal((await reader.read()).toString(), `all on ${path}`);
    writer.close();
    await end(server);
    unlinkSync(path);
  });

  it("is closed with the server, and its file is left", async () => {
    const path = socketPath();
    const sock = await listening(path);
    const { ino } = lstatSync(path);
    const server = await serve("adopted", null, { sock });
    await end(server);
    assert.equal(sock.listening, false);
    assert.deepEqual([filesBeside(path), lstatSync(path).ino], [["test.sock"], ino]);
    await assert.rejects(openUnixConnection(path), { code: "ECONNREFUSED" });
    unlinkSync(path);
  });

  it("takes its file away with cleanupSocket: true", async () => {
    const path = socketPath();
    await end(await serve("adopted", null, { sock: await listening(path), cleanupSocket: true }));
    assert.deepEqual(filesBeside(path), []);
  });

  for (const cleanupSocket of [false, true]) {
    it(`leaves the file of a successor, with cleanupSocket: ${cleanupSocket}`, async () => {
      const path = socketPath();
      const server = await serve("adopted", null, { sock: await listening(path), cleanupSocket });
      unlinkSync(path);
      const successor = await serve("successor", path);
      const { ino } = lstatSync(path);
      await end(server);
      assert.deepEqual([filesBeside(path), lstatSync(path).ino], [["test.sock"], ino]);
      assert.equal(await ask(path), "successor who");
      await end(successor);
    });
  }

  it("closes without a word when its file has gone, with its directory, too", async () => {
    const path = socketPath("gone/test.sock");
    mkdirSync(dirname(path));
    const one = await serve("adopted", null, { sock: await listening(path) });
    unlinkSync(path);
    await end(one);
    const two = await serve("adopted", null, { sock: await listening(path) });
    rmSync(dirname(path), { recursive: true });
    await end(two);
    assert.equal(existsSync(path), false);
  });

  it("leaves its file where it may not make a second name for it", async () => {
    const path = socketPath();
    const server = await serve("adopted", null, { sock: await listening(path) });
    // A name that cannot be linked: the directory is there, and the file has got another name.
    renameSync(path, `${path}.moved`);
    await staleSocket(path);
    chmodSync(path, 0o600);
    await end(server);
    assert.deepEqual(filesBeside(path), ["test.sock", "test.sock.moved"]);
    for (const name of filesBeside(path)) unlinkSync(join(dirname(path), name));
  });

  it("with a long path leaves no descriptor open", needsLinux, async () => {
    const root = temporaryDirectory();
    const directory = join(root, "d".repeat(104 - root.length));
    mkdirSync(directory);
    const path = join(directory, "s");
    await end(await serve("adopted", null, { sock: await listening(path) }));
    const links = readdirSync("/proc/self/fd").map((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`);
      } catch {
        return "";
      }
    });
    assert.deepEqual(
      links.filter((link) => link.startsWith(root)),
      [],
    );
    assert.deepEqual(filesBeside(path), ["s"]);
    unlinkSync(path);
  });

  it("with startServing: false keeps clients who connect meanwhile, and answers them then", async () => {
    const path = socketPath();
    const server = await serve("adopted", null, { sock: await listening(path), startServing: false });
    assert.equal(server.isServing(), false);
    const [reader, writer] = await openUnixConnection(path);
    writer.write("early\n");
    await server.startServing();
    assert.equal((await reader.readline()).toString(), "adopted early\n");
    writer.close();
    await end(server);
    unlinkSync(path);
  });

  it("that never served is closed with the server, and so are clients who connected meanwhile", async () => {
    const path = socketPath();
    const sock = await listening(path);
    const server = await serve("adopted", null, { sock, startServing: false });
    const [reader, writer] = await openUnixConnection(path);
    await end(server);
    assert.equal(sock.listening, false);
    assert.equal((await reader.read().catch(() => Buffer.alloc(0))).length, 0);
    writer.close();
    await writer.waitClosed().catch(() => {});
    unlinkSync(path);
  });

  for (const [what, options, message] of [
    ["a path", {}, /path and sock/],
    ["a mode", { mode: 0o600 }, /mode/],
    ["takeover", { takeover: true }, /takeover/],
    ["a wrong backlog", { backlog: 0.5 }, /backlog/],
    ["an aborted signal", { signal: AbortSignal.abort(new Error("aborted before")) }, /aborted before/],
  ] as const) {
    it(`with ${what} is refused, and closed`, async () => {
      const path = socketPath();
      const sock = await listening(path);
      await assert.rejects(serve("adopted", what === "a path" ? path : null, { ...options, sock }), { message });
      assert.equal(sock.listening, false);
      rmSync(path, { force: true });
    });
  }

  it("with a wrong callback or factory is refused, and closed", async () => {
    for (const call of [startUnixServer, createUnixServer]) {
      const sock = await listening(socketPath());
      await assert.rejects(call(5 as never, null, { sock }), { name: "TypeError", code: "ERR_INVALID_ARG_TYPE" });
      assert.equal(sock.listening, false);
    }
  });

  it("that is a TCP server is refused, and closed", async () => {
    const sock = await listening({ host: "127.0.0.1", port: 0 });
    await assert.rejects(serve("adopted", null, { sock }), {
      name: "TypeError",
      message: /must be a Unix stream socket: the server is a TCP socket/,
    });
    assert.equal(sock.listening, false);
  });

  it("that does not listen is refused", async () => {
    await assert.rejects(serve("adopted", null, { sock: net.createServer() }), { name: "TypeError", message: /not listening/ });
  });

  it("whose connections somebody else takes is refused, and closed", async () => {
    const sock = await listening(socketPath());
    sock.on("connection", () => {});
    await assert.rejects(serve("adopted", null, { sock }), { name: "TypeError", message: /'connection' listener/ });
    assert.equal(sock.listening, false);
  });

  for (const sock of [{}, "server", true, new net.Socket()]) {
    it(`that is ${typeof sock === "object" ? sock.constructor.name : typeof sock} is refused`, async () => {
      await assert.rejects(serve("adopted", null, { sock: sock as never }), {
        name: "TypeError",
        code: "ERR_INVALID_ARG_TYPE",
        message: /sock/,
      });
    });
  }
});
