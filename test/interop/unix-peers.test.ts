/**
 * Credentials and notifications with real programs: socat, ncat and curl are clients of a server with `authorize`, also as another user by
 * setpriv. ssh-agent is a server. socat is the service manager for `sdNotify()`, and systemd-socket-activate passes a socket.
 */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, unlinkSync } from "node:fs";
import { dirname } from "node:path";
import { before, describe, it } from "node:test";
import { openUnixConnection, type PeerCredentials, StreamReader, type StreamWriter, startUnixServer } from "asyncio-streams";
import { getPeerCredentials, loadUnix } from "asyncio-streams/unix";
import { exampleCommand, startExample } from "../examples/run-example.js";
import { needsRoot } from "../support/needs.js";
import { Piped } from "../support/piped.js";
import { socketPath } from "../support/temporary.js";
import { turns, until } from "../support/turns.js";
import { findProgram, program } from "./program.js";

const socat = findProgram("socat", "socat");
const ncat = findProgram("ncat", "ncat");
const curl = findProgram("curl", "curl");
const setpriv = findProgram("setpriv", "util-linux");
const notify = findProgram("systemd-notify", "systemd");
const activate = findProgram("systemd-socket-activate", "systemd");

const NOBODY = 65_534;
const ANSWER = "HTTP/1.0 200 OK\r\n\r\nhello\n";

/** Serves one line to each client that is let in, and notes who has come. */
async function serving(use: (path: string, seen: PeerCredentials[], refused: unknown[]) => Promise<void>): Promise<void> {
  const path = socketPath();
  chmodSync(dirname(path), 0o755);
  const seen: PeerCredentials[] = [];
  const refused: unknown[] = [];
  const server = await startUnixServer(
    async (reader, writer) => {
      writer.write(ANSWER);
      writer.writeEof();
      await reader.read(); // closing with an unread request would reset the connection
      writer.close();
    },
    path,
    {
      mode: 0o666,
      authorize: (credentials) => {
        seen.push(credentials);
        return credentials.uid !== NOBODY;
      },
      onClientError: (error) => refused.push(error),
    },
  );
  try {
    await use(path, seen, refused);
  } finally {
    await server.shutdown({ graceMs: 0 });
  }
}

/** Clients, by name. */
const clients: Readonly<Record<string, (path: string) => readonly string[]>> = {
  socat: (path) => [socat, "-u", `UNIX:${path}`, "-"],
  ncat: (path) => [ncat, "--recv-only", "-U", path],
  curl: (path) => [curl, "--silent", "--unix-socket", path, "http://localhost/"],
};

describe("the credentials of real clients", () => {
  before(() => loadUnix());

  for (const [name, command] of Object.entries(clients)) {
    it(`are the process and the user of ${name}`, () =>
      serving(async (path, seen) => {
        const [file, ...args] = command(path) as [string, ...string[]];
        const child = spawn(file, args, { stdio: ["ignore", "pipe", "inherit"] });
        const output = StreamReader.from(child.stdout);
        assert.match((await output.read()).toString(), /hello\n$/);
        if (child.exitCode === null) await once(child, "exit");
        assert.deepEqual(
          seen.map(({ pid, uid, gid }) => [pid, uid, gid]),
          [[child.pid, process.geteuid?.(), process.getegid?.()]],
        );
      }));

    it(`refuse ${name} as the user nobody, who receives nothing`, needsRoot, () =>
      serving(async (path, seen, refused) => {
        const asNobody = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--groups=65534,12,34"];
        const child = spawn(setpriv, [...asNobody, ...command(path)], { stdio: ["ignore", "pipe", "ignore"] });
        const output = StreamReader.from(child.stdout);
        assert.equal((await output.read()).length, 0);
        await until(() => refused.length === 1);
        assert.equal((refused[0] as { readonly code?: unknown }).code, "ERR_UNAUTHORIZED");
        const [{ pid, uid, gid, groups }] = seen as [PeerCredentials];
        assert.deepEqual([pid, uid, gid, groups?.toSorted((one, other) => one - other)], [child.pid, NOBODY, NOBODY, [12, 34, NOBODY]]);
      }),
    );
  }

  it("are those of the relay behind socat, and not of its client", needsRoot, () =>
    serving(async (path, seen) => {
      const front = socketPath();
      chmodSync(dirname(front), 0o755);
      const relay = spawn(socat, [`UNIX-LISTEN:${front},mode=666`, `UNIX:${path}`], { stdio: "inherit" });
      await until(() => existsSync(front));
      const nobody = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];
      const [file, ...args] = [setpriv, ...nobody, socat, "-u", `UNIX:${front}`, "-"] as const;
      const client = spawn(file, args, { stdio: ["ignore", "pipe", "inherit"] });
      assert.match((await StreamReader.from(client.stdout).read()).toString(), /hello\n$/);
      if (relay.exitCode === null) await once(relay, "exit");
      assert.deepEqual(
        seen.map(({ pid, uid }) => [pid, uid]),
        [[relay.pid, 0]],
      );
    }),
  );
});

