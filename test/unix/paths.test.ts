/** Which paths a server can have, and what a path that it cannot have gives. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readlinkSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, it } from "node:test";
import { openUnixConnection } from "asyncio-streams";
import { needsLinux } from "../support/needs.js";
import { staleSocket } from "../support/stale-socket.js";
import { temporaryDirectory } from "../support/temporary.js";
import { ask, end, filesBeside, serve } from "./answering.js";

const MAX_PATH_BYTES = process.platform === "linux" ? 107 : 103;

/** A path of so many bytes whose last part is `name`, in directories that are there. */
function deepPath(length: number, name: string): string {
  const root = temporaryDirectory();
  const directory = join(root, "d".repeat(length - root.length - name.length - 2));
  mkdirSync(directory);
  return join(directory, name);
}

/** The descriptors of this process that lead to a directory. */
function openDirectories(directory: string): string[] {
  return readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(directory);
    } catch {
      return false;
    }
  });
}

describe("a path that is short enough, with a hidden name that is not", needsLinux, () => {
  for (const length of [MAX_PATH_BYTES - 20, MAX_PATH_BYTES - 1, MAX_PATH_BYTES]) {
    it(`works with ${length} bytes, and no descriptor is left`, async () => {
      const path = deepPath(length, "s");
      assert.equal(Buffer.byteLength(path), length);
      const server = await serve("deep", path, { mode: 0o660 });
      assert.deepEqual(filesBeside(path), ["s"]);
      assert.equal(server.sockets[0]!.getsockname(), path);
      const [reader, writer] = await openUnixConnection(path);
      assert.equal(writer.getExtraInfo("peername"), path);
      writer.write("who\n");
      assert.equal((await reader.readline()).toString(), "deep who\n");
      writer.close();
      await end(server);
      assert.deepEqual(filesBeside(path), []);
      assert.deepEqual(openDirectories(dirname(path)), []);
    });
  }

  it("works over a stale file, by takeover, beside a live server, and with startServing: false", async () => {
    const path = deepPath(MAX_PATH_BYTES, "s");
    await end(await serve("stale", path, { cleanupSocket: false }));
    const first = await serve("first", path);
    assert.equal(await ask(path), "first who");
    await assert.rejects(serve("second", path), { code: "EADDRINUSE", path });
    const second = await serve("second", path, { takeover: true, startServing: false });
    await second.startServing();
    await end(first);
    assert.equal(await ask(path), "second who");
    await end(second);
    const third = await serve("third", path, { startServing: false });
    await end(third);
    assert.deepEqual(filesBeside(path), []);
    assert.deepEqual(openDirectories(dirname(path)), []);
  });

  it("works with a relative path to a directory whose own path is far too long", async () => {
    const root = temporaryDirectory();
    const deep = join(root, "a".repeat(200), "b".repeat(200));
    mkdirSync(deep, { recursive: true });
    const before = process.cwd();
    process.chdir(deep);
    try {
      const server = await serve("relative", "test.sock");
      assert.equal(await ask("test.sock"), "relative who");
      await assert.rejects(serve("second", "test.sock"), { code: "EADDRINUSE", path: "test.sock" });
      await end(server);
      await staleSocket("test.sock");
      await end(await serve("relative", "test.sock"));
      assert.deepEqual(readdirSync(deep), []);
    } finally {
      process.chdir(before);
    }
  });
});

describe("a path that is too long", () => {
  for (const [what, path] of [
    ["by one byte", `/tmp/${"x".repeat(MAX_PATH_BYTES - 4)}`],
    ["by far", `/tmp/${"x".repeat(300)}`],
    ["in bytes, if not in characters", `/tmp/${"ü".repeat(60)}`],
  ] as const) {
    it(`${what} is refused with the limit and the length`, async () => {
      const expected = {
        code: "ENAMETOOLONG",
        path,
        message: new RegExp(`has ${Buffer.byteLength(path)} bytes: the limit is ${MAX_PATH_BYTES}`),
      };
      await assert.rejects(serve("long", path), { ...expected, syscall: "listen" });
      await assert.rejects(openUnixConnection(path), { ...expected, syscall: "connect" });
      await assert.rejects(serve("long", Buffer.from(path)), expected);
    });
  }

  it("is accepted in its shorter, relative form", async () => {
    const long = join(temporaryDirectory(), "x".repeat(MAX_PATH_BYTES), "test.sock");
    mkdirSync(dirname(long));
    await assert.rejects(serve("long", long), { code: "ENAMETOOLONG" });
    const before = process.cwd();
    process.chdir(dirname(long));
    try {
      const server = await serve("short", relative(dirname(long), long));
      assert.equal(await ask("./test.sock"), "short who");
      await end(server);
    } finally {
      process.chdir(before);
    }
  });
});

describe("bytes that are not UTF-8", () => {
  for (const bytes of [Buffer.from([0x2f, 0x74, 0x6d, 0x70, 0x2f, 0xff]), Buffer.from([0xc3]), Buffer.from([0, 0xff])]) {
    it(`${bytes.toString("hex")} are refused clearly`, async () => {
      const refusal = { name: "TypeError", code: "ERR_INVALID_ARG_VALUE", message: /^path must be UTF-8/ };
      await assert.rejects(serve("bytes", bytes), refusal);
      await assert.rejects(openUnixConnection(bytes), refusal);
    });
  }
});

describe("names that are unusual", () => {
  for (const name of ["-", "...", ".as-x", "a b", " ", "@at", "new\nline", "über", "雪", "'\"$`", "\u{1f9ea}"]) {
    it(`${JSON.stringify(name)} works, is replaced when it is stale, and goes`, async () => {
      const path = join(temporaryDirectory(), name);
      await staleSocket(path);
      const server = await serve("unusual", path);
      assert.deepEqual(filesBeside(path), [name]);
      assert.equal(await ask(path), "unusual who");
      assert.equal(server.sockets[0]!.getsockname(), path);
      await end(server);
      assert.deepEqual(filesBeside(path), []);
    });
  }
});
