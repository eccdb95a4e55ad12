/** What a `sock` is, is asked of its handle or its descriptor: a socket that was reset, or that has no name, has no address to tell it by. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, existsSync, openSync, rmSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { BaseProtocol, createServer, openConnection, openUnixConnection, startServer, startUnixServer } from "asyncio-streams";
import { bareConnection, bareServer, listeningServer } from "../support/bare-sockets.js";
import { Child, scriptCommand } from "../support/child.js";
import { needs, needsLinux } from "../support/needs.js";
import type { Outcome } from "../support/outcome.js";
import { findPython } from "../support/python.js";
import { testFile } from "../support/repository.js";
import { cannot, runtime } from "../support/runtime.js";
import { socketPath, temporaryDirectory } from "../support/temporary.js";
import { turns } from "../support/turns.js";

const VALUE = { name: "TypeError", code: "ERR_INVALID_ARG_VALUE" };
const python = findPython();
const needsPython = needs(needsLinux, python);

/** A child process with a socket made by CPython at descriptor 3. */
const childWith = (kind: string, script: readonly string[], path: string = ""): Child =>
  new Child([python.binary, testFile("net/give_socket.py"), kind, ...script], {
    stdio: ["pipe", "pipe", "inherit", "ignore"],
    env: { ...process.env, SOCKET_PATH: path },
  });

/** A connection that the peer has reset, which our side has not noticed. */
async function resetConnection(): Promise<net.Socket> {
  await using far = await bareServer();
  const socket = net.connect({ host: "127.0.0.1", port: far.port }).pause();
  await once(socket, "connect");
  (await far.accepted()).resetAndDestroy();
  await turns(5);
  return socket;
}

describe("sock that was reset before it is handed over", () => {
  it("is a TCP connection, whose peer is not known, and whose first read rejects", cannot("sock-that-was-reset", "bun"), async () => {
    const [reader, writer] = await openConnection(null, null, { sock: await resetConnection() });
    assert.equal(writer.getExtraInfo("peername"), null);
    assert.equal(writer.getExtraInfo("peername", "unknown"), "unknown");
    assert.equal(writer.getExtraInfo("socket")!.getpeername(), null);
    assert.equal(writer.getExtraInfo("sockname")![0], "127.0.0.1");
    assert.equal(writer.getExtraInfo("socket")!.family, "ipv4");
    await assert.rejects(reader.read(), { code: "ECONNRESET" });
    writer.close();
    await assert.rejects(writer.waitClosed(), { code: "ECONNRESET" });
  });

  it("is no Unix connection", cannot("sock-that-was-reset", "bun"), async () => {
    const socket = await resetConnection();
    await assert.rejects(openUnixConnection(null, { sock: socket }), { ...VALUE, message: /the socket is a TCP socket/ });
    assert.equal(socket.destroyed, true);
  });
});

describe("sock with the option onread", () => {
  for (const [what, buffer] of [
    ["a buffer", Buffer.alloc(100)],
    ["a function that makes buffers", () => Buffer.alloc(100)],
  ] as const) {
    it(`is refused by name, since the data goes to that callback, with ${what}`, async () => {
      await using far = await bareServer();
      const socket = net.connect({ host: "127.0.0.1", port: far.port, onread: { buffer, callback: () => true } });
      await once(socket, "connect");
      await assert.rejects(openConnection(null, null, { sock: socket }), { ...VALUE, message: /onread/ });
      assert.equal(socket.destroyed, true);
    });
  }
});

describe("sock that is neither Unix nor TCP", () => {
  it("is refused if it reads from a named pipe", needs(needsLinux, cannot("socket-on-a-pipe", "bun", "deno")), async () => {
    const path = join(temporaryDirectory(), "fifo");
    execFileSync("mkfifo", [path]);
    for (const open of [openUnixConnection, openConnection.bind(null, null)]) {
      const fd = openSync(path, constants.O_RDWR);
      const sock = new net.Socket({ fd, readable: true, writable: true });
      await assert.rejects(open(null, { sock }), { ...VALUE, message: /neither a Unix nor a TCP socket/ });
      assert.equal(sock.destroyed, true);
    }
    const fd = openSync(path, constants.O_RDWR);
    await assert.rejects(openUnixConnection(null, { sock: fd }), { ...VALUE, message: /not a socket/ });
    closeSync(fd);
  });
});

