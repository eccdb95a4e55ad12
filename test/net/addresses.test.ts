/** Addresses: of a client that has gone, of link-local IPv6 addresses, and what a resolver may answer. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { networkInterfaces } from "node:os";
import { describe, it } from "node:test";
import { openConnection, type Server, type SocketAddress, type StreamReader, type StreamWriter, startServer } from "asyncio-streams";
import { scopeIdOf, withNamedZone } from "#src/transports/interface-zones.js";
import { ConnectedSocket, ipAddress } from "#src/transports/socket-info.js";
import { bareServer, listeningServer } from "../support/bare-sockets.js";
import { Child, scriptCommand } from "../support/child.js";
import { type Need, needs, needsLinux } from "../support/needs.js";
import { findPython } from "../support/python.js";
import { cannot, runtime } from "../support/runtime.js";
import { until } from "../support/turns.js";
import { withAnswer } from "./fake-lookup.js";

const python = findPython();
const hasIpv6 = Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === "::1"));

/** Connects, prints its port and resets the connection. */
const RESET = `import socket, struct, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)); print(s.getsockname()[1]); s.close()`;

describe("the addresses of a client that has gone before it is accepted", () => {
  for (const [host, family] of [
    ["127.0.0.1", "ipv4"],
    ["::1", "ipv6"],
  ] as const) {
    const skip: Need = { skip: family === "ipv6" && !hasIpv6 && "no IPv6 here" };
    for (const how of ["a server of its own", "an adopted server"]) {
      it(`are the true ones or null: ${family}, ${how}`, needs(skip, python), async () => {
        const seen: { peername: SocketAddress | null; sockname: SocketAddress | null; family: string }[] = [];
        const callback = (_reader: StreamReader, writer: StreamWriter): void => {
          const socket = writer.getExtraInfo("socket")!;
          assert.deepEqual(socket.getpeername(), writer.getExtraInfo("peername"));
          seen.push({ peername: socket.getpeername(), sockname: writer.getExtraInfo("sockname"), family: socket.family });
          writer.close();
        };
        let failed = 0;
        const options = { onClientError: () => void (failed += 1) };
        const server =
          how === "an adopted server" && family === "ipv4"
            ? await startServer(callback, null, null, { ...options, sock: await listeningServer("tcp") })
            : await startServer(callback, host, 0, options);
        const port = server.sockets[0]!.getsockname()[1] as number;
        const { stdout } = spawnSync(python.binary, ["-c", RESET, host, String(port)]); // meanwhile, this process does nothing else
        await until(() => seen.length + failed > 0);
        for (const { peername, sockname, family: told } of seen) {
          if (peername !== null) assert.deepEqual(peername.slice(0, 2), [host, Number(stdout)]);
          assert.deepEqual(sockname?.slice(0, 2), [host, port]);
          assert.equal(told, family);
        }
        await server.shutdown();
      });
    }
  }
});

describe("ConnectedSocket", () => {
  it("knows no address where the runtime knows none", () => {
    const socket = new ConnectedSocket({ facts: { setNoDelay: () => {}, setKeepAlive: () => {} }, fd: -1 }, null);
    assert.equal(socket.getpeername(), null);
    assert.equal(socket.sockname, null);
    assert.throws(() => socket.getsockname(), { name: "InvalidStateError", message: /address/ });
  });
});

