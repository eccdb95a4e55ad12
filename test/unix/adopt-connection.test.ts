/** A connected `net.Socket` or descriptor that is handed over. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { describe, it } from "node:test";
import { createUnixConnection, openConnection, openUnixConnection } from "asyncio-streams";
import { bareConnection, bareServer } from "../support/bare-sockets.js";
import { Child, scriptCommand } from "../support/child.js";
import { needs, needsLinux } from "../support/needs.js";
import { socketPath } from "../support/temporary.js";
import { turns, until } from "../support/turns.js";
import { python, pythonCommand } from "./python.js";

describe("a connected descriptor as sock", needs(needsLinux, python), () => {
  for (const [what, sends] of [
    ["speaks first", true],
    ["waits", false],
  ] as const) {
    it(`is a connection like any other, to a peer who ${what}`, async () => {
      await using far = await bareServer(socketPath());
      const sockets = JSON.stringify([{ kind: "unix connected", path: far.path }]);
      await using peer = new Child(pythonCommand("launch", sockets, ...scriptCommand("unix/connected-child")));
      const socket = await far.accepted();
      if (sends) socket.write("early\n");
      let said = "";
      socket
        .setEncoding("utf8")
        .on("data", (text: string) => (said += text))
        .resume();
      assert.equal((await peer.next<string[]>()).length, 2);
      await until(() => said.startsWith("ours\n"));
      socket.end("late\n");
      await once(socket, "end");
      assert.equal(said, `ours\n${sends ? "EARLY\n" : ""}LATE\nthe end\n`);
      assert.equal(await peer.next(), "closed");
      assert.deepEqual(await peer.ended, { code: 0, signal: null });
    });
  }
});

describe("a connected net.Socket as sock", () => {
  it("is a connection like any other, and belongs to the writer", async () => {
    const { far, socket } = await bareConnection("unix");
    const [reader, writer] = await openUnixConnection(null, { sock: socket });
    const peer = (await far.accepted()).resume();
    peer.write("hello\n");
    assert.equal((await reader.readline()).toString(), "hello\n");
    writer.write("hello yourself\n");
    assert.equal(String((await once(peer, "data"))[0]), "hello yourself\n");
    // The peer's end leaves our side open.
    peer.end();
    assert.equal((await reader.read()).length, 0);
    writer.write("still here\n");
    assert.equal(String((await once(peer, "data"))[0]), "still here\n");
    writer.close();
    await writer.waitClosed();
    assert.equal(socket.destroyed, true);
    await far[Symbol.asyncDispose]();
  });

  it("brings what has arrived before", async () => {
    const { far, socket } = await bareConnection("unix");
    (await far.accepted()).write("early\n");
    await turns(5);
    const [reader, writer] = await openUnixConnection(null, { sock: socket });
    assert.equal((await reader.readline()).toString(), "early\n");
    writer.close();
    await writer.waitClosed();
    await far[Symbol.asyncDispose]();
  });

  for (const [what, call, message] of [
    ["with a path", (sock: net.Socket) => openUnixConnection("/tmp/x", { sock }), /path and sock/],
    ["with a wrong limit", (sock: net.Socket) => openUnixConnection(null, { sock, limit: -1 }), /limit/],
    ["with ssl and no serverHostname", (sock: net.Socket) => openUnixConnection(null, { sock, ssl: true }), /serverHostname/],
    [
      "with an aborted signal",
      (sock: net.Socket) => openUnixConnection(null, { sock, signal: AbortSignal.abort(new Error("before")) }),
      /before/,
    ],
    ["with a wrong factory", (sock: net.Socket) => createUnixConnection(5 as never, null, { sock }), /protocolFactory/],
    ["with a factory of nothing", (sock: net.Socket) => createUnixConnection(() => null as never, null, { sock }), /protocolFactory/],
    ["as TCP", (sock: net.Socket) => openConnection(null, null, { sock }), /must be a TCP stream socket: the socket is a Unix socket/],
  ] as const) {
    it(`${what} is refused, and closed`, async () => {
      const { far, socket } = await bareConnection("unix");
      await assert.rejects(call(socket), { message });
      assert.equal(socket.destroyed, true);
      await far[Symbol.asyncDispose]();
    });
  }

  it("of TCP is refused, and closed", async () => {
    const { far, socket } = await bareConnection("tcp");
    await assert.rejects(openUnixConnection(null, { sock: socket }), {
      name: "TypeError",
      message: /must be a Unix stream socket: the socket is a TCP socket/,
    });
    assert.equal(socket.destroyed, true);
    await far[Symbol.asyncDispose]();
  });

  it("that is not connected is refused, and closed", async () => {
    const socket = new net.Socket();
    await assert.rejects(openUnixConnection(null, { sock: socket }), { name: "TypeError", message: /not connected/ });
    assert.equal(socket.destroyed, true);
  });

  it("that is still connecting is refused, and closed", async () => {
    await using far = await bareServer(socketPath());
    const socket = net.connect({ path: far.path });
    if (socket.connecting) {
      await assert.rejects(openUnixConnection(null, { sock: socket }), { name: "TypeError", message: /not connected/ });
      assert.equal(socket.destroyed, true);
    } else socket.destroy();
  });

  it("that is closed is refused", async () => {
    const { far, socket } = await bareConnection("unix");
    socket.destroy();
    await assert.rejects(openUnixConnection(null, { sock: socket }), { name: "TypeError", message: /closed/ });
    await far[Symbol.asyncDispose]();
  });

  it("whose writing side has been ended is refused, and closed", async () => {
    const { far, socket } = await bareConnection("unix");
    socket.end();
    await assert.rejects(openUnixConnection(null, { sock: socket }), { name: "TypeError", message: /sock must be a connected socket/ });
    assert.equal(socket.destroyed, true);
    await far[Symbol.asyncDispose]();
  });

  for (const sock of [{}, "socket", true, net.createServer()]) {
    it(`that is ${typeof sock === "object" ? sock.constructor.name : typeof sock} is refused`, async () => {
      await assert.rejects(openUnixConnection(null, { sock: sock as never }), {
        name: "TypeError",
        code: "ERR_INVALID_ARG_TYPE",
        message: /sock/,
      });
    });
  }
});