describe("the credentials of a real server", () => {
  const agent = program({ name: "ssh-agent", package: "openssh-client", args: ({ socket }) => ["-D", "-a", socket] });
  before(() => loadUnix());

  agent.it("are the process and the user of ssh-agent", async () => {
    const [, writer] = await openUnixConnection(agent.socket);
    const { pid, uid } = getPeerCredentials(writer);
    assert.deepEqual([pid, uid], [agent.pid, process.geteuid?.()]);
    writer.close();
    await writer.waitClosed();
  });
});

describe("examples/notify.ts", () => {
  it("sends to socat what systemd-notify sends", async () => {
    const manager = socketPath();
    const path = socketPath();
    await using receiver = new Piped([socat, "-T", "20", "-u", `UNIX-RECV:${manager},unlink-close=1`, "-"]);
    await until(() => existsSync(manager));
    process.env["NOTIFY_SOCKET"] = manager;
    const daemon = startExample([...exampleCommand("notify.js"), path], path);
    const pid = daemon.process.pid as number;
    const sent = spawnSync(notify, ["--no-block", `--pid=${pid}`, "--ready", "--status=serving"], { encoding: "utf8" });
    delete process.env["NOTIFY_SOCKET"];
    assert.equal(sent.status, 0, sent.stderr);
    assert.equal(await daemon.nextLine(), `listens on ${path}, and has notified the service manager`);
    // systemd-notify ends its message without a newline, and socat puts nothing between two of them.
    const fields = [`MAINPID=${pid}`, "READY=1", "STATUS=serving"];
    await until(() => fields.every((field) => receiver.output.split(field).length === 3));
    assert.equal(fields.reduce((rest, field) => rest.replaceAll(field, ""), receiver.output).trim(), "");
    process.kill(pid, "SIGTERM");
    await daemon.ended();
    await until(() => receiver.output.endsWith("STOPPING=1\n"));
    unlinkSync(manager);
  });

  it("serves on the socket of systemd-socket-activate", async () => {
    const path = socketPath();
    const daemon = startExample([activate, "-l", path, ...exampleCommand("notify.js")], path);
    await until(() => existsSync(path));
    const [reader, writer] = await openWhenListening(path);
    writer.write("hello\n");
    assert.equal((await reader.readline()).toString(), "hello\n");
    writer.close();
    await writer.waitClosed();
    assert.equal(await daemon.nextLine(), `listens on ${path}, without a service manager`);
    process.kill(daemon.process.pid as number, "SIGTERM");
    await daemon.ended();
    unlinkSync(path);
  });
});

/** The file exists shortly before the program listens. */
async function openWhenListening(path: string): Promise<[StreamReader, StreamWriter]> {
  for (;;) {
    try {
      return await openUnixConnection(path);
    } catch (error) {
      assert.equal((error as { readonly code?: unknown }).code, "ECONNREFUSED");
      await turns();
    }
  }
}
