/** Socket options, TCP statistics, and pairs of sockets. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { before, describe, it } from "node:test";
import { openConnection, openUnixConnection, type StreamWriter, startServer } from "asyncio-streams";
import { memoryPair } from "asyncio-streams/testing";
import * as unix from "asyncio-streams/unix";
import {
  getsockopt,
  getTcpInfo,
  IPPROTO_TCP,
  loadUnix,
  openFdConnection,
  openPeerPidfd,
  openSocketpair,
  SO_KEEPALIVE,
  SO_RCVBUF,
  SO_SNDBUF,
  SOL_SOCKET,
  setsockopt,
  TCP_NODELAY,
  TCP_USER_TIMEOUT,
} from "asyncio-streams/unix";
import { identity, trust } from "../support/certificates.js";
import { needs, needsLinux } from "../support/needs.js";
import { cannot } from "../support/runtime.js";
import { openDescriptors } from "./numbered-messages.js";
import { python } from "./python.js";

const onTcp = cannot("descriptors-of-tcp", "deno");

/** Calls with both ends of a TCP connection, over TLS if asked. */
async function overTcp(use: (client: StreamWriter, peer: StreamWriter) => Promise<void>, ssl = false): Promise<void> {
  let resolvePeer: (writer: StreamWriter) => void;
  const peer = new Promise<StreamWriter>((resolve) => {
    resolvePeer = resolve;
  });
  const server = await startServer(
    async (reader, writer) => {
      resolvePeer(writer);
      await reader.skip(Number.MAX_SAFE_INTEGER).catch(() => {});
    },
    "127.0.0.1",
    0,
    ssl ? { ssl: identity("server") } : {},
  );
  const [host, port] = server.sockets[0]?.getsockname() as [string, number];
  const [, client] = await openConnection(host, port, ssl ? { ssl: trust, serverHostname: "localhost" } : {});
  await use(client, await peer);
  client.transport.abort();
  server.abortClients();
  await server.shutdown({ graceMs: 0 });
}

describe("the constants of socket options", needsLinux, () => {
  it("are those of Python", needs(python), async () => {
    const names = Object.keys(unix).filter((name) => /^(SOL|SO|TCP|IPPROTO)_/.test(name));
    const child = spawn(python.binary, ["-c", `import socket; print([getattr(socket, n) for n in ${JSON.stringify(names)}])`]);
    const [printed] = (await once(child.stdout.setEncoding("utf8"), "data")) as [string];
    assert.deepEqual(
      JSON.parse(printed),
      names.map((name) => Reflect.get(unix, name) as unknown),
    );
    assert.ok(names.length >= 11);
  });
});

describe("getsockopt() and setsockopt()", needsLinux, () => {
  before(() => loadUnix());

  it("read and change options of TCP", onTcp, () =>
    overTcp(async (writer) => {
      assert.ok(getsockopt(writer, SOL_SOCKET, SO_RCVBUF) > 1_000);
      setsockopt(writer, SOL_SOCKET, SO_SNDBUF, 50_000);
      assert.equal(getsockopt(writer, SOL_SOCKET, SO_SNDBUF), 100_000);
      setsockopt(writer, IPPROTO_TCP, TCP_USER_TIMEOUT, 12_345);
      assert.equal(getsockopt(writer, IPPROTO_TCP, TCP_USER_TIMEOUT), 12_345);
      for (const value of [true, false]) {
        setsockopt(writer, SOL_SOCKET, SO_KEEPALIVE, value);
        assert.equal(getsockopt(writer.transport, SOL_SOCKET, SO_KEEPALIVE), Number(value));
      }
      assert.equal(getsockopt(writer, IPPROTO_TCP, TCP_NODELAY), 1);
      writer.getExtraInfo("socket")?.setKeepAlive(true, 45_000);
      assert.equal(getsockopt(writer, IPPROTO_TCP, unix.TCP_KEEPIDLE), 45);
    }),
  );

  it("read and change structures, as bytes", onTcp, () =>
    overTcp(async (writer) => {
      const SO_LINGER = 13;
      setsockopt(writer, SOL_SOCKET, SO_LINGER, new Uint8Array(new Int32Array([1, 7]).buffer));
      const linger = getsockopt(writer, SOL_SOCKET, SO_LINGER, 8);
      assert.ok(Buffer.isBuffer(linger));
      assert.deepEqual([linger.readInt32LE(0), linger.readInt32LE(4)], [1, 7]);
      assert.equal(getsockopt(writer, SOL_SOCKET, SO_LINGER, 100).length, 8);
    }),
  );

  it("work below TLS", onTcp, () =>
    overTcp(async (writer, peer) => {
      for (const one of [writer, peer]) assert.ok(getTcpInfo(one).rtt > 0);
    }, true),
  );

  it("work on Unix sockets, on every runtime", async () => {
    const [ours, theirs] = openSocketpair();
    const [, writer] = await openUnixConnection(null, { sock: ours });
    const [, other] = await openFdConnection(null, { sock: theirs });
    for (const one of [writer, other]) {
      setsockopt(one, SOL_SOCKET, SO_SNDBUF, 20_000);
      assert.equal(getsockopt(one, SOL_SOCKET, SO_SNDBUF), 40_000);
      assert.throws(() => getTcpInfo(one), { code: /^E(NOTSUP|OPNOTSUPP)$/, syscall: "getsockopt" });
    }
    for (const one of [writer, other]) one.close();
  });

  it("refuse wrong arguments, and report the system's errors", async () => {
    const [ours, theirs] = openSocketpair();
    theirs.close();
    const [, writer] = await openFdConnection(null, { sock: ours });
    for (const number of [-1, 1.5, 2 ** 31]) {
      assert.throws(() => getsockopt(writer, number, 1), { code: "ERR_OUT_OF_RANGE" });
      assert.throws(() => setsockopt(writer, 1, number, 1), { code: "ERR_OUT_OF_RANGE" });
    }
    for (const length of [0, 65_537]) assert.throws(() => getsockopt(writer, 1, 1, length), { code: "ERR_OUT_OF_RANGE" });
    for (const value of ["1", null, undefined, {}])
      assert.throws(() => setsockopt(writer, 1, 8, value as never), { code: "ERR_INVALID_ARG_TYPE" });
    for (const value of [1.5, 2 ** 31, Number.NaN]) assert.throws(() => setsockopt(writer, 1, 8, value), { code: "ERR_OUT_OF_RANGE" });
    assert.throws(() => getsockopt(writer, SOL_SOCKET, 9_999), { code: "ENOPROTOOPT", syscall: "getsockopt", message: /^ENOPROTOOPT: / });
    assert.throws(() => setsockopt(writer, SOL_SOCKET, 9_999, 1), { code: "ENOPROTOOPT", syscall: "setsockopt" });
    const [near] = memoryPair();
    for (const call of [
      getTcpInfo,
      (one: StreamWriter) => getsockopt(one, 1, 8),
      (one: StreamWriter) => setsockopt(one, 1, 8, 1),
      openPeerPidfd,
    ])
      assert.throws(() => call(near.writer), { name: "TypeError", code: "ERR_INVALID_ARG_VALUE" });
    writer.close();
    near.writer.close();
    assert.throws(() => getsockopt(writer, SOL_SOCKET, SO_RCVBUF), {
      code: "ERR_INVALID_STATE",
      message: "cannot get a socket option: the connection is closed",
    });
  });
});

