/** Sockets and servers that are handed over by `sock`: what is accepted, and whose they are from then on. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync, rmSync } from "node:fs";
import net from "node:net";
import { dirname } from "node:path";
import { describe, it } from "node:test";
import { TLSSocket } from "node:tls";
import { openConnection, openUnixConnection, startServer, startUnixServer } from "asyncio-streams";
import { bareConnection, bareServer, listeningServer } from "../support/bare-sockets.js";
import { TYPE, VALUE } from "../support/refused.js";
import { socketPath } from "../support/temporary.js";
import { turns } from "../support/turns.js";

const families = [
  ["unix", "Unix", (options: object) => openUnixConnection(null, options), (options: object) => startUnixServer(() => {}, null, options)],
  ["tcp", "TCP", (options: object) => openConnection(null, null, options), (options: object) => startServer(() => {}, null, null, options)],
] as const;

for (const [family, name, open, start] of families) {
  const otherFamily = family === "unix" ? "tcp" : "unix";

  describe(`sock of a ${name} connection`, () => {
    it("becomes a connection with the bytes it had received, and is closed with the writer", async () => {
      const { far, socket } = await bareConnection(family);
      await using _ = far;
      const peer = await far.accepted();
      peer.write("early\n");
      await turns(5);
      const [reader, writer] = await open({ sock: socket });
      assert.equal((await reader.readline()).toString(), "early\n");
      writer.write("answer");
      const [answer] = (await once(peer.resume(), "data")) as [Buffer];
      assert.equal(answer.toString(), "answer");
      writer.close();
      await writer.waitClosed();
      assert.equal(socket.destroyed, true);
    });

    it("stays open at the peer's EOF, though it was made without allowHalfOpen", async () => {
      const { far, socket } = await bareConnection(family);
      await using _ = far;
      assert.equal(socket.allowHalfOpen, false);
      const [reader, writer] = await open({ sock: socket });
      const peer = await far.accepted();
      peer.end("question");
      assert.equal((await reader.read()).toString(), "question");
      await turns(5);
      writer.write("late answer");
      const [answer] = (await once(peer.resume(), "data")) as [Buffer];
      assert.equal(answer.toString(), "late answer");
      writer.close();
      await writer.waitClosed();
    });

    it("is asked after its end whether all bytes were sent", async () => {
      for (const [size, hasGone] of [
        [1, true],
        [16 * 1024 * 1024, false],
      ] as const) {
        const { far, socket } = await bareConnection(family);
        await using _ = far;
        const [, writer] = await open({ sock: socket });
        writer.write(Buffer.alloc(size));
        if (hasGone) await writer.flush();
        else await turns();
        writer.abort();
        await (hasGone ? writer.flush() : assert.rejects(writer.flush(), { code: "ECONNRESET" }));
        await writer.waitClosed();
      }
    });

    it("has its addresses in the extra info", async () => {
      const { far, socket } = await bareConnection(family);
      await using _ = far;
      const [, writer] = await open({ sock: socket });
      const expected = family === "tcp" ? ["127.0.0.1", far.port] : "";
      assert.deepEqual(writer.getExtraInfo("peername"), expected);
      writer.close();
      await writer.waitClosed();
    });

    for (const [what, options, expected] of [
      ["a limit of 0", { limit: 0 }, { code: "ERR_OUT_OF_RANGE" }],
      ["a limit that is text", { limit: "1" }, TYPE],
      ["a signal that is none", { signal: 5 }, TYPE],
      ["an aborted signal", { signal: AbortSignal.abort() }, { name: "AbortError" }],
      ["a serverHostname without ssl", { serverHostname: "localhost" }, VALUE],
    ] as const) {
      it(`is closed when the call is refused for ${what}`, async () => {
        const { far, socket } = await bareConnection(family);
        await using _ = far;
        await assert.rejects(open({ sock: socket, ...options }), expected);
        assert.equal(socket.destroyed, true);
      });
    }

    it("is refused when it is given a second time, and the first connection goes on", async () => {
      const { far, socket } = await bareConnection(family);
      await using _ = far;
      const opening = open({ sock: socket });
      await assert.rejects(open({ sock: socket }), { ...VALUE, message: /sock cannot be given twice/ });
      const [, writer] = await opening;
      await assert.rejects(open({ sock: socket }), { ...VALUE, message: /sock cannot be given twice/ });
      await assert.rejects(open({ sock: socket, limit: 0 }), { code: "ERR_OUT_OF_RANGE" });
      await assert.rejects(start({ sock: socket, backlog: -1 }), { code: "ERR_OUT_OF_RANGE" });
      writer.write("still here");
      const [text] = (await once((await far.accepted()).resume(), "data")) as [Buffer];
      assert.equal(text.toString(), "still here");
      writer.close();
      await writer.waitClosed();
      await assert.rejects(open({ sock: socket }), VALUE);
    });

    it("is refused, and closed, if it is of the wrong family", async () => {
      const { far, socket } = await bareConnection(otherFamily);
      await using _ = far;
      const message = new RegExp(`must be a ${name} stream socket: the socket is a ${name === "TCP" ? "Unix" : "TCP"} socket`);
      await assert.rejects(open({ sock: socket }), { ...VALUE, message });
      assert.equal(socket.destroyed, true);
    });

    it("is refused if it is closed", async () => {
      const { far, socket } = await bareConnection(family);
      await using _ = far;
      socket.destroy();
      await assert.rejects(open({ sock: socket }), { ...VALUE, message: /closed/ });
    });

    it("is refused, and closed, if it never was connected", async () => {
      const socket = new net.Socket();
      await assert.rejects(open({ sock: socket }), { ...VALUE, message: /not connected/ });
      assert.equal(socket.destroyed, true);
    });

    it("is refused, and closed, while it is connecting", async () => {
      await using far = await bareServer(family === "unix" ? socketPath() : undefined);
      const socket = net.connect(family === "unix" ? { path: far.path } : { host: "127.0.0.1", port: far.port });
      await assert.rejects(open({ sock: socket }), { ...VALUE, message: /not connected/ });
      assert.equal(socket.destroyed, true);
    });

    it("is refused, and closed, if our side has been ended", async () => {
      const { far, socket } = await bareConnection(family);
      await using _ = far;
      socket.end();
      await assert.rejects(open({ sock: socket }), { ...VALUE, message: /sock must be a connected socket/ });
      assert.equal(socket.destroyed, true);
    });

    it("is refused, and closed, if it speaks TLS, as in asyncio", async () => {
      const { far, socket } = await bareConnection(family);
      await using _ = far;
      const secured = new TLSSocket(socket);
      await assert.rejects(open({ sock: secured }), { ...VALUE, message: /TLS/ });
      assert.equal(secured.destroyed, true);
      socket.destroy();
    });

    it("is refused, and closed, if it decodes what it reads, because decoding loses bytes", async () => {
      const { far, socket } = await bareConnection(family);
      await using _ = far;
      socket.setEncoding("utf8");
      await assert.rejects(open({ sock: socket }), { ...VALUE, message: /setEncoding/ });
      assert.equal(socket.destroyed, true);
    });

    it("is refused, and closed, if it is a server", async () => {
      const server = await listeningServer(family);
      await assert.rejects(open({ sock: server }), { ...TYPE, message: /sock/ });
      assert.equal(server.listening, false);
    });
  });

  describe(`sock of a ${name} server`, () => {
    it("is served, and closed with the server", async () => {
      const sock = await listeningServer(family);
      const address = sock.address() as net.AddressInfo & string;
      const server = await (family === "unix"
        ? startUnixServer((_reader, writer) => writer.close(), null, { sock, cleanupSocket: true })
        : startServer((_reader, writer) => writer.close(), null, null, { sock }));
      assert.deepEqual(server.sockets[0]!.getsockname(), family === "unix" ? address : ["127.0.0.1", address.port]);
      const [reader, writer] = await (family === "unix" ? openUnixConnection(address) : openConnection("127.0.0.1", address.port));
      assert.equal((await reader.read()).length, 0);
      writer.close();
      await writer.waitClosed();
      server.close();
      assert.equal(sock.listening, false);
      await server.waitClosed();
    });

    it("with startServing: false keeps early clients until it serves", async () => {
      const sock = await listeningServer(family);
      const address = sock.address() as net.AddressInfo & string;
      const served: string[] = [];
      const callback = async (...[reader, writer]: Parameters<Parameters<typeof startServer>[0]>): Promise<void> => {
        served.push((await reader.read()).toString());
        writer.close();
      };
      const options = { sock, startServing: false };
      const server = await (family === "unix"
        ? startUnixServer(callback, null, { ...options, cleanupSocket: true })
        : startServer(callback, null, null, options));
      const [reader, writer] = await (family === "unix" ? openUnixConnection(address) : openConnection("127.0.0.1", address.port));
      writer.write("early");
      writer.writeEof();
      await turns(10);
      assert.deepEqual([served, server.isServing()], [[], false]);
      await server.startServing();
      assert.equal((await reader.read()).length, 0);
      assert.deepEqual(served, ["early"]);
      writer.close();
      await writer.waitClosed();
      server.close();
      await server.waitClosed();
    });

    it("closes early clients when it is closed before it served", async () => {
      const sock = await listeningServer(family);
      const address = sock.address() as net.AddressInfo & string;
      const server = await start({ sock, startServing: false, ...(family === "unix" ? { cleanupSocket: true } : {}) });
      const [reader, writer] = await (family === "unix" ? openUnixConnection(address) : openConnection("127.0.0.1", address.port));
      await turns(10);
      server.close();
      await server.waitClosed();
      assert.equal((await reader.read().catch(() => Buffer.alloc(0))).length, 0);
      writer.close();
      await writer.waitClosed().catch(() => {});
    });

    for (const [what, options, expected] of [
      ["a limit of 0", { limit: 0 }, { code: "ERR_OUT_OF_RANGE" }],
      ["a backlog of -1", { backlog: -1 }, { code: "ERR_OUT_OF_RANGE" }],
      ["an onClientError that is no function", { onClientError: 5 }, TYPE],
      ["an aborted signal", { signal: AbortSignal.abort() }, { name: "AbortError" }],
    ] as const) {
      it(`is closed when the call is refused for ${what}`, async () => {
        const sock = await listeningServer(family);
        await assert.rejects(start({ sock, ...options }), expected);
        assert.equal(sock.listening, false);
      });
    }

    it("is refused when it is given a second time, and the first server goes on", async () => {
      const sock = await listeningServer(family);
      const server = await start({ sock, startServing: false, ...(family === "unix" ? { cleanupSocket: true } : {}) });
      await assert.rejects(start({ sock }), { ...VALUE, message: /sock cannot be given twice/ });
      await assert.rejects(start({ sock, backlog: -1 }), { code: "ERR_OUT_OF_RANGE" });
      assert.equal(sock.listening, true);
      server.close();
      await server.waitClosed();
      assert.equal(sock.listening, false);
    });

    it("is refused, and closed, if it is of the wrong family", async () => {
      const sock = await listeningServer(otherFamily);
      const message = new RegExp(`must be a ${name} stream socket: the server is a ${name === "TCP" ? "Unix" : "TCP"} socket`);
      await assert.rejects(start({ sock }), { ...VALUE, message });
      assert.equal(sock.listening, false);
    });

    it("is refused if it does not listen", async () => {
      await assert.rejects(start({ sock: net.createServer() }), { ...VALUE, message: /not listening/ });
    });

    it("is refused, and closed, if it has a 'connection' listener", async () => {
      const sock = await listeningServer(family);
      sock.on("connection", (socket) => socket.destroy());
      await assert.rejects(start({ sock }), { ...VALUE, message: /'connection'/ });
      assert.equal(sock.listening, false);
    });

    it("is refused, and closed, if it is a connection", async () => {
      const { far, socket } = await bareConnection(family);
      await using _ = far;
      await assert.rejects(start({ sock: socket }), { ...TYPE, message: /sock/ });
      assert.equal(socket.destroyed, true);
    });
  });
}

describe("the socket file of a server that was handed over", () => {
  it("stays without cleanupSocket: true", async () => {
    for (const cleanupSocket of [undefined, false, true]) {
      const sock = await listeningServer("unix");
      const path = sock.address() as string;
      const server = await startUnixServer(() => {}, null, { sock, cleanupSocket });
      server.close();
      await server.waitClosed();
      assert.deepEqual(readdirSync(dirname(path)), cleanupSocket === true ? [] : ["test.sock"]);
      rmSync(path, { force: true });
    }
  });
});
