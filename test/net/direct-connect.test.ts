/**
 * Connections that are made on a handle, without a `net.Socket`: every one on Node but the first of its kind in a process. Whatever a
 * program can observe is as with a socket.
 */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { unlinkSync, writeFileSync } from "node:fs";
import net from "node:net";
import { describe, it } from "node:test";
import { openConnection, openUnixConnection, type StreamReader, type StreamWriter } from "asyncio-streams";
import { nodeInternals } from "#src/transports/stream-handle.js";
import { bareServer, freePort } from "../support/bare-sockets.js";
import { staleSocket } from "../support/stale-socket.js";
import { socketPath } from "../support/temporary.js";

/** How many sockets connect during a call. */
async function countSockets(call: () => Promise<void>): Promise<number> {
  const { prototype } = net.Socket;
  const connect = Reflect.get(prototype, "connect") as (...args: unknown[]) => net.Socket;
  let count = 0;
  prototype.connect = function watchedConnect(this: net.Socket, ...args: unknown[]) {
    count += 1;
    return Reflect.apply(connect, this, args);
  };
  try {
    await call();
  } finally {
    Object.assign(prototype, { connect });
  }
  return count;
}

async function hangUp([, writer]: [StreamReader, StreamWriter]): Promise<void> {
  writer.close();
  await writer.waitClosed();
}

/** The error of a connection that fails. */
async function errorOf(call: Promise<unknown>): Promise<Record<string, unknown>> {
  const error = await call.then(
    () => assert.fail("it has connected"),
    (reason: Error) => reason,
  );
  return { ...error, message: error.message };
}

const errorOfNode = (options: net.NetConnectOpts): Promise<Record<string, unknown>> => {
  const socket = net.connect(options);
  return errorOf(once(socket, "connect"));
};

/** Makes the first connections of each kind, from which the library learns. */
async function connectFirst(): Promise<void> {
  await using tcp = await bareServer();
  await using unix = await bareServer(socketPath());
  for (let count = 0; count < 2; count += 1) {
    await hangUp(await openConnection("127.0.0.1", tcp.port));
    await hangUp(await openUnixConnection(unix.path));
  }
}

const expected = nodeInternals() === null ? 1 : 0;

describe("a connection after the first of its kind", () => {
  it("needs no net.Socket on Node, over TCP and Unix sockets", async () => {
    await connectFirst();
    await using tcp = await bareServer();
    await using unix = await bareServer(socketPath());
    assert.equal(await countSockets(async () => hangUp(await openConnection("127.0.0.1", tcp.port))), expected);
    assert.equal(await countSockets(async () => hangUp(await openUnixConnection(unix.path))), expected);
  });

  it("is made by a net.Socket while a tool observes opened sockets", async () => {
    await connectFirst();
    await using far = await bareServer();
    const observe = (): void => {};
    subscribe("net.client.socket", observe);
    try {
      assert.equal(await countSockets(async () => hangUp(await openConnection("127.0.0.1", far.port))), 1);
    } finally {
      unsubscribe("net.client.socket", observe);
    }
  });

  it("knows its addresses, and carries bytes both ways", async () => {
    await connectFirst();
    await using far = await bareServer();
    const pair = await openConnection("127.0.0.1", far.port);
    const [reader, writer] = pair;
    const peer = await far.accepted();
    assert.deepEqual(writer.getExtraInfo("peername"), ["127.0.0.1", far.port]);
    assert.deepEqual(writer.getExtraInfo("sockname"), ["127.0.0.1", peer.remotePort]);
    writer.write("there\n");
    assert.equal(String((await once(peer.resume(), "data"))[0]), "there\n");
    peer.end("back\n");
    assert.equal(String(await reader.read()), "back\n");
    await hangUp(pair);
  });

  it("fails over TCP with the error of a net.Socket", async () => {
    await connectFirst();
    const port = await freePort();
    assert.deepEqual(await errorOf(openConnection("127.0.0.1", port)), await errorOfNode({ host: "127.0.0.1", port }));
    assert.deepEqual(await errorOf(openConnection("127.0.0.1", 0)), await errorOfNode({ host: "127.0.0.1", port: 0 }));
  });

  it("fails with the error of a net.Socket if the system refuses it at once", async () => {
    await connectFirst();
    assert.deepEqual(await errorOf(openConnection("255.255.255.255", 9)), await errorOfNode({ host: "255.255.255.255", port: 9 }));
  });

  it("fails over a Unix socket with the error of a net.Socket", async () => {
    await connectFirst();
    const file = socketPath();
    writeFileSync(file, "plain");
    const stale = await staleSocket();
    for (const path of [socketPath(), stale, file]) {
      assert.deepEqual(await errorOf(openUnixConnection(path)), await errorOfNode({ path }));
    }
    unlinkSync(file);
    unlinkSync(stale);
  });

  it("is closed by an abort while it connects", async () => {
    await connectFirst();
    await using far = await bareServer();
    for (const host of ["127.0.0.1", "localhost"]) {
      const controller = new AbortController();
      const opening = openConnection(host, far.port, { signal: controller.signal });
      controller.abort(new Error("changed my mind"));
      await assert.rejects(opening, /changed my mind/);
    }
    await using unix = await bareServer(socketPath());
    const controller = new AbortController();
    const opening = openUnixConnection(unix.path, { signal: controller.signal });
    controller.abort(new Error("changed my mind"));
    await assert.rejects(opening, /changed my mind/);
  });

  it("ends the other attempts once one of several addresses has connected", async () => {
    await connectFirst();
    await using far = await bareServer();
    const opened = await openConnection("localhost", far.port, { happyEyeballsDelay: 0 });
    assert.deepEqual(opened[1].getExtraInfo("peername"), ["127.0.0.1", far.port]);
    await hangUp(opened);
  });
});
