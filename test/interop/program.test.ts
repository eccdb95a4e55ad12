/** What the other tests here stand on: programs that are started and ended. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import { describe, it } from "node:test";
import { openUnixConnection } from "asyncio-streams";
import { findProgram, program } from "./program.js";

/** Of the first suite, looked at by the second. */
let directory = "";
let pid = 0;

describe("program()", () => {
  const agent = program({ name: "ssh-agent", package: "openssh-client", args: ({ socket }) => ["-D", "-a", socket] });

  agent.it("has started it, on a socket in a directory of its own", async () => {
    ({ directory, pid } = agent);
    assert.ok(statSync(agent.socket).isSocket());
    assert.ok(agent.socket.startsWith(directory));
    const [, writer] = await openUnixConnection(agent.socket);
    writer.close();
    await writer.waitClosed();
  });

  agent.it("keeps what it prints", () => assert.match(agent.log, /SSH_AUTH_SOCK=/));
});

describe("program(), after its suite", () => {
  it("has ended it, and removed its directory", () => {
    assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
    assert.ok(!existsSync(directory));
  });
});

describe("findProgram()", () => {
  it("says which package has a program that is missing, and how to install it", () => {
    assert.throws(
      () => findProgram("no-such-server", "no-such-package"),
      /^Error: no-such-server is not installed: Debian package no-such-package; scripts\/install-interop-servers\.sh installs all$/,
    );
  });

  it("looks in the directories of servers that are not on PATH", () => assert.match(findProgram("postgres", "postgresql"), /postgres$/));
});
