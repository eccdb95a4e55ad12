/** Sockets that are handed over by `sock` as file descriptors. A child process finds them at descriptor 3, as under a service manager. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { once } from "node:events";
import { closeSync, fstatSync, openSync } from "node:fs";
import net from "node:net";
import { describe, it } from "node:test";
import { openConnection, openUnixConnection, startServer, startUnixServer } from "asyncio-streams";
import { socketIdentity } from "#src/net/descriptor.js";
import { type BareServer, bareServer, listeningServer } from "../support/bare-sockets.js";
import { identity, trust } from "../support/certificates.js";
import { Child, scriptCommand } from "../support/child.js";
import { needsLinux } from "../support/needs.js";
import type { Outcome } from "../support/outcome.js";
import { cannot } from "../support/runtime.js";
import { socketPath } from "../support/temporary.js";

interface Result {
  readonly error: Outcome | null;
  readonly closed: boolean;
}

/** A child process that makes a call with what it finds at descriptor 3. */
const childWith = (descriptor: "pipe" | number, call: string, options: object = {}): Child =>
  new Child(scriptCommand("net/descriptor-child", call, JSON.stringify(options)), { stdio: ["pipe", "pipe", "inherit", descriptor] });

/** The descriptor of a socket or a server. */
const descriptorOf = (socket: net.Socket | net.Server): number => (Reflect.get(socket, "_handle") as { readonly fd: number }).fd;

/** A connection of which this process reads nothing, so that all of it is left to the child. */
async function detachedConnection(): Promise<{ far: BareServer; socket: net.Socket }> {
  const far = await bareServer();
  const socket = net.connect({ host: "127.0.0.1", port: far.port }).pause();
  await once(socket, "connect");
  return { far, socket };
}

/** Our end of a "pipe", which is a Unix socket. */
const farEnd = (child: Child): net.Socket => child.process.stdio[3] as net.Socket;

// Only Linux says what socket a descriptor is before it is adopted.
describe("the descriptor of a connected Unix socket", needsLinux, () => {
  for (const [what, call] of [
    ["becomes a connection, and is closed with the writer", "openUnixConnection"],
    ["becomes an accepted connection", "connectAcceptedSocket"],
  ] as const) {
    it(what, async () => {
      await using child = childWith("pipe", call);
      const far = farEnd(child);
      far.write("hello from the parent\n");
      const [data] = (await once(far, "data")) as [Buffer];
      assert.equal(data.toString(), "hello from the child\n");
      assert.deepEqual(await child.next(), { line: "hello from the parent\n" });
      assert.deepEqual(await child.next(), { error: null, closed: true });
    });
  }

  it("becomes an accepted connection with TLS, in the server's role", async () => {
    const ssl = identity("server");
    await using child = childWith("pipe", "connectAcceptedSocket", { ssl });
    const [reader, writer] = await openUnixConnection(null, { sock: farEnd(child), ssl: trust, serverHostname: "localhost" });
    writer.write("hello from the parent\n");
    assert.equal((await reader.readline()).toString(), "hello from the child\n");
    assert.deepEqual(await child.next(), { line: "hello from the parent\n" });
    writer.close();
    await writer.waitClosed();
    assert.deepEqual(await child.next(), { error: null, closed: true });
  });

  it("is refused when it is given again, and the first connection goes on", async () => {
    await using child = childWith("pipe", "openUnixConnectionTwice");
    const far = farEnd(child);
    const { refused } = await child.next<{ readonly refused: Outcome }>();
    assert.equal(refused.code, "ERR_INVALID_ARG_VALUE", refused.message);
    assert.match(refused.message, /twice/);
    far.write("hello from the parent\n");
    const [data] = (await once(far, "data")) as [Buffer];
    assert.equal(data.toString(), "hello from the child\n");
    assert.deepEqual(await child.next(), { line: "hello from the parent\n" });
    assert.deepEqual(await child.next(), { error: null, closed: true });
  });

  for (const [what, call, options, code, message] of [
    [
      "with wrong options for an accepted connection",
      "connectAcceptedSocket",
      { sslHandshakeTimeout: 5 },
      "ERR_INVALID_ARG_VALUE",
      /sslHandshakeTimeout/,
    ],
    ["for another family", "openConnection", {}, "ERR_INVALID_ARG_VALUE", /TCP/],
    ["for a server, which has to listen", "startUnixServer", {}, "ERR_INVALID_ARG_VALUE", /listening/],
    ["for a server of another family", "startServer", {}, "ERR_INVALID_ARG_VALUE", /TCP/],
    ["with a limit of 0", "openUnixConnection", { limit: 0 }, "ERR_OUT_OF_RANGE", /limit/],
    ["with a path beside it", "openUnixConnection", { path: "/tmp/none.sock" }, "ERR_INVALID_ARG_VALUE", /path and sock/],
    ["with a host beside it", "openConnection", { host: "127.0.0.1" }, "ERR_INVALID_ARG_VALUE", /host or port and sock/],
    ["with contradictory options", "openUnixConnection", { serverHostname: "localhost" }, "ERR_INVALID_ARG_VALUE", /serverHostname/],
    ["with a backlog of -1", "startUnixServer", { backlog: -1 }, "ERR_OUT_OF_RANGE", /backlog/],
    ["with an aborted signal", "openUnixConnection", { aborted: true }, undefined, /abort/i],
  ] as const) {
    it(`is refused ${what}, and closed`, async () => {
      await using child = childWith("pipe", call, options);
      const { error, closed } = await child.next<Result>();
      if (code !== undefined) assert.equal(error?.code, code, error?.message);
      assert.match(error?.message ?? "", message);
      assert.equal(closed, true);
    });
  }
});

