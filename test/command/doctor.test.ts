/** `asyncio-streams doctor`: what it finds out about sockets in every state. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import net from "node:net";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { openUnixConnection, type StreamReader, type StreamWriter, startUnixServer } from "asyncio-streams";
import { diagnose } from "#src/command/diagnosis.js";
import { type Examination, examine } from "#src/command/examination.js";
import { bareServer } from "../support/bare-sockets.js";
import { needs, needsLinux, needsRoot } from "../support/needs.js";
import { findPython } from "../support/python.js";
import { cannot, runtime } from "../support/runtime.js";
import { staleSocket } from "../support/stale-socket.js";
import { socketPath, temporaryDirectory } from "../support/temporary.js";
import { until } from "../support/turns.js";
import { commandText, plainEnvironment, Running, run, start } from "./running.js";

/** A process ID that no process has. */
const NO_PID = 2 ** 22 + 1;

interface Report {
  readonly state: string;
  readonly listeners: readonly { readonly pid: number; readonly command: string; readonly uid: number }[];
  readonly peer: { readonly pid: number } | null;
  readonly mode: string | null;
  readonly directory: { readonly path: string; readonly mode: string } | null;
  readonly waiting: number | null;
  readonly connections: number | null;
  readonly findings: readonly { readonly level: string; readonly text: string; readonly mend: string }[];
}

async function examined(path: string, code: number): Promise<Report> {
  const ended = await run(["doctor", "--json", path]);
  assert.equal(ended.stderr, "");
  assert.equal(ended.code, code, String(ended.stdout));
  return JSON.parse(String(ended.stdout)) as Report;
}

const problems = ({ findings }: Report): string[] => findings.filter(({ level }) => level === "problem").map(({ text }) => text);
const notes = ({ findings }: Report): string[] => findings.filter(({ level }) => level === "note").map(({ text }) => text);

describe("diagnose()", () => {
  const texts = async (more: Partial<Examination>): Promise<string> => {
    const found = await examine(socketPath());
    const findings = await diagnose({ ...found, ...more });
    return findings.map(({ text, mend }) => `${text}: ${mend}`).join("\n");
  };

  it("says what each failure of a connection means", async () => {
    const failure = (code: string): Partial<Examination> => ({ state: "unknown", failure: Object.assign(new Error(code), { code }) });
    assert.match(await texts(failure("EACCES")), /permission denied \(EACCES\): connecting needs the right to write to the socket/);
    assert.match(await texts(failure("EPROTOTYPE")), /not a stream socket \(EPROTOTYPE\): it is a datagram or seqpacket socket/);
    assert.match(await texts(failure("ENAMETOOLONG")), /at most 107 bytes/);
    assert.match(await texts(failure("EIO")), /cannot connect: EIO: see the error/);
  });

  it("says so if it does not know the process, or may not look into a directory", needsLinux, async () => {
    assert.match(await texts({ state: "live" }), /the process that listens could not be identified/);
    assert.equal(await texts({ state: "live", holders: [{ pid: 1, command: "init", uid: 0 }], directories: [] }), "");
    assert.match(await texts({ waiting: 3 }), /3 clients wait to be accepted/);
    assert.match(await texts({ isLink: true }), /a symbolic link that leads to nothing/);
  });
});

/** Serves a client until it leaves. Bun: often cannot connect to a server that closes at once. */
async function serveUntilEnd(reader: StreamReader, writer: StreamWriter): Promise<void> {
  await reader.read();
  writer.close();
}

