/** Listening over TCP: several hosts, families, and the options of the sockets. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import net from "node:net";
import { networkInterfaces } from "node:os";
import { describe, it } from "node:test";
import { openConnection, type Server, type StartServerOptions, type StreamReader, type StreamWriter, startServer } from "asyncio-streams";
import { needsLinux } from "../support/needs.js";
import { cannot, nodeMajor, runtime } from "../support/runtime.js";
import { until } from "../support/turns.js";

const hasIpv6 = Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === "::1"));

type Address = readonly [host: string, port: number];

const addressesOf = (server: Server): Address[] => server.sockets.map((socket) => socket.getsockname() as Address);

/** A port as `/proc/net/tcp` ends an address with it. */
const hex = (number: number): string => `:${number.toString(16).toUpperCase().padStart(4, "0")}`;

/** Says who was asked, and hangs up. */
function tellSockname(_reader: StreamReader, writer: StreamWriter): void {
  writer.write((writer.getExtraInfo("sockname") as Address)[0]);
  writer.close();
}

async function ask(host: string, port: number): Promise<string> {
  const [reader, writer] = await openConnection(host, port);
  const text = (await reader.read()).toString();
  writer.close();
  await writer.waitClosed();
  return text;
}

describe("startServer()", () => {
  it("listens on any free port, and has it in getsockname()", async () => {
    await using server = await startServer(tellSockname, "127.0.0.1", 0);
    const [[host, port] = ["", 0]] = addressesOf(server);
    assert.equal(host, "127.0.0.1");
    assert.ok(port > 0);
    assert.equal(server.sockets[0]!.family, "ipv4");
    assert.equal(await ask(host, port), "127.0.0.1");
  });

  it("takes a port of its own for 0 when the port is left out", async () => {
    await using server = await startServer(tellSockname, "127.0.0.1");
    assert.ok(addressesOf(server)[0]![1] > 0);
  });

  it("listens on each of several hosts", async () => {
    await using server = await startServer(tellSockname, ["127.0.0.1", "127.0.0.2", "127.0.0.3"], 0);
    const addresses = addressesOf(server);
    assert.deepEqual(
      addresses.map(([host]) => host),
      ["127.0.0.1", "127.0.0.2", "127.0.0.3"],
    );
    for (const [host, port] of addresses) assert.equal(await ask(host, port), host);
  });

  it("listens once on an address that is named twice", async () => {
    await using server = await startServer(tellSockname, ["127.0.0.1", "127.0.0.1"], 0);
    assert.equal(server.sockets.length, 1);
  });

  for (const host of [null, undefined, ""]) {
    it(`listens on every interface for ${JSON.stringify(host)}`, async () => {
      await using server = await startServer(tellSockname, host, 0);
      const addresses = addressesOf(server);
      assert.equal(addresses[0]![0], "0.0.0.0");
      for (const one of ["127.0.0.1", "127.0.0.2"]) assert.equal(await ask(one, addresses[0]![1]), one);
      if (hasIpv6) {
        assert.equal(addresses[1]![0], "::");
        assert.equal(await ask("::1", addresses[1]![1]), "::1");
      }
    });
  }

  it("listens on one family only, if asked", async () => {
    await using server = await startServer(tellSockname, null, 0, { family: 4 });
    assert.deepEqual(
      addressesOf(server).map(([host]) => host),
      ["0.0.0.0"],
    );
    if (hasIpv6) {
      await using server6 = await startServer(tellSockname, null, 0, { family: 6 });
      assert.deepEqual(
        server6.sockets.map(({ family }) => family),
        ["ipv6"],
      );
    }
  });

  it("gives IPv6 addresses in Python's form", { skip: hasIpv6 ? false : "no IPv6 here" }, async () => {
    await using server = await startServer(tellSockname, "::1", 0);
    const address = server.sockets[0]!.getsockname() as unknown as readonly [string, number, number, number];
    assert.deepEqual([address.length, address[0], address[2], address[3]], [4, "::1", 0, 0]);
    assert.equal(await ask("::1", address[1]), "::1");
  });

  it("closes all it has opened when one host fails", async () => {
    const taken = await startServer(() => {}, "127.0.0.2", 0);
    const [[, port] = ["", 0]] = addressesOf(taken);
    await assert.rejects(
      startServer(() => {}, ["127.0.0.1", "127.0.0.2"], port),
      { code: "EADDRINUSE" },
    );
    await using _ = await startServer(() => {}, "127.0.0.1", port);
    await taken.shutdown();
  });

  it("skips an address that this machine does not have if it has another", cannot("listen-error-codes", "deno"), async () => {
    await using server = await startServer(tellSockname, ["192.0.2.1", "127.0.0.1"], 0);
    assert.deepEqual(
      addressesOf(server).map(([host]) => host),
      ["127.0.0.1"],
    );
  });

  it("keeps the listening sockets' addresses readable after close()", async () => {
    const server = await startServer(() => {}, "127.0.0.1", 0);
    const [socket] = server.sockets;
    const address = socket!.getsockname();
    server.close();
    assert.deepEqual(socket!.getsockname(), address);
    await server.waitClosed();
  });

  it("sets TCP_NODELAY on accepted connections", async () => {
    // A socket does not tell of the option, so the calls that set it are watched.
    const { createServer } = net;
    const setNoDelay: (on: boolean) => net.Socket = Reflect.get(net.Socket.prototype, "setNoDelay");
    let noDelay = false;
    net.createServer = ((options?: net.ServerOpts, ...rest: []) => {
      noDelay ||= options?.noDelay === true;
      return createServer(options, ...rest);
    }) as typeof createServer;
    try {
      await using server = await startServer(tellSockname, "127.0.0.1", 0);
      const client = net.connect(addressesOf(server)[0]![1], "127.0.0.1").resume();
      net.Socket.prototype.setNoDelay = function watchedSetNoDelay(this: net.Socket, on: boolean = true) {
        noDelay ||= on && this !== client;
        return setNoDelay.call(this, on);
      };
      await once(client, "close");
    } finally {
      net.createServer = createServer;
      net.Socket.prototype.setNoDelay = setNoDelay;
    }
    assert.equal(noDelay, true);
  });

  it("keepAlive arms the probes of accepted connections", needsLinux, async () => {
    for (const keepAlive of [true, false]) {
      await using server = await startServer(
        async (reader, writer) => {
          await reader.read();
          writer.close();
        },
        "127.0.0.1",
        0,
        { keepAlive },
      );
      const [[host, port] = ["", 0]] = addressesOf(server);
      const [reader, writer] = await openConnection(host, port);
      const clientPort = (writer.getExtraInfo("sockname") as Address)[1];
      // sl local_address rem_address st tx_queue:rx_queue tr:tm->when: a timer of kind 02 is that of the probes.
      const timer = (): string | undefined =>
        readFileSync("/proc/self/net/tcp", "latin1")
          .split("\n")
          .map((line) => line.trim().split(/\s+/))
          .find((columns) => columns[1]?.endsWith(hex(port)) && columns[2]?.endsWith(hex(clientPort)))?.[5]
          ?.slice(0, 2);
      await until(() => timer() !== undefined);
      assert.equal(timer() === "02", keepAlive);
      writer.writeEof();
      assert.equal((await reader.read()).length, 0);
      writer.close();
      await writer.waitClosed();
    }
  });
});