describe("the scope id of an address", () => {
  it("is 0 where an address needs none", () => {
    assert.deepEqual(ipAddress("::1", 80), ["::1", 80, 0, 0]);
    assert.deepEqual(ipAddress("::ffff:127.0.0.1", 80), ["::ffff:127.0.0.1", 80, 0, 0]);
    assert.deepEqual(ipAddress("2001:db8::1", 80, "fe80::1%7"), ["2001:db8::1", 80, 0, 0]);
  });

  it("is the number of the zone, and of the peer's zone that of our own", () => {
    assert.deepEqual(ipAddress("fe80::1%7", 80), ["fe80::1", 80, 0, 7]);
    assert.deepEqual(ipAddress("fe80::2", 80, "fe80::1%7"), ["fe80::2", 80, 0, 7]);
  });

  it("is 0 for an interface that this machine does not have, and its number is left as it is", () => {
    assert.equal(scopeIdOf("fe80::1", "no-such-interface"), 0);
    assert.equal(scopeIdOf("fe80::dead:beef", undefined), 0);
    assert.equal(withNamedZone("fe80::1%123456"), "fe80::1%123456");
    assert.equal(withNamedZone("fe80::1%eth0"), "fe80::1%eth0");
  });
});

/** In a network namespace of its own, the loopback interface can be given a link-local address. */
const IN_NAMESPACE =
  "ip link set lo up && ip addr add fe80::7/64 dev lo scope link nodad && ip addr add fe80::8/64 dev lo scope link nodad";
const needsNamespace: Need = {
  skip: spawnSync("unshare", ["-rn", "sh", "-c", IN_NAMESPACE]).status !== 0 && "needs network namespaces (unshare) and the ip command",
};

describe("link-local addresses", () => {
  it(
    "have their interface's number as scope id, and are reached by its name and its number",
    needs(needsLinux, needsNamespace, cannot("link-local-addresses", "deno")),
    async () => {
      const command = ["unshare", "-rn", "sh", "-c", `${IN_NAMESPACE}; exec "$@"`, "sh", ...scriptCommand("net/link-local-child")];
      await using child = new Child(command);
      const scoped = (address: string, port: unknown): unknown => [address, port, 0, 1]; // lo is the first interface
      for (let index = 0; index < 2; index += 1) {
        const told = await child.next<{ listening: SocketAddress; served: SocketAddress[]; connected: SocketAddress[] }>();
        const port = told.listening[1];
        const clientPort = told.connected[0]![1];
        assert.deepEqual(told.listening, scoped("fe80::7", port));
        assert.deepEqual(told.connected, [scoped("fe80::8", clientPort), scoped("fe80::7", port)]);
        assert.deepEqual(told.served, [scoped("fe80::7", port), scoped("fe80::8", clientPort)]);
      }
      await child.ended;
    },
  );
});

describe("localAddr with several addresses", () => {
  it("is bound to the first that this machine has, as in asyncio", async () => {
    await using far = await bareServer();
    const answer = ["192.0.2.7", "::1", "192.0.2.8", "127.0.0.2"].map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
    await withAnswer(
      () => answer,
      async () => {
        const [, writer] = await openConnection("127.0.0.1", far.port, { localAddr: ["me.test", 0] });
        assert.equal(writer.getExtraInfo("sockname")![0], "127.0.0.2");
        writer.close();
        await writer.waitClosed();
      },
    );
  });

  it("gives the error of the last one if none can be bound", async () => {
    await using far = await bareServer();
    await withAnswer(
      () => ["192.0.2.7", "192.0.2.8"],
      () =>
        assert.rejects(openConnection("127.0.0.1", far.port, { localAddr: ["me.test", 0] }), {
          code: runtime === "deno" ? "EINVAL" : "EADDRNOTAVAIL", // Deno: reports EINVAL, as for listening on such an address
          message: runtime === "bun" ? /127\.0\.0\.1/ : /192\.0\.2\.8/, // Bun: names the address to connect to
        }),
    );
  });

  it("is not tried again where connecting fails", async () => {
    const { port, ...far } = await bareServer();
    await far[Symbol.asyncDispose]();
    await withAnswer(
      () => ["127.0.0.2", "127.0.0.3"],
      () =>
        assert.rejects(openConnection("127.0.0.1", port, { localAddr: ["me.test", 0] }), { code: "ECONNREFUSED", message: /127\.0\.0\.1/ }),
    );
  });
});

