/** Paths and ports that lead nowhere: the system's own errors, and nothing left. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readdirSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { openConnection, openUnixConnection, type StreamReader, type StreamWriter, startServer, startUnixServer } from "asyncio-streams";
import { bareServer, freePort } from "../support/bare-sockets.js";
import { Child, scriptCommand } from "../support/child.js";
import type { Outcome } from "../support/outcome.js";
import { cannot } from "../support/runtime.js";
import { staleSocket } from "../support/stale-socket.js";
import { socketPath, temporaryDirectory } from "../support/temporary.js";

describe("openUnixConnection() to a path that leads nowhere", () => {
  it("gives ENOENT with the path if there is no file", async () => {
    const path = socketPath();
    await assert.rejects(openUnixConnection(path), { code: "ENOENT", syscall: "connect" });
    await assert.rejects(openUnixConnection(path), (error: Error) => error.message.includes(path));
  });

  it("gives ENOENT if there is no directory", async () => {
    await assert.rejects(openUnixConnection(join(temporaryDirectory(), "none", "test.sock")), { code: "ENOENT" });
  });

  it("gives ECONNREFUSED if the server has ended", async () => {
    const path = await staleSocket();
    await assert.rejects(openUnixConnection(path), { code: "ECONNREFUSED" });
    unlinkSync(path);
  });

  it("gives an error if the file is not a socket", async () => {
    const path = socketPath();
    writeFileSync(path, "plain");
    await assert.rejects(openUnixConnection(path), (error: NodeJS.ErrnoException) =>
      ["ECONNREFUSED", "ENOTSOCK"].includes(error.code ?? ""),
    );
  });

  it("gives ENOTDIR if the parent is a plain file", cannot("unix-connect-error-codes", "bun"), async () => {
    const path = socketPath();
    writeFileSync(path, "plain");
    await assert.rejects(openUnixConnection(join(path, "test.sock")), { code: "ENOTDIR" });
  });

  it("gives ELOOP for a circle of links", cannot("unix-connect-error-codes", "bun"), async () => {
    const path = socketPath();
    symlinkSync(path, path);
    await assert.rejects(openUnixConnection(path), { code: "ELOOP" });
  });
});

describe("startUnixServer() that cannot listen", () => {
  it("gives ENOENT with the public path if there is no directory", async () => {
    const path = join(temporaryDirectory(), "none", "test.sock");
    await assert.rejects(
      startUnixServer(() => {}, path),
      (error: NodeJS.ErrnoException) => {
        assert.deepEqual([error.code, error.syscall, error.path], ["ENOENT", "listen", path]);
        assert.ok(!error.message.includes(".as-"), error.message);
        return true;
      },
    );
  });

  it("gives ENOTDIR if the parent is a plain file, which stays unchanged", async () => {
    const parent = socketPath("file");
    writeFileSync(parent, "plain");
    await assert.rejects(
      startUnixServer(() => {}, join(parent, "test.sock")),
      { code: "ENOTDIR", path: join(parent, "test.sock") },
    );
    assert.deepEqual(readdirSync(dirname(parent)), ["file"]);
  });
});

/** Runs the script as somebody without rights, in the given directory. */
async function asNobody(directory: string): Promise<{ serve: Outcome | null; connect: Outcome | null }> {
  await using child = new Child(scriptCommand("net/permissions-child", directory));
  const result = await child.next<{ serve: Outcome | null; connect: Outcome | null }>();
  await child.ended;
  return result;
}

const untilEof = async (reader: StreamReader, writer: StreamWriter): Promise<void> => {
  await reader.read();
  writer.close();
};

describe("permissions", () => {
  it("a directory that may not be entered gives EACCES both ways", async () => {
    const directory = temporaryDirectory();
    chmodSync(directory, 0o000);
    try {
      const { serve, connect } = await asNobody(directory);
      assert.equal(serve?.code, "EACCES", serve?.message);
      assert.equal(connect?.code, "EACCES", connect?.message);
      assert.ok(serve?.message.includes(join(directory, "new.sock")), serve?.message);
    } finally {
      chmodSync(directory, 0o700);
    }
    assert.deepEqual(readdirSync(directory), []);
  });

  it("a directory that may not be written to gives EACCES for a server", async () => {
    const directory = temporaryDirectory();
    mkdirSync(join(directory, "public"));
    chmodSync(directory, 0o555);
    try {
      const { serve } = await asNobody(directory);
      assert.equal(serve?.code, "EACCES", serve?.message);
    } finally {
      chmodSync(directory, 0o700);
    }
    assert.deepEqual(readdirSync(directory), ["public"]);
  });

  for (const [mode, code] of [
    [0o600, process.getuid?.() === 0 ? "EACCES" : undefined],
    [0o000, "EACCES"],
    [0o666, undefined],
    [0o777, undefined],
  ] as const) {
    it(`a server with mode 0o${mode.toString(8)} ${code === undefined ? "lets another user connect" : "refuses another user"}`, async () => {
      const directory = temporaryDirectory();
      chmodSync(directory, 0o755);
      await using server = await startUnixServer(untilEof, join(directory, "live.sock"), { mode });
      const { connect } = await asNobody(directory);
      assert.equal(connect?.code, code, connect?.message);
      server.close();
    });
  }
});

describe("TCP that leads nowhere", () => {
  it("gives ECONNREFUSED with address and port if there is no listener", async () => {
    const port = await freePort();
    await assert.rejects(openConnection("127.0.0.1", port), (error: NodeJS.ErrnoException) => {
      assert.equal(error.code, "ECONNREFUSED");
      assert.ok(error.message.includes(`127.0.0.1:${port}`), error.message);
      return true;
    });
  });

  it("gives the resolver's error for a name that does not exist", async () => {
    const error = await openConnection("no-such-host.invalid", 80).catch((reason: NodeJS.ErrnoException) => reason);
    assert.ok(error instanceof Error);
    assert.match(error.code ?? "", /^(ENOTFOUND|EAI_AGAIN|EAI_FAIL|EAI_NODATA|EAI_NONAME)$/);
    await assert.rejects(
      startServer(() => {}, "no-such-host.invalid", 0),
      Error,
    );
  });

  it("gives EADDRINUSE for a port that is taken, and does not disturb its server", async () => {
    await using far = await bareServer();
    await assert.rejects(
      startServer(() => {}, "127.0.0.1", far.port),
      { code: "EADDRINUSE" },
    );
    await assert.rejects(
      startServer(() => {}, ["127.0.0.2", "127.0.0.1"], far.port),
      { code: "EADDRINUSE" },
    );
    const [, writer] = await openConnection("127.0.0.1", far.port);
    writer.close();
    await writer.waitClosed();
  });

  it("gives EADDRNOTAVAIL for an address that this machine does not have", cannot("listen-error-codes", "deno"), async () => {
    await assert.rejects(
      startServer(() => {}, "192.0.2.1", 0),
      { code: "EADDRNOTAVAIL" },
    );
  });
});