describe("sock of a server that another process has bound", () => {
  for (const family of ["unix", "tcp"] as const) {
    // Deno: the process that has sent the server gets all clients, with `node:net` alone, too.
    // Other systems than Linux do not report the name of a Unix server that another process has bound.
    const sent = family === "unix" ? needs(needsLinux, cannot("pass-descriptor", "deno")) : {};
    it(`is known for ${family} when process.send() has passed it on`, sent, async () => {
      const server = await listeningServer(family);
      await using child = new Child(scriptCommand("net/kinds-child", "sent", family), { stdio: ["pipe", "pipe", "inherit", "ipc"] });
      child.process.send("server", server);
      // Both processes accept clients now, and one that comes to the parent is sent away.
      server.on("connection", (socket) => socket.destroy());
      const address = server.address() as net.AddressInfo & string;
      const name = family === "unix" ? address : [address.address, address.port];
      assert.deepEqual(await child.next(), { family: family === "unix" ? "unix" : "ipv4", address: name, peername: name });
      assert.deepEqual(await child.next(), { error: null });
      await child.ended;
      if (family === "unix") assert.equal(existsSync(address), true);
      await new Promise((resolve) => server.close(resolve));
    });

    it(`is refused for a server of another family than ${family}`, async () => {
      const server = await listeningServer(family);
      const other = family === "unix" ? "tcp" : "unix";
      await using child = new Child(scriptCommand("net/kinds-child", "sent", other), { stdio: ["pipe", "pipe", "inherit", "ipc"] });
      child.process.send("server", server);
      const { error } = await child.next<{ error: Outcome }>();
      assert.match(error.message, /Unix.*TCP|TCP.*Unix/);
      await child.ended;
      await new Promise((resolve) => server.close(resolve));
    });
  }
});

describe("the descriptor of a socket that is bound and does not listen", () => {
  for (const how of ["descriptor", "listening"]) {
    it(`is listened on, as in asyncio: TCP, as a ${how}`, needsPython, async () => {
      for (const [kind, family, host] of [
        ["tcp-bound", "ipv4", "127.0.0.1"],
        ["tcp6-bound", "ipv6", "::1"],
      ] as const) {
        await using child = childWith(kind, scriptCommand("net/kinds-child", how, "tcp"));
        const told = await child.next<{ family: string; address: [string, number]; peername: unknown }>();
        assert.deepEqual([told.family, told.address[0]], [family, host]);
        assert.ok(told.address[1] > 0);
        assert.deepEqual(told.peername, told.address);
        assert.deepEqual(await child.next(), { error: null });
      }
    });

    it(`is listened on, as in asyncio: Unix, as a ${how}`, needsPython, async () => {
      const path = socketPath();
      await using child = childWith("unix-bound", scriptCommand("net/kinds-child", how, "unix"), path);
      assert.deepEqual(await child.next(), { family: "unix", address: path, peername: path });
      assert.deepEqual(await child.next(), { error: null });
      assert.equal(existsSync(path), true);
      rmSync(path);
    });
  }

  it("is listened on if it is not even bound, as in asyncio: the system chooses a port", needsPython, async () => {
    await using child = childWith("tcp", scriptCommand("net/kinds-child", "descriptor", "tcp"));
    const { address } = await child.next<{ address: [string, number] }>();
    assert.equal(address[0], "0.0.0.0");
    assert.ok(address[1] > 0);
    assert.deepEqual(await child.next(), { error: null });
  });
});

