/** Socket activation, by systemd's own tool and by a launcher that follows its protocol. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { lstatSync, unlinkSync } from "node:fs";
import { dirname } from "node:path";
import { describe, it } from "node:test";
import { type ListenFd, openUnixConnection, type SocketAddress } from "asyncio-streams";
import { openTo } from "../support/addresses.js";
import { Child, scriptCommand } from "../support/child.js";
import { type Need, needs, needsLinux, needsRoot } from "../support/needs.js";
import { socketPath } from "../support/temporary.js";
import { until } from "../support/turns.js";
import { ask, askOver, filesBeside } from "./answering.js";
import { python, pythonCommand } from "./python.js";

interface Told {
  readonly passed: ListenFd[];
  readonly variables: string[];
  readonly again: ListenFd[];
  readonly names: SocketAddress[];
}

/** Whether a command works. */
const works = (...[command, ...args]: readonly string[]): boolean => spawnSync(command as string, args, { stdio: "ignore" }).status === 0;

/** Whether a network namespace may be made. */
const needsUnshare: Need = { skip: !works("unshare", "-n", "true") && "needs unshare(1)" };

/** The tool is in Debian's package `systemd`. */
const needsSystemd: Need = { skip: !works("systemd-socket-activate", "--version") && "needs systemd-socket-activate" };

/** Starts the child as a service manager does. */
function activate(sockets: readonly object[], options: object = {}, wrap: readonly string[] = []): Child {
  const command = scriptCommand("unix/activated-child", JSON.stringify(options));
  // What lies between the launcher and the child must not change the process id.
  return new Child(pythonCommand("launch", JSON.stringify(sockets), "--activate", ...wrap, ...command));
}

describe("a process that was passed sockets", needs(needsLinux, python), () => {
  it("serves on a Unix socket, with its public name, and leaves the file when it closes", async () => {
    const path = socketPath();
    await using peer = activate([{ kind: "unix listening", path, name: "app.socket" }]);
    const told = await peer.next<Told>();
    const { ino } = lstatSync(path);
    assert.deepEqual(told, { passed: [{ fd: 3, name: "app.socket" }], variables: [], again: [], names: [path] });
    assert.equal(await ask(path), "app.socket who");
    const [, writer] = await openUnixConnection(path);
    assert.equal(writer.getExtraInfo("peername"), path);
    writer.close();
    assert.equal(await peer.ask("close"), "closed");
    await peer.ended;
    assert.deepEqual([lstatSync(path).ino, filesBeside(path)], [ino, ["test.sock"]]);
    unlinkSync(path);
  });

  it("removes the file if cleanupSocket: true says so", async () => {
    const path = socketPath();
    await using peer = activate([{ kind: "unix listening", path }], { cleanupSocket: true });
    await peer.next();
    assert.equal(await peer.ask("close"), "closed");
    assert.deepEqual(filesBeside(path), []);
    await peer.ended;
  });

  it("leaves a successor's file, also with cleanupSocket: true", async () => {
    const path = socketPath();
    await using peer = activate([{ kind: "unix listening", path }], { cleanupSocket: true });
    await peer.next();
    unlinkSync(path);
    await using other = activate([{ kind: "unix listening", path, name: "successor" }]);
    await other.next();
    assert.equal(await peer.ask("close"), "closed");
    await peer.ended;
    assert.equal(await ask(path), "successor who");
    assert.equal(await other.ask("close"), "closed");
    await other.ended;
    unlinkSync(path);
  });

  it("serves on several, Unix and TCP, each by its name", async () => {
    const [one, two] = [socketPath(), socketPath()];
    const sockets = [
      { kind: "unix listening", path: one, name: "one" },
      { kind: "tcp listening", name: "tcp" },
      { kind: "unix listening", path: two, name: "two" },
    ];
    await using peer = activate(sockets);
    const { passed, names } = await peer.next<Told>();
    assert.deepEqual(
      passed.map(({ fd, name }) => [fd, name]),
      [
        [3, "one"],
        [4, "tcp"],
        [5, "two"],
      ],
    );
    assert.deepEqual([names[0], names[2]], [one, two]);
    assert.deepEqual([await ask(one), await ask(two)], ["one who", "two who"]);
    assert.equal(await askOver(await openTo(names[1] as SocketAddress)), "tcp who");
    assert.equal(await peer.ask("close"), "closed");
    await peer.ended;
    for (const path of [one, two]) unlinkSync(path);
  });

  for (const name of ["two  spaces ", "über", "@at"]) {
    it(`knows the name of a socket file called ${JSON.stringify(name)}`, async () => {
      const path = socketPath(name);
      await using peer = activate([{ kind: "unix listening", path }], { cleanupSocket: true });
      assert.deepEqual((await peer.next<Told>()).names, [path]);
      assert.equal(await ask(path), "unknown who");
      assert.equal(await peer.ask("close"), "closed");
      assert.deepEqual(filesBeside(path), []);
      await peer.ended;
    });
  }

  it("knows an abstract name", async () => {
    const name = `as-test-${process.pid}`.padEnd(106, "x");
    await using peer = activate([{ kind: "unix listening", path: `@${name}` }]);
    assert.deepEqual((await peer.next<Told>()).names, [`\0${name}`]);
    assert.equal(await peer.ask("close"), "closed");
    await peer.ended;
  });

  it("serves sockets of another network namespace, which the system does not list", needs(needsRoot, needsUnshare), async () => {
    const path = socketPath();
    await using peer = activate(
      [
        { kind: "unix listening", path, name: "unix" },
        { kind: "tcp listening", name: "tcp" },
      ],
      {},
      ["unshare", "-n"],
    );
    const { names } = await peer.next<Told>();
    assert.equal(await ask(path), "unix who");
    assert.equal(await askOver(await openTo(names[1] as SocketAddress)), "tcp who");
    assert.equal(await peer.ask("close"), "closed");
    await peer.ended;
    unlinkSync(path);
  });

  it("answers clients that connected before it started", async () => {
    const path = socketPath();
    await using peer = activate([{ kind: "unix listening", path, name: "late" }]);
    // Bound by the launcher, long before the child has started.
    await until(() => filesBeside(path).length > 0);
    let answer = "";
    while (answer === "") answer = await ask(path).catch(() => "");
    assert.equal(answer, "late who");
    assert.equal(await peer.next<Told>().then(({ names }) => names[0]), path);
    assert.equal(await peer.ask("close"), "closed");
    await peer.ended;
    unlinkSync(path);
  });
});