describe("getTcpInfo()", needs(needsLinux, onTcp), () => {
  before(() => loadUnix());

  it("returns what the connection has done", () =>
    overTcp(async (writer, peer) => {
      writer.write(Buffer.alloc(100_000));
      await writer.flush();
      while (getTcpInfo(peer).bytesReceived < 100_000n) await new Promise((resolve) => setImmediate(resolve));
      while (getTcpInfo(writer).bytesAcknowledged < 100_000n) await new Promise((resolve) => setImmediate(resolve));
      const info = getTcpInfo(writer);
      assert.equal(info.state, 1);
      assert.equal(getTcpInfo(peer).bytesReceived, 100_000n);
      assert.ok(info.bytesAcknowledged <= 100_001n);
      assert.ok(info.rtt > 0 && info.rtt < 10_000 && info.minRtt > 0 && info.rttVariance > 0);
      assert.ok(info.rto >= 200 && info.sendMss > 500 && info.congestionWindow >= 10);
      assert.deepEqual([info.retransmits, info.probes, info.lost, info.notSentBytes], [0, 0, 0, 0]);
      assert.ok(info.totalRetransmits < 10); // a busy machine may send a segment twice
      assert.ok(info.unacknowledged >= 0);
    }));
});

describe("openSocketpair()", needsLinux, () => {
  before(() => loadUnix());

  it("returns two connected sockets without names", async () => {
    const [one, other] = openSocketpair();
    const [receiver, sender] = await openFdConnection(null, { sock: one });
    const [otherReceiver, otherSender] = await openFdConnection(null, { sock: other });
    await sender.sendFds("hello", [0]);
    const [data, descriptors] = await otherReceiver.receiveFds(100);
    assert.deepEqual([data.toString(), descriptors.length], ["hello", 1]);
    for (const descriptor of descriptors) descriptor.close();
    otherSender.write("back");
    otherSender.close();
    assert.equal((await receiver.read()).toString(), "back");
    assert.equal(sender.getExtraInfo("peername"), "");
    sender.close();
  });

  it("reaches a child process that inherits one of them", needs(python, cannot("pass-descriptor", "deno")), async () => {
    const script = `
import os, socket
sock = socket.socket(fileno=3)
data, fds, _, _ = socket.recv_fds(sock, 100, 10)
sock.sendall(data.upper() + os.read(fds[0], 9))
`;
    const [ours, theirs] = openSocketpair();
    const child = spawn(python.binary, ["-c", script], { stdio: ["inherit", "inherit", "inherit", theirs.fd] });
    theirs.close();
    const [receiver, sender] = await openFdConnection(null, { sock: ours });
    const [end, start] = openSocketpair();
    const [, filler] = await openUnixConnection(null, { sock: start });
    filler.write("the data\n");
    await sender.sendFds("hello ", [end]);
    end.close();
    assert.equal((await receiver.read()).toString(), "HELLO the data\n");
    sender.close();
    filler.close();
    await once(child, "exit");
  });

  it("leaves nothing open once both are closed", () => {
    const start = openDescriptors();
    for (let round = 0; round < 100; round += 1) for (const one of openSocketpair()) one.close();
    assert.equal(openDescriptors(), start);
  });
});
