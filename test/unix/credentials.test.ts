/** `getPeerCredentials()` and `getExtraInfo("peercred")`, against peers that are other processes, other users, and in other namespaces. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { before, describe, it } from "node:test";
import {
  type ClientConnectedCallback,
  openConnection,
  openUnixConnection,
  type PeerCredentials,
  type StreamWriter,
  startServer,
  startUnixServer,
  StreamWriter as Writer,
} from "asyncio-streams";
import { memoryPair } from "asyncio-streams/testing";
import { getPeerCredentials, loadUnix, openPeerPidfd } from "asyncio-streams/unix";
import { identity, trust } from "../support/certificates.js";
import { Child, scriptCommand } from "../support/child.js";
import { type Need, needs, needsLinux, needsRoot } from "../support/needs.js";
import { socketPath } from "../support/temporary.js";
import { python, pythonCommand } from "./python.js";

/** The user and group that Linux calls nobody and nogroup. */
const NOBODY = 65_534;

const works = (command: string, ...args: readonly string[]): boolean => spawnSync(command, args, { stdio: "ignore" }).status === 0;
const PID_NAMESPACE = ["unshare", "--map-root-user", "--pid", "--fork", "--kill-child"];
const USER_NAMESPACE = ["unshare", "--map-root-user"];
const canUnshare: Need = { skip: !works(PID_NAMESPACE[0] as string, ...PID_NAMESPACE.slice(1), "true") && "needs unshare(1)" };
const PERL = "/usr/bin/perl";
const canSetpriv: Need = {
  skip: !works("setpriv", `--reuid=${NOBODY}`, "--clear-groups", PERL, "-MIO::Socket::UNIX", "-e", "0") && "needs setpriv(1) and perl",
};

/** Waits for the next client of a server, whose path every user may write to. */
async function serveOne(): Promise<{ path: string; client: Promise<StreamWriter> } & AsyncDisposable> {
  const path = socketPath();
  chmodSync(dirname(path), 0o755);
  let resolveClient: (writer: StreamWriter) => void;
  const client = new Promise<StreamWriter>((resolve) => {
    resolveClient = resolve;
  });
  const callback = async (_reader: unknown, writer: StreamWriter, { signal }: { signal: AbortSignal }): Promise<void> => {
    resolveClient(writer);
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
  };
  const server = await startUnixServer(callback, path, { mode: 0o777 });
  return {
    path,
    client,
    async [Symbol.asyncDispose]() {
      await server.shutdown({ graceMs: 0 });
    },
  };
}

/** The credentials of a client that a command starts, from the server's side; `pid` is what the client prints. */
async function credentialsOf(makeCommand: (path: string) => string[]): Promise<{ credentials: PeerCredentials; pid: number }> {
  await using server = await serveOne();
  await using child = new Child(makeCommand(server.path));
  const pid = Number(await child.nextLine());
  const writer = await server.client;
  const credentials = getPeerCredentials(writer);
  assert.equal(writer.getExtraInfo("peercred"), credentials);
  assert.equal(writer.transport.getExtraInfo("peercred"), credentials);
  return { credentials, pid };
}

