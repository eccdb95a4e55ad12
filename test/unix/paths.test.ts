/** Which paths a server can have, and what a path that it cannot have gives. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { lstatSync, mkdirSync, readdirSync, readlinkSync, rmdirSync, unlinkSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, it } from "node:test";
import { openUnixConnection, startUnixServer } from "asyncio-streams";
import { escaped, fileNameOf } from "#src/net/socket-file/unix-path.js";
import { needs, needsLinux } from "../support/needs.js";
import { cannot } from "../support/runtime.js";
import { staleSocket } from "../support/stale-socket.js";
import { temporaryDirectory } from "../support/temporary.js";
import { ask, end, filesBeside, serve } from "./answering.js";
import { python } from "./python.js";

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

describe("a path that is not UTF-8", () => {
  const apart = cannot("paths-that-are-not-utf-8", "deno");

  /** Such a path in a new directory: in its last part, in its directory, or in both. */
  function bytesPath(directory: readonly number[], base: readonly number[]): Buffer {
    const parent = Buffer.concat([Buffer.from(`${temporaryDirectory()}/`), Buffer.from(directory)]);
    if (directory.length > 0) mkdirSync(parent);
    return Buffer.concat([parent, Buffer.from("/"), Buffer.from(base)]);
  }

  /** What is in the directory of such a path. */
  const bytesBeside = (path: Buffer): string[] =>
    readdirSync(path.subarray(0, path.lastIndexOf("/")), { encoding: "buffer" }).map((name) => name.toString("latin1"));

  for (const [what, directory, base] of [
    ["in its name", [], [0x61, 0xff, 0xc3]],
    ["in its directory", [0xfe, 0x62], [0x73]],
    ["in both", [0xc3, 0x28], [0xed, 0xa0, 0x80]],
  ] as const) {
    it(
      `${what} works for servers and clients: free, stale, live, taken over, and gone after close()`,
      needs(needsLinux, apart),
      async () => {
        const path = bytesPath(directory, base);
        const name = Buffer.from(base).toString("latin1");
        await end(await serve("stale", path, { cleanupSocket: false }));
        assert.deepEqual(bytesBeside(path), [name]);
        const first = await serve("first", path, { mode: 0o640 });
        assert.equal(lstatSync(path).mode & 0o777, 0o640);
        assert.equal(await ask(path), "first who");
        await assert.rejects(serve("second", path), { code: "EADDRINUSE", message: /a live server listens/ });
        const second = await serve("second", path, { takeover: true });
        await end(first);
        assert.equal(await ask(path), "second who");
        assert.deepEqual(bytesBeside(path), [name]);
        await end(second);
        assert.deepEqual(bytesBeside(path), []);
        assert.deepEqual(openDirectories(path.toString()), []);
        // The leak guard looks only into directories whose names are text.
        if (directory.length > 0) rmdirSync(path.subarray(0, path.lastIndexOf("/")));
      },
    );
  }

  it("may be a file: URL", needs(needsLinux, apart), async () => {
    const directory = temporaryDirectory();
    const server = await serve("url", new URL(`file://${directory}/%ff%20x`));
    assert.equal(await ask(Buffer.from(`${directory}/\xff x`, "latin1")), "url who");
    await end(server);
  });

  it(
    "is reported as in Python: each byte that is not UTF-8 is a surrogate, and the name is a path again",
    needs(needsLinux, apart),
    async () => {
      const path = bytesPath([], [0xc3, 0xbc, 0xff, 0xf0, 0x9f, 0xa7, 0xaa, 0xc3]);
      const names: unknown[] = [];
      const server = await startUnixServer((_reader, writer) => {
        names.push(writer.getExtraInfo("sockname"));
        writer.close();
      }, path);
      const [reader, writer] = await openUnixConnection(path);
      await reader.read();
      writer.close();
      await writer.waitClosed();
      names.push(writer.getExtraInfo("peername"), server.sockets[0]!.getsockname());
      const expected = `${path.subarray(0, path.lastIndexOf("/")).toString()}/ü\udcff\u{1f9ea}\udcc3`;
      assert.deepEqual(names, [expected, expected, expected]);
      const [again, writerAgain] = await openUnixConnection(expected);
      await again.read();
      writerAgain.close();
      await end(server);
    },
  );

  it("is the same in CPython", needs(needsLinux, python), () => {
    const script = "import os; print(ascii(os.fsdecode(b'\\xc3\\xbc\\xff\\xf0\\x9f\\xa7\\xaa\\xc3\\xed\\xa0\\x80\\xe2\\x82')))";
    const told = execFileSync(python.binary, ["-X", "utf8", "-c", script], { encoding: "utf8" });
    assert.equal(told.trim(), "'\\xfc\\udcff\\U0001f9ea\\udcc3\\udced\\udca0\\udc80\\udce2\\udc82'");
    const bytes = Buffer.from("c3bcfff09fa7aac3eda080e282", "hex");
    assert.equal(escaped(bytes), "\xfc\udcff\u{1f9ea}\udcc3\udced\udca0\udc80\udce2\udc82");
    assert.deepEqual(fileNameOf(escaped(bytes)), bytes);
  });

  it(
    "on which no server listens gives ECONNREFUSED, and one that does not exist ENOENT, with the path",
    needs(needsLinux, apart),
    async () => {
      const path = bytesPath([], [0xff]);
      const text = `${path.subarray(0, -1).toString()}\udcff`;
      await end(await serve("stale", path, { cleanupSocket: false }));
      await assert.rejects(openUnixConnection(path), { code: "ECONNREFUSED", syscall: "connect", path: text });
      unlinkSync(path);
      await assert.rejects(openUnixConnection(path), { code: "ENOENT", syscall: "connect", path: text });
      await assert.rejects(openUnixConnection(path, { signal: AbortSignal.abort() }), { name: "AbortError" });
    },
  );

  it("with one byte more than the limit is refused with ENAMETOOLONG", needs(needsLinux, apart), async () => {
    const path = Buffer.from(`/tmp/${"\xff".repeat(MAX_PATH_BYTES - 4)}`, "latin1");
    await assert.rejects(openUnixConnection(path), { code: "ENAMETOOLONG", message: new RegExp(`has ${MAX_PATH_BYTES + 1} bytes`) });
  });

  it("is refused if it is an abstract name", needsLinux, async () => {
    const refusal = { name: "TypeError", code: "ERR_INVALID_ARG_VALUE", message: /^path must be UTF-8 if it is an abstract name/ };
    await assert.rejects(serve("bytes", Buffer.from([0, 0xff])), refusal);
    await assert.rejects(openUnixConnection(Buffer.from([0, 0xff])), refusal);
  });
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