describe("systemd-socket-activate", needsSystemd, () => {
  /** Waits until it listens: it writes of that to its standard error. */
  async function activateBySystemd(path: string, ...args: readonly string[]): Promise<Child> {
    const command = ["systemd-socket-activate", "-l", path, ...args, ...scriptCommand("unix/activated-child")];
    const peer = new Child(command, { stdio: ["pipe", "pipe", "pipe"] });
    let said = "";
    peer.process.stderr?.setEncoding("utf8").on("data", (text: string) => (said += text));
    await until(() => said.includes("Listening on") || peer.process.exitCode !== null);
    assert.match(said, /Listening on/);
    return peer;
  }

  it("starts a server with the first client, which is answered", async () => {
    const path = socketPath();
    await using peer = await activateBySystemd(path, "--fdname=app");
    assert.equal(await ask(path, "first"), "app first");
    assert.deepEqual(await peer.next<Told>(), { passed: [{ fd: 3, name: "app" }], variables: [], again: [], names: [path] });
    assert.equal(await ask(path, "second"), "app second");
    assert.equal(await peer.ask("close"), "closed");
    await peer.ended;
    assert.deepEqual(filesBeside(path), ["test.sock"]);
    unlinkSync(path);
  });

  it("without a name", async () => {
    const path = socketPath();
    await using peer = await activateBySystemd(path);
    assert.equal(await ask(path), "unknown who");
    assert.deepEqual((await peer.next<Told>()).passed, [{ fd: 3, name: "unknown" }]);
    assert.equal(await peer.ask("close"), "closed");
    await peer.ended;
    unlinkSync(path);
    assert.deepEqual(filesBeside(`${dirname(path)}/x`), []);
  });
});
