/** `examples/daemon.ts`: the life of a daemon, from outside. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { existsSync, rmSync, statSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { openUnixConnection } from "asyncio-streams";
import { needs, needsLinux } from "../support/needs.js";
import { findPython } from "../support/python.js";
import { socketPath } from "../support/temporary.js";
import { exampleCommand, type RunningExample, runExample, startExample } from "./run-example.js";

/** Sends a line over a new connection; returns the process id in front of the answer. */
async function ask(path: string): Promise<number> {
  const [reader, writer] = await openUnixConnection(path);
  writer.write("who?\n");
  const answer = (await reader.readline()).toString();
  writer.close();
  await writer.waitClosed();
  const pid = answer.match(/^(\d+) who\?\n$/)?.[1];
  assert.ok(pid !== undefined, `the answer was ${JSON.stringify(answer)}`);
  return Number(pid);
}

/** The last line. A client that has just gone may still be counted. */
const ENDING = /^\d+ ends: \d finished, 0 cut off\n$/;

describe("the daemon", () => {
  const path = socketPath("d.sock");
  let daemon: RunningExample;
  let pid: number;

  before(async () => {
    daemon = startExample([...exampleCommand("daemon.js"), path], path);
    pid = daemon.process.pid as number;
    assert.equal(await daemon.nextLine(), `${pid} listens on ${path}`);
  });

  // In case that a test has failed before the end.
  after(() => daemon.process.kill("SIGKILL"));

  it("admits only members of its group", () => assert.equal(statSync(path).mode & 0o777, 0o660));

  it("answers each line with its process id", async () => assert.equal(await ask(path), pid));

  it("refuses a second start, and keeps serving", async () => {
    const { status, stderr } = runExample("daemon.js", [path]);
    assert.notEqual(status, 0);
    assert.match(stderr, /EADDRINUSE: address already in use: a live server listens on this path/);
    assert.equal(await ask(path), pid);
  });

  it("is restarted by SIGHUP, while the old or the new process answers every client", async () => {
    const [reader, writer] = await openUnixConnection(path);
    process.kill(pid, "SIGHUP");
    let successor = pid;
    while (successor === pid) successor = await ask(path);
    assert.equal(await daemon.nextLine(), `${successor} listens on ${path}`);
    assert.equal(await daemon.nextLine(), `${pid} hands over to ${successor}`);

    writer.write("still there?\n");
    assert.equal((await reader.readline()).toString(), `${pid} still there?\n`, "the old process has kept its client");
    writer.close();
    await writer.waitClosed();
    assert.equal(await daemon.nextLine(), `${pid} ends: 0 finished, 0 cut off`);

    assert.equal(await ask(path), successor, "the old process has left the file to the new one");
    pid = successor;
  });

  it("ends with SIGTERM: idle clients read EOF, and the socket file is removed", async () => {
    const [reader, writer] = await openUnixConnection(path);
    writer.write("hello\n");
    assert.equal((await reader.readline()).toString(), `${pid} hello\n`);
    process.kill(pid, "SIGTERM");
    assert.equal((await reader.read()).length, 0);
    writer.close();
    await writer.waitClosed();
    assert.match(await daemon.ended(), ENDING);
    assert.ok(!existsSync(path));
  });
});

/** What a service manager does: listens, and becomes the daemon with the socket as descriptor 3. */
const ACTIVATE = `
import os, socket, sys
listening = socket.socket(socket.AF_UNIX)
listening.bind(sys.argv[1])
listening.listen()
os.dup2(listening.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.argv[2], sys.argv[2:])
`;

const python = findPython();

describe("the daemon with a socket that was passed to it", needs(needsLinux, python), () => {
  it("serves on it, and leaves its file", async () => {
    const path = socketPath("d.sock");
    const daemon = startExample([python.binary, "-c", ACTIVATE, path, ...exampleCommand("daemon.js")], path);
    const pid = daemon.process.pid as number;
    assert.equal(await daemon.nextLine(), `${pid} listens on ${path}`);
    assert.equal(await ask(path), pid);
    process.kill(pid, "SIGTERM"); // Deno: a child that was sent a signal by its own kill() is told to have died of it
    assert.match(await daemon.ended(), ENDING);
    assert.ok(existsSync(path));
    rmSync(path);
  });
});
