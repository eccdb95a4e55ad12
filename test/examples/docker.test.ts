/** The Docker client of `examples/docker-engine.ts` and its command, with a small engine. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { dirname } from "node:path";
import { after, before, describe, it } from "node:test";
import { createSubprocessExec, PIPE } from "asyncio-streams/process";
import { DockerEngine, DockerError, type Output } from "../../examples/docker-engine.js";
import { socketPath } from "../support/temporary.js";
import { turns } from "../support/turns.js";
import { exampleCommand } from "./run-example.js";
import { type SmallEngine, startSmallEngine } from "./small-engine.js";

const CONTAINERS = {
  web: {
    hasTerminal: false,
    printed: [
      [1, "listening\n"],
      [2, "a warning\n"],
      [1, "ünïcode 🐘\n"],
      [1, ""],
      [2, "x".repeat(2_000)],
    ],
    command: ["sh", "-c", "cat; echo bye >&2; exit 3"],
  },
  shell: { hasTerminal: true, printed: [[1, "\u0001\u0000$ ls\r\n"]], command: ["cat"] },
} as const;

/** Joins what came from each source. */
async function joined(output: AsyncIterable<Output>): Promise<{ stdout: string; stderr: string }> {
  const all = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  for await (const { source, data } of output) all[source].push(data);
  return { stdout: Buffer.concat(all.stdout).toString(), stderr: Buffer.concat(all.stderr).toString() };
}

describe("a Docker client", () => {
  const path = socketPath("engine.sock");
  const docker = new DockerEngine(path);
  let engine: SmallEngine;

  before(async () => {
    engine = await startSmallEngine(path, CONTAINERS);
  });
  after(async () => {
    await engine.server.shutdown();
  });

  it("lists containers", async () => {
    assert.deepEqual(
      (await docker.containers()).map(({ Names, State }) => [...Names, State]),
      [
        ["/web", "running"],
        ["/shell", "running"],
      ],
    );
  });

  it("splits logs into their sources, wherever chunks and frames are cut", async () => {
    assert.deepEqual(await joined(docker.logs("web")), { stdout: "listening\nünïcode 🐘\n", stderr: `a warning\n${"x".repeat(2_000)}` });
  });

  it("passes on the logs of a terminal as they are", async () => {
    assert.deepEqual(await joined(docker.logs("shell")), { stdout: "\u0001\u0000$ ls\r\n", stderr: "" });
  });

  it("throws the engine's message", async () => {
    await assert.rejects(joined(docker.logs("nothing")), { message: "No such container: nothing", status: 404 });
    await assert.rejects(docker.exec("nothing", ["ls"]), DockerError);
    await assert.rejects(new DockerEngine(`${path}-not-there`).containers(), { code: "ENOENT" });
  });

  it("executes a command: upgrade, input, end of input, both outputs, status", async () => {
    await using session = await docker.exec("web", ["sh", "-c", "cat; echo done >&2; exit 7"]);
    session.stdin.write("hello\n");
    session.stdin.writeEof();
    assert.deepEqual(await joined(session.output), { stdout: "[ready]hello\n", stderr: "done\n" });
    assert.equal(await session.wait(), 7);
    const { headers } = engine.requests.findLast(({ start }) => start.includes("/start")) ?? assert.fail();
    assert.deepEqual([headers.get("connection"), headers.get("upgrade")], ["Upgrade", "tcp"]);
  });

  it("executes a command on a terminal, whose output has no frames", async () => {
    await using session = await docker.exec("web", ["cat"], { terminal: true });
    session.stdin.write("typed\n");
    session.stdin.writeEof();
    assert.deepEqual(await joined(session.output), { stdout: "[ready]typed\n", stderr: "" });
  });

  it("attaches to a container", async () => {
    await using session = await docker.attach("web");
    session.stdin.write("to the container\n");
    session.stdin.writeEof();
    assert.deepEqual(await joined(session.output), { stdout: "[ready]to the container\n", stderr: "bye\n" });
    assert.equal(await session.wait(), 3);
  });

  it("passes 20 MB through a command and back, unchanged", async () => {
    await using session = await docker.exec("web", ["cat"]);
    const [sent, received] = [createHash("sha256").update("[ready]"), createHash("sha256")];
    const feed = async (): Promise<void> => {
      for (let n = 0; n < 320; n += 1) {
        const piece = Buffer.alloc(65_536, n);
        sent.update(piece);
        session.stdin.write(piece);
        await session.stdin.drain();
      }
      session.stdin.writeEof();
    };
    const feeding = feed();
    for await (const { data } of session.output) received.update(data);
    await feeding;
    assert.equal(received.digest("hex"), sent.digest("hex"));
  });

  it("makes the command wait while its output is not read, and ends it when the session is left", async () => {
    const before = engine.sent();
    {
      await using session = await docker.exec("web", ["cat", "/dev/zero"]);
      await session.output.next();
      for (let last = -1; last < engine.sent(); await turns(200)) last = engine.sent();
      assert.ok(engine.sent() - before < 8_000_000, `${engine.sent() - before} bytes were sent to a client that does not read`);
    }
  });

  /** Runs the command; returns what it printed and its exit status. */
  async function run(args: readonly string[], input = ""): Promise<{ stdout: string; stderr: string; status: number }> {
    const env = { ...process.env, DOCKER_HOST: `unix://${path}`, TMPDIR: dirname(path), NO_COLOR: "1" };
    delete (env as NodeJS.ProcessEnv)["NODE_TEST_CONTEXT"];
    const [command, ...file] = exampleCommand("docker.js") as [string, ...string[]];
    await using child = await createSubprocessExec(command, [...file, ...args], { stdin: PIPE, stdout: PIPE, stderr: PIPE, env });
    const [stdout, stderr] = await child.communicate(input, { timeout: 30_000 });
    return { stdout: stdout.toString(), stderr: stderr.toString(), status: child.returncode ?? -1 };
  }

  it("is a command that lists and prints", async () => {
    assert.deepEqual(await run(["ps"]), {
      stdout: "web000000000 small running /web\nshell0000000 small running /shell\n",
      stderr: "",
      status: 0,
    });
    const logs = await run(["logs", "web"]);
    assert.equal(logs.stdout, "listening\nünïcode 🐘\n");
    assert.equal(logs.stderr, `a warning\n${"x".repeat(2_000)}`);
    assert.match((await run([])).stderr, /^usage: /);
  });

  it("is a command that executes and attaches: input, both outputs and the exit status are passed on", async () => {
    assert.deepEqual(await run(["exec", "web", "sh", "-c", "cat; echo err >&2; exit 7"], "in\n"), {
      stdout: "[ready]in\n",
      stderr: "err\n",
      status: 7,
    });
    assert.deepEqual(await run(["attach", "web"], "in\n"), { stdout: "[ready]in\n", stderr: "bye\n", status: 3 });
  });
});
