/** The Docker client of `examples/docker.ts` with Podman's service, which speaks the Docker Engine API. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe } from "node:test";
import { DockerEngine, DockerError, type Output } from "../../examples/docker-engine.js";
import { exampleOutput } from "./example.js";
import { findProgram, program } from "./program.js";

const IMAGE = "showcase:1";

/** Where Podman keeps everything: its own directory, so that the machine's containers are not seen here. */
const home = mkdtempSync(join(tmpdir(), "podman-"));
after(() => rmSync(home, { recursive: true, force: true }));
const storage = ["--root", join(home, "storage"), "--runroot", join(home, "run"), "--storage-driver", "vfs"];
const settings = join(home, "containers.conf");

/** Limits that need no privilege, no network, and a runtime that works with all versions of cgroups. */
const SETTINGS = `[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
netns = "none"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "${join(home, "tmp")}"
`;

/** Runs podman to its end; returns what it printed. */
function podman(...args: readonly string[]): string {
  const env = { ...process.env, CONTAINERS_CONF: settings };
  const { status, stdout, stderr } = spawnSync(findProgram("podman", "podman"), [...storage, ...args], { env, encoding: "utf8" });
  if (status !== 0) throw new Error(`podman ${args[0]} failed with ${status}: ${stderr.trim()}`);
  return stdout.trim();
}

/** Makes an image with busybox and nothing else, and runs it. Returns why that cannot be done here; `false` if it can. */
function whyNot(): string | false {
  try {
    findProgram("runc", "runc");
    const busybox = findProgram("busybox", "busybox-static");
    writeFileSync(settings, SETTINGS);
    const files = join(home, "image");
    mkdirSync(join(files, "bin"), { recursive: true });
    copyFileSync(busybox, join(files, "bin", "busybox"));
    for (const name of ["sh", "cat", "dd", "seq"]) symlinkSync("busybox", join(files, "bin", name));
    spawnSync("tar", ["-C", files, "-cf", join(home, "image.tar"), "."]);
    podman("import", join(home, "image.tar"), IMAGE);
    podman("run", "--rm", IMAGE, "/bin/sh", "-c", "exit 0");
    return false;
  } catch (error) {
    return `containers cannot run here: ${(error as Error).message}`;
  }
}

async function joined(output: AsyncIterable<Output>): Promise<{ stdout: string; stderr: string }> {
  const all = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  for await (const { source, data } of output) all[source].push(data);
  return { stdout: Buffer.concat(all.stdout).toString(), stderr: Buffer.concat(all.stderr).toString() };
}

const cannot = whyNot();

describe("Podman's service", { skip: cannot }, () => {
  if (cannot !== false) return;
  const engine = program({
    name: "podman",
    package: "podman",
    args: ({ socket }) => [...storage, "system", "service", "--time=0", `unix://${socket}`],
    env: { CONTAINERS_CONF: settings },
  });
  const docker = (): DockerEngine => new DockerEngine(engine.socket);

  /** Starts a container, which is removed after the last test. */
  function start(name: string, options: readonly string[], script: string): void {
    podman("run", "--detach", "--name", name, ...options, IMAGE, "/bin/sh", "-c", script);
    engine.atEnd(() => podman("rm", "--force", "--time=0", name));
  }

  engine.it("lists containers, and splits the logs of one", async () => {
    start("talker", [], "echo one; echo two >&2; seq 1 2000; exec /bin/cat /dev/zero > /dev/null");
    const list = await docker().containers();
    assert.deepEqual(
      list.map(({ Names, State }) => [Names[0], State]),
      [["/talker", "running"]],
    );
    const numbers = Array.from({ length: 2000 }, (_, index) => `${index + 1}\n`).join("");
    let stdout = "";
    let stderr = "";
    for await (const { source, data } of docker().logs("talker", { follow: true })) {
      if (source === "stdout") stdout += data.toString();
      else stderr += data.toString();
      if (stdout.endsWith("\n2000\n") && stderr !== "") break;
    }
    assert.deepEqual([stdout, stderr], [`one\n${numbers}`, "two\n"]);
    await assert.rejects(joined(docker().logs("nothing")), DockerError);
  });

  engine.it("executes commands: input, end of input, both outputs, status, a terminal", async () => {
    start("server", ["--interactive"], "exec /bin/cat");
    {
      await using session = await docker().exec("server", ["/bin/sh", "-c", "cat; echo done >&2; exit 7"]);
      session.stdin.write("hello\n");
      session.stdin.writeEof();
      assert.deepEqual(await joined(session.output), { stdout: "hello\n", stderr: "done\n" });
      assert.equal(await session.wait(), 7);
    }
    await using terminal = await docker().exec("server", ["/bin/sh", "-c", "echo out; echo err >&2"], { terminal: true });
    assert.deepEqual(await joined(terminal.output), { stdout: "out\r\nerr\r\n", stderr: "" });
  });

  engine.it("passes 20 MB out of a container", async () => {
    await using session = await docker().exec("server", ["/bin/sh", "-c", "dd if=/dev/zero bs=1000000 count=20 2>/dev/null"]);
    let bytes = 0;
    for await (const { data } of session.output) bytes += data.length;
    assert.equal(bytes, 20_000_000);
  });

  engine.it("attaches to a container, whose command ends with its input", async () => {
    start("reader", ["--interactive"], "cat; echo bye >&2; exit 3");
    await using session = await docker().attach("reader");
    session.stdin.write("to the container\n");
    session.stdin.writeEof();
    assert.deepEqual(await joined(session.output), { stdout: "to the container\n", stderr: "bye\n" });
    assert.equal(await session.wait(), 3);
  });

  engine.it("answers the example as its header says", () => {
    const lines = exampleOutput("docker.js", ["ps"], { DOCKER_HOST: `unix://${engine.socket}` });
    assert.ok(
      lines.some((line) => /^[0-9a-f]{12} localhost\/showcase:1 running \/server$/.test(line)),
      lines.join("\n"),
    );
  });
});