const calls: Readonly<Record<string, (signal?: AbortSignal) => Promise<unknown>>> = {
  openConnection: (signal) => openConnection("nothing.test", 9, { signal }),
  "openConnection, staggered": (signal) => openConnection("nothing.test", 9, { signal, happyEyeballsDelay: 1 }),
  "openConnection, localAddr": (signal) => openConnection("127.0.0.1", 9, { signal, localAddr: ["nothing.test", 0] }),
  startServer: (signal) => startServer(() => {}, "nothing.test", 0, { signal }),
  "startServer, several": (signal): Promise<Server> => startServer(() => {}, ["127.0.0.1", "nothing.test"], 0, { signal }),
};

describe("a resolver", () => {
  for (const [what, call] of Object.entries(calls)) {
    for (const [kind, answer, message] of [
      ["an empty list", () => [], /an empty list/],
      ["an empty list, later", async () => [], /an empty list/],
      ["nothing", () => undefined, /undefined/],
      ["null", async () => null, /null/],
      ["a number", () => 5, /5/],
      ["addresses that are none", () => [{ address: "not an address", family: 4 }, { address: 5 }, null], /usable address/],
      [
        "a thenable",
        // oxlint-disable-next-line unicorn/no-thenable -- the resolver of a program may return one
        () => ({ then: (done: (value: unknown) => void) => (done([]), done([{ address: "127.0.0.1", family: 4 }])) }),
        /an empty list/,
      ],
    ] as const) {
      it(`that answers with ${kind} is an error that names the host: ${what}`, async () => {
        await withAnswer(answer, () =>
          assert.rejects(call(), (error: NodeJS.ErrnoException) => {
            assert.equal(error.code, "ENOTFOUND");
            assert.match(error.message, /'nothing\.test'/);
            assert.match(error.message, message);
            return true;
          }),
        );
      });
    }

    it(`that throws, or rejects with something that is no error, is an error: ${what}`, async () => {
      const failure = new Error("on purpose");
      for (const answer of [() => Promise.reject(failure), () => thrower(failure)])
        await withAnswer(answer, () => assert.rejects(call(), (error) => error === failure));
      await withAnswer(
        () => thrower(5),
        () => assert.rejects(call(), { code: "ERR_NOT_AN_ERROR", message: /resolver threw.* 5/ }),
      );
    });

    it(`that rejects with an error of the system that does not name the host is one that does: ${what}`, async () => {
      const failure = Object.assign(new Error("getaddrinfo ENOTFOUND"), { code: "ENOTFOUND", syscall: "getaddrinfo" });
      await withAnswer(
        () => Promise.reject(failure),
        () => assert.rejects(call(), { code: "ENOTFOUND", message: /'nothing\.test'/, cause: failure }),
      );
      const named = Object.assign(new Error("getaddrinfo EAI_AGAIN nothing.test"), { code: "EAI_AGAIN", syscall: "getaddrinfo" });
      await withAnswer(
        () => Promise.reject(named),
        () => assert.rejects(call(), (error) => error === named),
      );
    });

    it(`that never answers ends with the signal: ${what}`, async () => {
      const controller = new AbortController();
      await withAnswer(
        () => new Promise(() => {}),
        async () => {
          const calling = call(controller.signal);
          controller.abort(new Error("never mind"));
          await assert.rejects(calling, { message: "never mind" });
        },
      );
    });
  }

  it("may answer with one address, with text, or with addresses of another family, which are left out", async () => {
    await using far = await bareServer();
    for (const answer of [{ address: "127.0.0.1", family: 4 }, "127.0.0.1", ["::1", { address: "127.0.0.1", family: "IPv4" }]]) {
      await withAnswer(
        () => answer,
        async () => {
          const [, writer] = await openConnection("name.test", far.port, { family: 4 });
          assert.deepEqual(writer.getExtraInfo("peername"), ["127.0.0.1", far.port]);
          writer.close();
          await writer.waitClosed();
        },
      );
    }
  });
});

function thrower(thrown: unknown): never {
  throw thrown;
}
