/** A listening Unix `net.Server` that is handed over. `net/sock.test.ts` and `net/sock-arguments.test.ts` check what is refused. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import net from "node:net";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { openUnixConnection, startUnixServer } from "asyncio-streams";
import { needsLinux } from "../support/needs.js";
import { staleSocket } from "../support/stale-socket.js";
import { socketPath, temporaryDirectory } from "../support/temporary.js";
import { ask, end, filesBeside, serve } from "./answering.js";

/** A server of Node's that listens on a path. */
async function listening(address: string): Promise<net.Server> {
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

  it("gives its clients' callbacks its path, and lets them send after the client's end", async () => {
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

  it("closes without an error when its file or its directory has been removed", async () => {
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

  it("leaves its file if it may not make a second name for it", async () => {
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
});

describe("a listening socket whose file this process does not see", () => {
  it("serves, and leaves alone what has the name now", needsLinux, async () => {
    const directory = join(temporaryDirectory(), "run");
    mkdirSync(directory);
    const sock = net.createServer({ allowHalfOpen: true }).listen(join(directory, "app.sock"));
    await once(sock, "listening");
    renameSync(directory, `${directory}.old`);
    writeFileSync(directory, "a file");
    const server = await startUnixServer((_reader, writer) => writer.close(), null, { sock, cleanupSocket: true });
    const [reader, writer] = await openUnixConnection(join(`${directory}.old`, "app.sock"));
    assert.equal((await reader.read()).length, 0);
    writer.close();
    await server.shutdown();
    assert.equal(lstatSync(directory).isFile(), true);
    rmSync(`${directory}.old`, { recursive: true });
  });
});
