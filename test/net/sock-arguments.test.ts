/** `sock` beside what cannot be given with it: the call fails, and the socket is closed all the same. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import type net from "node:net";
import { describe, it } from "node:test";
import {
  BaseProtocol,
  createConnection,
  createUnixConnection,
  createUnixServer,
  openConnection,
  openUnixConnection,
  startServer,
  startUnixServer,
} from "asyncio-streams";
import { bareConnection, listeningServer } from "../support/bare-sockets.js";
import { VALUE } from "../support/refused.js";
import { until } from "../support/turns.js";

describe("sock with an address", () => {
  it("is refused, and closed", async () => {
    for (const connect of [
      (sock: net.Socket) => openConnection("127.0.0.1", 80, { sock }),
      (sock: net.Socket) => openConnection("127.0.0.1", null, { sock }),
      (sock: net.Socket) => openConnection(null, 80, { sock }),
      (sock: net.Socket) => createConnection(() => new BaseProtocol(), "127.0.0.1", 80, { sock }),
      (sock: net.Socket) => openUnixConnection("/tmp/none.sock", { sock }),
      (sock: net.Socket) => createUnixConnection(() => new BaseProtocol(), "/tmp/none.sock", { sock }),
    ]) {
      const { far, socket } = await bareConnection("tcp");
      await using _ = far;
      await assert.rejects(connect(socket), { ...VALUE, message: /sock cannot be given at the same time/ });
      assert.equal(socket.destroyed, true);
    }
  });

  it("is refused by a server, and closed", async () => {
    for (const listen of [
      (sock: net.Server) => startServer(() => {}, "127.0.0.1", null, { sock }),
      (sock: net.Server) => startServer(() => {}, null, 0, { sock }),
      (sock: net.Server) => startUnixServer(() => {}, "/tmp/none.sock", { sock }),
      (sock: net.Server) => createUnixServer(() => new BaseProtocol(), "/tmp/none.sock", { sock }),
    ]) {
      const sock = await listeningServer("unix");
      await assert.rejects(listen(sock), { ...VALUE, message: /sock cannot be given at the same time/ });
      assert.equal(sock.listening, false);
    }
  });
});

describe("sock of a call that fails", () => {
  it("is closed when a client's factory is refused, or makes no protocol", async () => {
    for (const factory of [5, () => null]) {
      const { far, socket } = await bareConnection("unix");
      await using _ = far;
      await assert.rejects(createUnixConnection(factory as never, null, { sock: socket }), { message: /protocolFactory/ });
      await until(() => socket.destroyed);
    }
  });

  it("is closed when the callback, the factory, the mode or the takeover of a server is refused", async () => {
    for (const listen of [
      (sock: net.Server) => startUnixServer("callback" as never, null, { sock }),
      (sock: net.Server) => createUnixServer(5 as never, null, { sock }),
      (sock: net.Server) => startUnixServer(() => {}, null, { sock, mode: 0o600 }),
      (sock: net.Server) => startUnixServer(() => {}, null, { sock, takeover: true }),
    ]) {
      const sock = await listeningServer("unix");
      await assert.rejects(listen(sock), TypeError);
      assert.equal(sock.listening, false);
    }
  });

  it("is closed when the protocol factory throws", async () => {
    const { far, socket } = await bareConnection("unix");
    await using _ = far;
    const failure = new Error("on purpose");
    const factory = (): never => {
      throw failure;
    };
    await assert.rejects(createUnixConnection(factory, null, { sock: socket }), (error) => error === failure);
    await until(() => socket.destroyed);
  });
});