describe("the descriptor of a connected TCP socket", needsLinux, () => {
  for (const [what, call] of [
    ["a connection, and is closed with the writer", "openConnection"],
    ["an accepted connection", "connectAcceptedSocket"],
  ] as const) {
    it(`becomes ${what}`, cannot("pass-descriptor", "deno"), async () => {
      const { far, socket } = await detachedConnection();
      await using _ = far;
      const peer = await far.accepted();
      await using child = childWith(descriptorOf(socket), call);
      peer.write("hello from the parent\n");
      const [data] = (await once(peer.resume(), "data")) as [Buffer];
      assert.equal(data.toString(), "hello from the child\n");
      assert.deepEqual(await child.next(), { line: "hello from the parent\n" });
      assert.deepEqual(await child.next(), { error: null, closed: true });
      socket.destroy();
    });
  }

  it("is refused for a Unix connection, and closed", cannot("pass-descriptor", "deno"), async () => {
    const { far, socket } = await detachedConnection();
    await using _ = far;
    await using child = childWith(descriptorOf(socket), "openUnixConnection");
    const { error, closed } = await child.next<Result>();
    assert.match(error?.message ?? "", /a Unix stream socket/);
    assert.equal(closed, true);
    socket.destroy();
  });
});

describe("the descriptor of a listening socket", needsLinux, () => {
  for (const [family, call, other] of [
    ["unix", "startUnixServer", "startServer"],
    ["tcp", "startServer", "startUnixServer"],
  ] as const) {
    it(`of ${family} is served, and closed with the server`, cannot("pass-descriptor", "deno"), async () => {
      const listening = await listeningServer(family);
      const address = listening.address() as net.AddressInfo & string;
      await using child = childWith(descriptorOf(listening), call);
      assert.deepEqual(await child.next(), { line: "serving" });
      // Both processes wait for clients now, and one that comes to the parent is of no use here.
      listening.on("connection", (socket) => socket.destroy());
      listening.maxConnections = 0;
      let line = "";
      while (line === "") {
        const [reader, writer] = await (family === "unix" ? openUnixConnection(address) : openConnection("127.0.0.1", address.port));
        line = await reader.readline().then(String, () => "");
        writer.close();
        await writer.waitClosed().catch(() => {});
      }
      assert.equal(line, "hello from the child\n");
      assert.deepEqual(await child.next(), { error: null, closed: true });
      await new Promise((resolve) => listening.close(resolve));
    });

    it(
      `of ${family} is refused for a connection and for a server of the other family, and closed`,
      cannot("pass-descriptor", "deno"),
      async () => {
        const listening = await listeningServer(family);
        for (const [wrong, message] of [
          [family === "unix" ? "openUnixConnection" : "openConnection", /connected/],
          [other, /Unix.*TCP|TCP.*Unix/],
        ] as const) {
          await using child = childWith(descriptorOf(listening), wrong);
          const { error, closed } = await child.next<Result>();
          assert.equal(error?.code, "ERR_INVALID_ARG_VALUE");
          assert.match(error.message, message);
          assert.equal(closed, true);
        }
        assert.equal(listening.listening, true);
        await new Promise((resolve) => listening.close(resolve));
      },
    );
  }
});

describe("a descriptor that is no socket", needsLinux, () => {
  const calls = [
    (sock: number) => openUnixConnection(null, { sock }),
    (sock: number) => openConnection(null, null, { sock }),
    (sock: number) => startUnixServer(() => {}, null, { sock }),
    (sock: number) => startServer(() => {}, null, null, { sock }),
  ];

  it("is refused, and left open, because it belongs to other code", async () => {
    const fd = openSync(new URL(import.meta.url), "r");
    const { ino } = fstatSync(fd);
    const wrongOtherwise = [
      () => openUnixConnection("/tmp/none.sock", { sock: fd }),
      () => openConnection(null, null, { sock: fd, limit: 0 }),
      () => startServer(5 as never, null, null, { sock: fd }),
    ];
    for (const call of calls) {
      await assert.rejects(call(fd), { name: "TypeError", code: "ERR_INVALID_ARG_VALUE", message: new RegExp(`descriptor ${fd} `) });
    }
    for (const call of wrongOtherwise) await assert.rejects(call());
    assert.equal(fstatSync(fd).ino, ino);
    closeSync(fd);
  });

  it("is refused, and left open, if it is a standard stream: without them, a process hangs or aborts when it ends", async () => {
    for (const fd of [0, 1, 2]) {
      const { ino } = fstatSync(fd);
      await assert.rejects(openUnixConnection("/tmp/none.sock", { sock: fd }), { code: "ERR_INVALID_ARG_VALUE" });
      assert.equal(fstatSync(fd).ino, ino);
    }
  });

  it("gives EBADF if it is not open", async () => {
    for (const call of calls) await assert.rejects(call(1_000_000), { code: "EBADF" });
  });

  for (const wrong of [-1, 1.5, Number.NaN, Infinity]) {
    it(`is refused if it is ${wrong}`, async () => {
      for (const call of calls) await assert.rejects(call(wrong), { name: "TypeError", code: "ERR_INVALID_ARG_TYPE", message: /sock/ });
    });
  }

  it("does not harm a server elsewhere", async () => {
    await using server = await startUnixServer(() => {}, socketPath());
    await assert.rejects(openUnixConnection(null, { sock: 1_000_000 }));
    assert.equal(server.isServing(), true);
  });
});

describe("socketIdentity()", needsLinux, () => {
  it("is null for a descriptor that is not a socket", () => {
    const fd = openSync("/", "r");
    assert.equal(socketIdentity(fd), null);
    closeSync(fd);
    assert.equal(socketIdentity(1_000_000), null);
  });
});