describe("a descriptor that cannot be used", () => {
  const refusals = [
    ["udp", "startServer", /stream socket/],
    ["udp", "startUnixServer", /stream socket/],
    ["udp", "openConnection", runtime === "node" ? /stream socket/ : /does not list/],
    ["udp", "openUnixConnection", runtime === "node" ? /stream socket/ : /does not list/],
    ["udp6", "startServer", /stream socket/],
    ["udp-bound", "startServer", /UDP/],
    ["udp-bound", "openConnection", /UDP/],
    ["unix-datagram", "startUnixServer", /stream socket/],
    ["netlink", "startServer", /stream socket/],
    ["unix", "startUnixServer", /neither/],
    ["unix", "startServer", /Unix/],
    ["unix", "openUnixConnection", /not connected/],
    ["unix-bound", "openUnixConnection", /not connected/], // only one of this kind: it has a file
    ["tcp", "openConnection", runtime === "node" ? /not connected/ : /does not list/],
    ["tcp-bound", "openConnection", runtime === "node" ? /not connected/ : /does not list/],
    ["tcp6-bound", "openConnection", runtime === "node" ? /not connected/ : /does not list/],
    ["tcp-bound", "connectAcceptedSocket", runtime === "node" ? /not connected/ : /does not list/],
    // Bun: such a socket is closed from the start. Deno: refuses to make one.
    ...(runtime === "node"
      ? ([
          ["tcp", "openConnection(net.Socket)", /it is not connected/],
          ["tcp-bound", "openConnection(net.Socket)", /it is not connected/],
          ["unix", "openUnixConnection(net.Socket)", /it is not connected/],
        ] as const)
      : []),
    ["tcp-bound", "startUnixServer", /Unix/],
    ["tcp-bound", "openUnixConnection", runtime === "node" ? /TCP/ : /does not list/],
    ["tcp-reset", "startServer", /cannot listen/],
    ["tcp-reset", "openUnixConnection", runtime === "node" ? /TCP/ : /does not list/],
  ] as const;

  it("is refused by name, and closed", needsPython, async () => {
    const path = socketPath();
    const script = scriptCommand("net/refusals-child", ...refusals.map(([, call]) => call));
    await using child = childWith(refusals.map(([kind]) => kind).join(), script, path);
    for (const [kind, call, message] of refusals) {
      const { error, closed } = await child.next<{ error: Outcome; closed: boolean }>();
      assert.equal(error?.code, "ERR_INVALID_ARG_VALUE", `${kind} for ${call}: ${error?.message}`);
      assert.match(error.message, message);
      if (runtime !== "deno") assert.equal(closed, true, `${kind} for ${call}`); // Deno: descriptors-of-others-closed
    }
    await child.ended;
    rmSync(path);
  });

  it(
    "is no such thing if its peer has reset it: what it had received can be read",
    needs(needsPython, cannot("sock-that-was-reset", "bun", "deno")),
    async () => {
      await using child = childWith("tcp-reset", scriptCommand("net/descriptor-child", "openConnection"));
      assert.deepEqual(await child.next(), { line: "before the reset\n" });
      assert.equal((await child.next<{ error: Outcome }>()).error.code, "ECONNRESET");
    },
  );
});

describe("sock beside the options of addresses", () => {
  for (const options of [
    { family: 4 },
    { localAddr: ["127.0.0.1", 0] },
    { happyEyeballsDelay: 1 },
    { interleave: 1 },
    { allErrors: true },
  ] as const) {
    it(`is refused with ${Object.keys(options)}, which would have no effect`, async () => {
      const { far, socket } = await bareConnection("tcp");
      await using _ = far;
      await assert.rejects(openConnection(null, null, { sock: socket, ...options }), { ...VALUE, message: /has no effect on a sock/ });
      assert.equal(socket.destroyed, true);
    });
  }
});

describe("sock of a server beside the options of binding a port", () => {
  for (const options of [{ family: 4 }, { family: 0 }, { reuseAddress: true }, { reusePort: false }] as const) {
    it(`is refused with ${JSON.stringify(options)}, which would have no effect`, async () => {
      for (const listen of [
        (sock: net.Server) => startServer(() => {}, null, null, { sock, ...options }),
        (sock: net.Server) => createServer(() => new BaseProtocol(), null, null, { sock, ...options }),
      ]) {
        const sock = await listeningServer("tcp");
        await assert.rejects(listen(sock), { ...VALUE, message: new RegExp(`^${Object.keys(options)[0]} has no effect on a sock`) });
        assert.equal(sock.listening, false);
      }
    });
  }
});