const serve = (name: string, port: number, options: StartServerOptions): Promise<Server> =>
  startServer(
    (_reader, writer) => {
      writer.write(name);
      writer.close();
    },
    "127.0.0.1",
    port,
    options,
  );

describe("reusePort", () => {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const supported = (major === 22 && minor >= 12) || major >= 24;

  it("lets two servers share a port if the runtime supports it, and is refused otherwise", async () => {
    if (!supported) {
      assert.equal(runtime, "node");
      assert.ok(nodeMajor < 22);
      await assert.rejects(serve("one", 0, { reusePort: true }), {
        name: "TypeError",
        code: "ERR_INVALID_ARG_VALUE",
        message: new RegExp(`reusePort.*${process.versions.node}`),
      });
      return;
    }
    const one = await serve("one", 0, { reusePort: true });
    const [[host, port] = ["", 0]] = addressesOf(one);
    const two = await serve("two", port, { reusePort: true });
    await one.shutdown();
    assert.equal(await ask(host, port), "two");
    await two.shutdown();
  });

  it("is off by default: the port is one server's", async () => {
    await using one = await serve("one", 0, {});
    await assert.rejects(serve("two", addressesOf(one)[0]![1], {}), { code: "EADDRINUSE" });
  });

  it("reuseAddress: true changes nothing: a port can be taken again at once", async () => {
    const one = await serve("one", 0, { reuseAddress: true });
    const [[host, port] = ["", 0]] = addressesOf(one);
    assert.equal(await ask(host, port), "one");
    await one.shutdown();
    const two = await serve("two", port, { reuseAddress: true });
    assert.equal(await ask(host, port), "two");
    await two.shutdown();
  });
});