describe("doctor", () => {
  it("finds the process that listens, though the socket was bound under another name", needsLinux, async () => {
    const path = socketPath("a socket");
    const server = await startUnixServer(async (reader) => void (await reader.read()), path, { mode: 0o600 });
    const [, writer] = await openUnixConnection(path);
    await until(() => server.getStats().active === 1);
    const report = await examined(path, 0);
    assert.deepEqual([report.state, report.mode], ["live", "0600"]);
    if (report.peer === null) return await server.shutdown({ graceMs: 0 }).then(() => writer.close());
    assert.equal(report.connections, 1);
    assert.deepEqual(
      report.listeners.map(({ pid, uid }) => [pid, uid]),
      [[process.pid, process.getuid?.()]],
    );
    assert.equal(report.peer.pid, process.pid);
    writer.close();
    await server.shutdown({ graceMs: 0 });
  });

  it("reports to people what it reports to machines", needsLinux, async () => {
    const path = socketPath("a socket");
    const server = await startUnixServer(serveUntilEnd, path, { mode: 0o600 });
    chmodSync(dirname(path), 0o755);
    const { code, stdout } = await run(["doctor", path]);
    await server.shutdown();
    assert.equal(code, 0);
    assert.match(
      String(stdout),
      new RegExp(
        `^${path}: live\n  listens      pid ${process.pid}, user \\S+: .*\n(?:  credentials  pid ${process.pid}, user .*\n)?` +
          "  access       mode 0600, user \\S+, group \\S+\n  directory    /tmp\\S*: mode 0755, .*\n(?:  connections  \\d+\n)?" +
          "(?:  queue        0 waiting; the system allows \\d+\n)?\nNo problem was found\\.\n$",
      ),
    );
  });

  it("finds the listener of a tapped socket, and says that it is tapped", needsLinux, async () => {
    const path = socketPath();
    const server = await startUnixServer(serveUntilEnd, path);
    await using tap = start("tap", "--in-place", path);
    await tap.until("stderr", /is tapped/);
    const report = await examined(path, 0);
    assert.ok(report.listeners.some(({ pid }) => pid === tap.child.pid));
    // Deno: the tap has inherited the listening socket of this process, to which it connects meanwhile.
    if (report.peer !== null && runtime !== "deno") assert.equal(report.listeners.length, 1);
    assert.ok(notes(report).includes(`it is tapped by the process ${tap.child.pid}`));
    await tap.kill("SIGTERM");
    await server.shutdown();
  });

  it("recognises a stale socket file", async () => {
    const path = await staleSocket();
    const report = await examined(path, 1);
    assert.deepEqual([report.state, report.listeners], ["stale", []]);
    assert.match(problems(report)[0] ?? "", /^no server listens: /);
    assert.match(report.findings[0]?.mend ?? "", new RegExp(`rm ${path}$`));
    rmSync(path);
  });

  it("recognises what a killed tap has left", async () => {
    const path = socketPath("app.sock");
    const server = await startUnixServer(serveUntilEnd, path);
    const second = join(dirname(path), `.app.sock.tap-${NO_PID}`);
    renameSync(path, second);
    for (const state of ["missing", "stale"]) {
      if (state === "stale") await staleSocket(path);
      const report = await examined(path, 1);
      assert.equal(report.state, state);
      assert.deepEqual(problems(report), [
        `a tap with the process ID ${NO_PID} was killed, and the server listens on .app.sock.tap-${NO_PID}`,
      ]);
      assert.equal(report.findings[0]?.mend, `mv -f ${second} ${path}`);
    }
    assert.equal(spawnSync("sh", ["-c", `mv -f ${second} ${path}`]).status, 0);
    await staleSocket(second);
    assert.ok(notes(await examined(path, 0)).some((note) => note.includes("is left from a tap that was killed")));
    rmSync(second);
    rmSync(path);
    await server.shutdown();
  });

  it("recognises what is no socket, and what is missing", async () => {
    const directory = temporaryDirectory();
    const file = join(directory, "file");
    writeFileSync(file, "");
    assert.deepEqual(problems(await examined(file, 1)), ["it is a file, but not a socket"]);
    assert.deepEqual(problems(await examined(`${file}2`, 1)), ["nothing has this name"]);
    symlinkSync(`${file}2`, join(directory, "link"));
    assert.deepEqual(problems(await examined(join(directory, "link"), 1)), ["it is a symbolic link that leads to nothing"]);
    const { code, stdout } = await run(["doctor", join(directory, "no", "where")]);
    assert.equal(code, 1);
    assert.match(
      String(stdout),
      /: missing\n {2}directory {4}.*\n\nproblem: nothing has this name\n {2}mend: start the server, or correct the path: ls -la /,
    );
  });

  it("recognises a server whose queue is full", needs(needsLinux, cannot("full-unix-queue", "bun")), async () => {
    const path = socketPath();
    const python = findPython();
    const script = `import socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(0)
c = socket.socket(socket.AF_UNIX); c.connect(sys.argv[1])
print("ready", flush=True); sys.stdin.read()`;
    if (python.skip !== false) return;
    await using server = new Running([python.binary, "-c", script, path]);
    await server.until("stdout", /ready/);
    const report = await examined(path, 1);
    assert.equal(report.state, "stuck");
    assert.match(problems(report)[0] ?? "", /^the queue of the listening socket is full/);
    await server.end();
    rmSync(path);
  });

  it("counts clients that wait to be accepted", needsLinux, async () => {
    const path = socketPath();
    const python = findPython();
    const script = `import socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(9)
c = socket.socket(socket.AF_UNIX); c.connect(sys.argv[1])
print("ready", flush=True); sys.stdin.read()`;
    if (python.skip !== false) return;
    await using server = new Running([python.binary, "-c", script, path]);
    await server.until("stdout", /ready/);
    const report = await examined(path, 0);
    assert.deepEqual([report.state, report.waiting, report.connections], ["live", 1, 0]);
    assert.ok(notes(report).includes("1 client waits to be accepted"));
    await server.end();
    rmSync(path);
  });

  it("recognises a datagram socket, and a path that is too long", cannot("full-unix-queue", "bun"), async () => {
    const path = socketPath();
    const python = findPython();
    if (python.skip !== false) return;
    const script =
      "import socket, sys; socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).bind(sys.argv[1]); print('ready', flush=True); sys.stdin.read()";
    await using holder = new Running([
      python.binary,
      "-c",
      script.replace("socket.socket(", "s = socket.socket(").replace(".bind", "; s.bind"),
      path,
    ]);
    await holder.until("stdout", /ready/);
    const report = await examined(path, 1);
    assert.match(problems(report)[0] ?? "", /cannot connect: the socket is not a stream socket \(EPROTOTYPE\)/);
    await holder.end();
    rmSync(path);
    const directory = temporaryDirectory();
    const long = join(directory, "x".repeat(110));
    const short = join(directory, "s");
    const server = net.createServer().listen(short);
    await new Promise((resolve) => server.once("listening", resolve));
    renameSync(short, long);
    const tooLong = await examined(long, 1);
    assert.match(tooLong.findings[0]?.mend ?? "", /at most 107 bytes/);
    await new Promise((resolve) => server.close(resolve));
    rmSync(long);
  });

  it("warns of directories in which others can replace the socket", async () => {
    const directory = join(temporaryDirectory(), "d");
    mkdirSync(directory);
    const path = join(directory, "app.sock");
    const server = await startUnixServer(async (reader) => void (await reader.read()), path, { mode: 0o666 });
    chmodSync(dirname(directory), 0o755);
    chmodSync(directory, 0o777);
    assert.match(
      problems(await examined(path, 1))[0] ?? "",
      /^every user may rename files in .*\/d, so each can put a socket of their own/,
    );
    chmodSync(directory, 0o1777);
    const sticky = await examined(path, 0);
    assert.ok(notes(sticky).some((note) => note.startsWith("every user may create files in ")));
    assert.ok(notes(sticky).includes("every user of this machine may connect"));
    chmodSync(directory, 0o700);
    assert.deepEqual(notes(await examined(path, 0)), []);
    await server.shutdown();
  });

  it("explains a denied connection to another user", needs(needsRoot, needsLinux), async (t) => {
    const directory = temporaryDirectory();
    const path = join(directory, "app.sock");
    const inner = join(directory, "inner");
    mkdirSync(inner);
    chmodSync(directory, 0o755);
    const server = await startUnixServer(serveUntilEnd, path, { mode: 0o600 });
    const asAnother = async (file: string): Promise<string> => {
      const script = `exec setpriv --reuid=4321 --regid=4321 --clear-groups ${commandText("doctor", file)}`;
      const { code, stdout, stderr } = await new Running(["sh", "-c", script], { env: plainEnvironment({ NODE_V8_COVERAGE: undefined }) })
        .ended;
      if (/Cannot find module|Error: EACCES/.test(stderr)) return "";
      assert.equal(code, 1, stderr);
      return String(stdout);
    };
    const text = await asAnother(path);
    if (text === "") t.skip("another user may not read this repository");
    else {
      assert.match(
        text,
        /: unknown\n[^]*problem: cannot connect: permission denied \(EACCES\)\n {2}mend: connecting needs the right to write/,
      );
      chmodSync(inner, 0o700);
      assert.match(await asAnother(join(inner, "x.sock")), /may not (?:look into|search)/);
      chownSync(path, 4321, 4321);
      chmodSync(path, 0o600);
      const { stdout } = await new Running([
        "sh",
        "-c",
        `exec setpriv --reuid=4321 --regid=4321 --clear-groups ${commandText("doctor", path)}`,
      ]).ended;
      assert.match(String(stdout), /: live\n[^]*note: the process that listens could not be identified\n/);
    }
    await server.shutdown();
  });

  it("looks at a server that accepts nothing without waiting for it", async () => {
    await using far = await bareServer(socketPath());
    assert.equal((await examined(far.path, 0)).state, "live");
  });
});