describe("getPeerCredentials()", needsLinux, () => {
  before(() => loadUnix());

  const own = { pid: process.pid, uid: process.geteuid?.(), gid: process.getegid?.() };

  it("returns those of this process for a connection to itself, on both sides", async () => {
    await using server = await serveOne();
    const [, writer] = await openUnixConnection(server.path);
    for (const one of [writer, await server.client]) {
      const { pid, uid, gid, groups } = getPeerCredentials(one);
      assert.deepEqual({ pid, uid, gid }, own);
      assert.ok(Array.isArray(groups));
    }
    writer.transport.abort();
  });

  it("returns what was read when the connection was made, also when the connection is closed", async () => {
    await using server = await serveOne();
    const [, writer] = await openUnixConnection(server.path);
    const peer = await server.client;
    writer.close();
    peer.close();
    await Promise.all([writer.waitClosed(), peer.waitClosed()]);
    for (const one of [writer, peer]) assert.equal(getPeerCredentials(one).pid, process.pid);
  });

  it("returns those of another process", needs(python), async () => {
    const { credentials, pid } = await credentialsOf((path) => pythonCommand("credentials_peer", "connect", path));
    assert.deepEqual({ ...credentials, groups: null, label: null }, { ...own, pid, groups: null, label: null });
  });

  it("returns those of the process that listens", needs(python), async () => {
    const path = socketPath();
    await using child = new Child(pythonCommand("credentials_peer", "listen", path));
    const pid = Number(await child.nextLine());
    const [reader, writer] = await openUnixConnection(path);
    assert.equal((await reader.readline()).toString(), "welcome\n");
    assert.equal(getPeerCredentials(writer).pid, pid);
    writer.transport.abort();
    await child.end();
  });

  const groupLists = [[], [4], [4, 24, 100_000], Array.from({ length: 60 }, (_, index) => 1_000 + index)];
  for (const groups of [...groupLists, Array.from({ length: 500 }, (_, index) => index + 1)]) {
    it(`returns another user and ${groups.length} groups`, needs(needsRoot, python), async () => {
      const { credentials, pid } = await credentialsOf((path) =>
        pythonCommand("credentials_peer", "connect", path, String(NOBODY), "1234567", groups.join(",")),
      );
      assert.deepEqual({ ...credentials, label: null }, { pid, uid: NOBODY, gid: 1_234_567, groups, label: null });
    });
  }

  it("returns the user and groups that setpriv(1) has set", needs(needsRoot, canSetpriv), async () => {
    const script = '$| = 1; my $s = IO::Socket::UNIX->new(Peer => shift) or die; print "$$\\n"; <$s>; <STDIN>;';
    const { credentials, pid } = await credentialsOf((path) => [
      ...["setpriv", "--reuid=33", "--regid=34", "--groups=5,6", PERL, "-MIO::Socket::UNIX", "-e", script, path],
    ]);
    assert.deepEqual({ ...credentials, label: null }, { pid, uid: 33, gid: 34, groups: [5, 6], label: null });
  });

  it("shows who has connected, whatever user the process has become since", needs(needsRoot, python), async () => {
    await using server = await serveOne();
    await using child = new Child(pythonCommand("credentials_peer", "connect-late", server.path, String(NOBODY), "7", ""));
    const pid = Number(await child.nextLine());
    const { pid: found, uid } = getPeerCredentials(await server.client);
    assert.deepEqual([found, uid], [pid, 0]);
  });

  it("shows the process that has connected, also if another one has the connection now", needs(needsRoot, python), async () => {
    await using server = await serveOne();
    await using child = new Child(pythonCommand("credentials_peer", "pass", server.path, String(NOBODY), "7", ""));
    const pid = Number(await child.nextLine());
    const writer = await server.client;
    assert.equal(getPeerCredentials(writer).pid, pid);
    writer.transport.abort();
    await child.end();
  });

  it("has no pid for a process that this PID namespace does not show", canUnshare, async () => {
    await using server = await serveOne();
    const script = scriptCommand("unix/credentials-child", server.path);
    await using child = new Child([...PID_NAMESPACE, ...script]);
    await server.client;
    const seen = await child.next<PeerCredentials>();
    assert.equal(seen.pid, null);
    assert.equal(seen.uid, 0);
  });

  it("returns the real user of a process in another user namespace", needs(canUnshare, python), async () => {
    const { credentials } = await credentialsOf((path) => [...USER_NAMESPACE, ...pythonCommand("credentials_peer", "connect", path)]);
    assert.equal(credentials.uid, process.geteuid?.());
  });

  it("returns them over TLS, from the start and after startTls()", async () => {
    const path = socketPath();
    const seen: (number | null)[] = [];
    const callback: ClientConnectedCallback = (_reader, writer) => {
      seen.push(getPeerCredentials(writer).pid);
      writer.close();
    };
    const server = await startUnixServer(callback, path, { ssl: identity("server") });
    const [reader, writer] = await openUnixConnection(path, { ssl: trust, serverHostname: "localhost" });
    await reader.read();
    assert.equal(getPeerCredentials(writer).pid, process.pid);
    writer.close();
    await writer.waitClosed();
    await server.shutdown();
    const plain = await startUnixServer(async (_reader, other) => {
      await other.startTls(identity("server"));
      seen.push(getPeerCredentials(other).pid);
      other.close();
    }, path);
    const [laterReader, later] = await openUnixConnection(path);
    await later.startTls(trust, { serverHostname: "localhost" });
    await laterReader.read();
    assert.equal(getPeerCredentials(later).pid, process.pid);
    later.close();
    await plain.shutdown();
    assert.deepEqual(seen, [process.pid, process.pid]);
  });

  it("is checked by openPeerPidfd(): the process itself, not its number", needs(python), async () => {
    await using server = await serveOne();
    await using child = new Child(pythonCommand("credentials_peer", "connect", server.path));
    const pid = Number(await child.nextLine());
    const writer = await server.client;
    using pidfd = openPeerPidfd(writer);
    const pidOf = (): number => Number(/^Pid:\s*(-?\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${pidfd.fd}`, "utf8"))?.[1]);
    assert.equal(pidOf(), pid);
    writer.transport.abort();
    assert.throws(() => openPeerPidfd(writer), { code: "ERR_INVALID_STATE" });
    await child.end();
    assert.equal(pidOf(), -1);
  });

  it("refuses what is not over a Unix socket", async () => {
    const server = await startServer((_reader, writer) => writer.close(), "127.0.0.1", 0);
    const [host, port] = server.sockets[0]?.getsockname() as [string, number];
    const [, tcp] = await openConnection(host, port);
    const sink = Writer.from(new WritableStream());
    const [near] = memoryPair();
    for (const one of [tcp, sink, near.writer, near.writer.transport]) {
      assert.equal(one.getExtraInfo("peercred"), null);
      assert.throws(() => getPeerCredentials(one), {
        name: "TypeError",
        code: "ERR_INVALID_ARG_VALUE",
        message: "cannot get the credentials of the peer: the connection is not over a Unix socket",
      });
    }
    for (const one of [null, undefined, 3, {}, "writer"])
      assert.throws(() => getPeerCredentials(one as never), { name: "TypeError", code: "ERR_INVALID_ARG_TYPE" });
    tcp.close();
    sink.close();
    near.writer.close();
    await server.shutdown();
  });
});

describe("getPeerCredentials() before loadUnix()", needsLinux, () => {
  it("throws, and works for the same connection afterwards, but not if the connection was closed", async () => {
    await using child = new Child(scriptCommand("unix/load-late-child", socketPath()));
    const { early, info, open, closed } = await child.next<Readonly<Record<string, unknown>>>();
    assert.equal(early, "InvalidStateError: cannot getPeerCredentials(): call loadUnix() first, and wait for it");
    assert.equal(info, null);
    assert.equal(open, child.process.pid);
    assert.match(String(closed), /^InvalidStateError: cannot get the credentials of the peer: the connection is closed/);
    assert.equal((await child.end()).code, 0);
  });
});