describe("keepAlive of a server with a sock", () => {
  it("arms the probes of its connections, and TCP_NODELAY is set", async () => {
    const sock = await listeningServer("tcp");
    const set: unknown[] = [];
    const emit = sock.emit.bind(sock) as (event: string, ...args: unknown[]) => boolean;
    sock.emit = (event: string, ...args: unknown[]) => {
      if (event === "connection") {
        Object.assign(args[0] as net.Socket, {
          setKeepAlive: (enable: boolean) => void set.push(["keepAlive", enable]),
          setNoDelay: (noDelay: boolean) => void set.push(["noDelay", noDelay]),
        });
      }
      return emit(event, ...args);
    };
    await using server = await startServer((_reader, writer) => writer.close(), null, null, { sock, keepAlive: true });
    const [reader, writer] = await openConnection("127.0.0.1", (server.sockets[0]!.getsockname() as [string, number])[1]);
    await reader.read();
    writer.close();
    await writer.waitClosed();
    assert.deepEqual(set, [
      ["noDelay", true],
      ["keepAlive", true],
    ]);
  });
});

/** Node 26. Other runtimes have none, and take no other object for one. */
const { BoundSocket } = net as unknown as {
  BoundSocket?: new (options: object) => { address(): net.AddressInfo & string; fd(): number; close(): void };
};

describe("net.BoundSocket as sock", () => {
  it("is listened on and connected from, TCP and Unix", async () => {
    if (BoundSocket === undefined) {
      await assert.rejects(
        startServer(() => {}, null, null, { sock: {} as never }),
        { code: "ERR_INVALID_ARG_TYPE" },
      );
      return;
    }
    const bound = new BoundSocket({ host: "127.0.0.1" });
    const { port } = bound.address();
    const server = await startServer(
      (_reader, writer) => {
        writer.write(String((writer.getExtraInfo("peername") as [string, number])[1]));
        writer.close();
      },
      null,
      null,
      { sock: bound, startServing: false },
    );
    assert.deepEqual(server.sockets[0]!.getsockname(), ["127.0.0.1", port]);
    await server.startServing();
    const from = new BoundSocket({ host: "127.0.0.1" });
    const local = from.address().port;
    const [reader, writer] = await openConnection("localhost", port, { sock: from });
    assert.equal((await reader.read()).toString(), String(local));
    assert.deepEqual(writer.getExtraInfo("sockname"), ["127.0.0.1", local]);
    writer.close();
    await writer.waitClosed();
    await server.shutdown();

    const path = socketPath();
    const unix = await startUnixServer((_reader, client) => client.close(), null, { sock: new BoundSocket({ path }) });
    assert.equal(unix.sockets[0]!.getsockname(), path);
    const clientPath = socketPath("client.sock");
    const [unixReader, unixWriter] = await openUnixConnection(path, { sock: new BoundSocket({ path: clientPath }) });
    assert.equal((await unixReader.read()).length, 0);
    assert.equal(unixWriter.getExtraInfo("sockname"), clientPath);
    unixWriter.close();
    await unixWriter.waitClosed();
    await unix.shutdown();
    for (const file of [path, clientPath]) rmSync(file, { force: true });
  });

  it("is refused, and closed, where it cannot be used", async () => {
    if (BoundSocket === undefined) return;
    const tcp = (): InstanceType<typeof BoundSocket> => new BoundSocket({ host: "127.0.0.1" });
    for (const call of [
      (sock: never) => openConnection(null, null, { sock }),
      (sock: never) => openConnection("127.0.0.1", 9, { sock, localAddr: ["127.0.0.1", 0] }),
      (sock: never) => openConnection("::1", 9, { sock }),
      (sock: never) => openUnixConnection("/tmp/none.sock", { sock }),
      (sock: never) => startUnixServer(() => {}, null, { sock }),
      (sock: never) => startServer(() => {}, "127.0.0.1", 0, { sock }),
    ]) {
      const sock = tcp();
      await assert.rejects(call(sock as never), Error);
      assert.throws(() => sock.fd(), { code: "ERR_SOCKET_HANDLE_ADOPTED" });
      await assert.rejects(call(sock as never), Error);
    }
    const unserved = tcp();
    const server = await startServer(() => {}, null, null, { sock: unserved, startServing: false });
    await assert.rejects(
      startServer(() => {}, null, null, { sock: unserved }),
      { ...VALUE, message: /twice/ },
    );
    server.close();
    await server.waitClosed();
    assert.throws(() => unserved.fd(), { code: "ERR_SOCKET_HANDLE_ADOPTED" });
  });
});
