import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { mkdirSync, readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { openUnixConnection, type PathLike, startUnixServer } from "asyncio-streams";
import { parseUnixPath } from "#src/net/socket-file/unix-path.js";
import { fakes, foreignBytes } from "../support/foreign.js";
import { needsLinux } from "../support/needs.js";
import { cannot, nodeMajor, runtime } from "../support/runtime.js";
import { socketPath, temporaryDirectory } from "../support/temporary.js";

/** Bytes of `sun_path`, without the NUL at its end. */
const MAX_PATH_BYTES = process.platform === "linux" ? 107 : 103;

/** Starts a server at one form of a path and connects to another; returns what the client reads. */
async function talk(serverPath: PathLike, clientPath: PathLike): Promise<string> {
  await using server = await startUnixServer((_reader, writer) => {
    writer.write("hello");
    writer.close();
  }, serverPath);
  const [reader, writer] = await openUnixConnection(clientPath);
  const text = (await reader.read()).toString();
  writer.close();
  await writer.waitClosed();
  server.close();
  return text;
}

/** A path of exactly `length` bytes whose last part has `nameLength` of them. */
function pathOfLength(length: number, nameLength: number): string {
  let directory = temporaryDirectory();
  const left = length - nameLength - 1 - directory.length;
  if (left > 1) {
    directory = join(directory, "d".repeat(left - 1));
    mkdirSync(directory);
  }
  return join(directory, "s".repeat(nameLength));
}

describe("PathLike", () => {
  for (const [form, convert] of [
    ["text", (path: string) => path],
    ["a Buffer", (path: string) => Buffer.from(path)],
    ["a Uint8Array", (path: string) => new TextEncoder().encode(path)],
    ["a file: URL", (path: string) => pathToFileURL(path)],
    ["a Uint8Array of another realm", (path: string) => foreignBytes(path)],
    ["a file: URL of another realm", (path: string) => ({ href: pathToFileURL(path).href }) as URL],
    ["relative", (path: string) => relative(process.cwd(), path)],
  ] as const) {
    it(`may be ${form}`, async () => {
      const path = socketPath();
      assert.equal(await talk(convert(path), path), "hello");
      assert.equal(await talk(path, convert(path)), "hello");
    });
  }

  it("must not be an object that only looks like bytes", () => {
    for (const fake of Object.values(fakes())) {
      assert.throws(() => parseUnixPath("connect", fake), { name: "TypeError", code: "ERR_INVALID_ARG_TYPE" });
    }
  });

  it("may have spaces, per cent signs and any script", async () => {
    const path = socketPath("a b%20ü€.sock");
    assert.equal(await talk(pathToFileURL(path), Buffer.from(path)), "hello");
  });

  for (const [what, nameLength] of [
    ["with a long last part", 40],
    ["with a last part of one byte", 1],
  ] as const) {
    // Without paths through descriptors, the socket is bound below a directory with a longer name.
    it(`may have exactly the system's limit of bytes, ${what}`, nameLength < 40 ? needsLinux : {}, async () => {
      const path = pathOfLength(MAX_PATH_BYTES, nameLength);
      assert.equal(Buffer.byteLength(path), MAX_PATH_BYTES);
      assert.equal(await talk(path, path), "hello");
      assert.deepEqual(readdirSync(dirname(path)), []);
    });
  }

  it("with one byte more is refused with ENAMETOOLONG, the limit and the length", async () => {
    const path = pathOfLength(MAX_PATH_BYTES + 1, 40);
    for (const call of [() => openUnixConnection(path), () => startUnixServer(() => {}, path)]) {
      await assert.rejects(call(), (error: NodeJS.ErrnoException) => {
        assert.equal(error.code, "ENAMETOOLONG");
        assert.equal(error.path, path);
        assert.match(error.message, new RegExp(`\\blimit is ${MAX_PATH_BYTES},`));
        assert.match(error.message, new RegExp(`\\b${MAX_PATH_BYTES + 1} bytes`));
        return true;
      });
    }
    assert.deepEqual(readdirSync(dirname(path)), []);
  });

  it("is measured in bytes, not in characters", () => {
    const path = `/${"ü".repeat(MAX_PATH_BYTES - 10)}`;
    assert.ok(path.length < MAX_PATH_BYTES);
    assert.throws(() => parseUnixPath("connect", path), { code: "ENAMETOOLONG", syscall: "connect" });
  });

  for (const [what, path, code, message] of [
    ["empty text", "", "ERR_INVALID_ARG_VALUE", /empty/],
    ["no bytes", new Uint8Array(0), "ERR_INVALID_ARG_VALUE", /empty/],
    ["text with a NUL inside", "/tmp/a\0b", "ERR_INVALID_ARG_VALUE", /NUL/],
    ["bytes with a NUL at the end", Buffer.from("/tmp/a\0"), "ERR_INVALID_ARG_VALUE", /NUL/],
    ["the path of a directory", "/tmp/", "ERR_INVALID_ARG_VALUE", /"\/"/],
    ["a URL of another kind", new URL("http://localhost/tmp/a"), "ERR_INVALID_ARG_VALUE", /file: URL/],
    ["half of a surrogate pair", "/tmp/\ud800", "ERR_INVALID_ARG_VALUE", /surrogate/],
    ["a number", 5, "ERR_INVALID_ARG_TYPE", /path must be a string/],
    ["an array", ["/tmp/a"], "ERR_INVALID_ARG_TYPE", /path must be a string/],
    ["a boolean", false, "ERR_INVALID_ARG_TYPE", /path must be a string/],
  ] as const) {
    it(`is refused if it is ${what}`, async () => {
      await assert.rejects(openUnixConnection(path as never), { name: "TypeError", code, message });
      await assert.rejects(
        startUnixServer(() => {}, path as never),
        { name: "TypeError", code, message },
      );
    });
  }
});

const shortName = (): string => `\0asyncio-streams-${process.pid}-${Math.random().toString(36).slice(2)}`;

describe("an abstract name", needsLinux, () => {
  const padded = runtime === "node" && nodeMajor < 22;
  /** A name as the runtime can have it: Node 20 pads those that do not fill `sun_path`. */
  const name = (): string => (padded ? shortName().padEnd(108, "-") : shortName());
  it("connects two ends of ours, as text and as bytes", async () => {
    const path = name();
    assert.equal(await talk(path, path), "hello");
    assert.equal(await talk(Buffer.from(path), path), "hello");
  });

  it("is the address at both ends", async () => {
    const path = name();
    const names: unknown[] = [];
    await using server = await startUnixServer((_reader, writer) => {
      names.push(writer.getExtraInfo("sockname"));
      writer.close();
    }, path);
    const [reader, writer] = await openUnixConnection(path);
    names.push(writer.getExtraInfo("peername"), server.sockets[0]!.getsockname());
    await reader.read();
    writer.close();
    await writer.waitClosed();
    assert.deepEqual(names, [path, path, path]);
  });

  it("that is taken gives EADDRINUSE, and is free again after close()", async () => {
    const path = name();
    const first = await startUnixServer(() => {}, path);
    await assert.rejects(
      startUnixServer(() => {}, path),
      { code: "EADDRINUSE" },
    );
    first.close();
    await first.waitClosed();
    const second = await startUnixServer(() => {}, path);
    second.close();
    await second.waitClosed();
  });

  it("without a listener gives ECONNREFUSED", async () => {
    await assert.rejects(openUnixConnection(name()), { code: "ECONNREFUSED" });
  });

  it("that is shorter works unless the runtime pads it, and is refused then", async () => {
    const path = shortName();
    if (padded) {
      const refusal = { name: "TypeError", code: "ERR_INVALID_ARG_VALUE", message: /pads/ };
      await assert.rejects(openUnixConnection(path), refusal);
      await assert.rejects(
        startUnixServer(() => {}, path),
        refusal,
      );
    } else assert.equal(await talk(path, Buffer.from(path)), "hello");
  });

  it("may have 108 bytes", cannot("abstract-name-of-108-bytes", "bun"), async () => {
    const path = shortName().padEnd(108, "-");
    assert.equal(await talk(path, path), "hello");
  });

  it("of more than 108 bytes is refused with ENAMETOOLONG", async () => {
    const path = shortName().padEnd(109, "-");
    await assert.rejects(openUnixConnection(path), { code: "ENAMETOOLONG", message: /109 bytes.*108/ });
    await assert.rejects(
      startUnixServer(() => {}, path),
      { code: "ENAMETOOLONG", syscall: "listen" },
    );
  });

  it("has no file mode", async () => {
    await assert.rejects(
      startUnixServer(() => {}, name(), { mode: 0o600 }),
      { name: "TypeError", message: /mode/ },
    );
  });
});
