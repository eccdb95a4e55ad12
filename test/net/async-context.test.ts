/** `AsyncLocalStorage`: the context in which the callbacks of a connection run is that of whoever started the server, or opened the connection. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type net from "node:net";
import { describe, it } from "node:test";
import {
  BaseProtocol,
  createConnection,
  createServer,
  createUnixConnection,
  createUnixServer,
  type Server,
  type StreamReader,
  type StreamWriter,
  startServer,
  startUnixServer,
  type Transport,
} from "asyncio-streams";
import { openTo } from "../support/addresses.js";
import { listeningServer } from "../support/bare-sockets.js";
import { identity, trust } from "../support/certificates.js";
import { tcp, unix } from "../support/pairs.js";
import { socketPath } from "../support/temporary.js";
import { until } from "../support/turns.js";

const storage = new AsyncLocalStorage<string>();
const context = (): string => storage.getStore() ?? "none";

/** What the runtime calls for events later on. Deno 2.9: has no context in the events of sockets. Bun 1.4: has the one in which the connected or listening socket was made. */
const { deno, bun } = process.versions;
const eventsHaveContext = deno === undefined;
const eventsCanMove = eventsHaveContext && bun === undefined;

/** Notes the context of each call, in the order of the first ones. */
class Noting extends BaseProtocol {
  readonly seen: Map<string, Set<string>> = new Map();
  transport!: Transport;
  lost = false;

  note(name: string): void {
    const contexts = this.seen.get(name) ?? new Set();
    this.seen.set(name, contexts.add(context()));
  }

  override connectionMade(transport: Transport): void {
    this.transport = transport;
    this.note("connectionMade");
  }
  override dataReceived(data: Buffer): void {
    this.note("dataReceived");
    // As a program does that has a context of its own for each request.
    storage.run("a request", () => this.transport.write(data));
  }
  override eofReceived(): boolean {
    this.note("eofReceived");
    return false;
  }
  override connectionLost(): void {
    this.note("connectionLost");
    this.lost = true;
  }
}

const START = ["connectionMade"];
const EVENTS = [...START, "dataReceived", "eofReceived", "connectionLost"];

/** @param moved whether the socket itself was made in another context */
function checkContexts(protocols: readonly Noting[], expected: string, moved: boolean): void {
  const names = eventsCanMove || (eventsHaveContext && !moved) ? EVENTS : START;
  for (const { seen } of protocols) {
    const found = names.map((name) => [name, [...(seen.get(name) ?? [])]]);
    assert.deepEqual(
      found,
      names.map((name) => [name, [expected]]),
    );
  }
}

interface Started {
  readonly server: Server;
  readonly protocols: Noting[];
  readonly factories: string[];
}

type Start = (factory: () => Noting, options: { maxConnections: number; startServing?: boolean }) => Promise<Server>;

const STARTS: Readonly<Record<string, Start>> = {
  Unix: (factory, options) => createUnixServer(factory, socketPath(), options),
  TCP: (factory, options) => createServer(factory, "127.0.0.1", 0, options),
  "TLS over Unix": (factory, options) => createUnixServer(factory, socketPath(), { ...options, ssl: identity("server") }),
  "TLS over TCP": (factory, options) => createServer(factory, "127.0.0.1", 0, { ...options, ssl: identity("server") }),
  "an adopted Unix server": async (factory, options) =>
    createUnixServer(factory, null, {
      ...options,
      cleanupSocket: true,
      sock: await storage.run("the other maker", () => listeningServer("unix")),
    }),
  "an adopted TCP server": async (factory, options) =>
    createServer(factory, null, null, { ...options, sock: await storage.run("the other maker", () => listeningServer("tcp")) }),
};

/** @param maker the context of the call; `null`: it has none */
async function start(begin: Start, startServing: boolean = true, maker: string | null = "the server"): Promise<Started> {
  const protocols: Noting[] = [];
  const factories: string[] = [];
  const factory = (): Noting => {
    factories.push(context());
    protocols.push(new Noting());
    return protocols.at(-1)!;
  };
  const make = (): Promise<Server> => begin(factory, { maxConnections: 1, startServing });
  const server = await (maker === null ? make() : storage.run(maker, make));
  return { server, protocols, factories };
}

/** Three clients that come at once, and are served one after the other. */
async function visit(server: Server, secured: boolean, name: string = "client"): Promise<void> {
  const address = server.sockets[0]!.getsockname();
  const tls = secured ? { ssl: trust, serverHostname: "localhost" } : {};
  const one = (index: number): Promise<void> =>
    storage.run(`${name} ${index}`, async () => {
      const [reader, writer] = await openTo(address, tls);
      writer.write("line\n");
      assert.equal((await reader.readline()).toString(), "line\n");
      if (secured) writer.close();
      else writer.writeEof();
      await reader.read();
      writer.close();
      await writer.waitClosed();
    });
  await Promise.all([one(0), one(1), one(2)]);
}

for (const [name, begin] of Object.entries(STARTS)) {
  describe(`the context of a server over ${name}`, () => {
    const secured = name.startsWith("TLS");
    const adopted = name.startsWith("an adopted");

    /** Serves three clients, checks the context of every call, and ends the server. */
    async function checkVisit({ server, protocols, factories }: Started, expected: string, moved: boolean): Promise<void> {
      await visit(server, secured);
      await until(() => protocols.length === 3 && protocols.every(({ lost }) => lost));
      assert.deepEqual(factories, [expected, expected, expected]);
      checkContexts(protocols, expected, moved);
      await server.shutdown();
    }

    it("is the one of its start, for every callback of every client, also of queued clients", async () => {
      await checkVisit(await start(begin), "the server", adopted);
    });

    it("is the same while net.server.socket has a subscriber", async () => {
      const watch = (): void => {};
      subscribe("net.server.socket", watch);
      try {
        await checkVisit(await start(begin), "the server", adopted);
      } finally {
        unsubscribe("net.server.socket", watch);
      }
    });

    it("is none if the server was started in none, whatever context the clients have", async () => {
      await checkVisit(await start(begin, true, null), "none", adopted);
    });

    for (const [maker, starter] of [
      ["the server", "the starter"],
      [null, "the starter"],
      ["the server", null],
    ] as const) {
      it(`is that of startServing(): ${starter ?? "none"}, if the server was made in ${maker ?? "none"}`, async () => {
        const started = await start(begin, false, maker);
        await (starter === null ? started.server.startServing() : storage.run(starter, () => started.server.startServing()));
        await checkVisit(started, starter ?? "none", true);
      });
    }
  });
}

for (const kind of [unix, tcp]) {
  describe(`the context of a callback over ${kind.name}`, () => {
    const startIn = (
      callback: (reader: StreamReader, writer: StreamWriter) => unknown,
      options: { maxConnections?: number; onClientError?: () => void },
    ): Promise<Awaited<ReturnType<typeof kind.serve>>> => storage.run("the server", () => kind.serve(callback as never, options));

    it("is the server's, and so is that of onClientError", async () => {
      const seen: string[] = [];
      const { server, connect } = await startIn(
        async (reader, _writer) => {
          seen.push(context());
          await reader.readline();
          throw new Error("a callback failed");
        },
        { maxConnections: 1, onClientError: () => seen.push(context()) },
      );
      const one = async (): Promise<void> => {
        const [reader, writer] = await connect();
        writer.write("line\n");
        await reader.read().catch(() => {});
        writer.close();
        await writer.waitClosed().catch(() => {});
      };
      await storage.run("the clients", () => Promise.all([one(), one()]));
      assert.deepEqual(seen, ["the server", "the server", "the server", "the server"]);
      await server.shutdown();
    });
  });
}

describe("the context of shutdownRequested()", () => {
  it("is the server's, whatever the context of shutdown()", async () => {
    const seen: string[] = [];
    class Asked extends Noting {
      shutdownRequested(): void {
        seen.push(context());
        this.transport.abort();
      }
    }
    const path = socketPath();
    const protocols: Asked[] = [];
    const factory = (): Asked => {
      protocols.push(new Asked());
      return protocols.at(-1)!;
    };
    const server = await storage.run("the server", () => createUnixServer(factory, path));
    const [transport] = await createUnixConnection(() => new Noting(), path);
    await until(() => protocols.length === 1);
    await storage.run("the operator", () => server.shutdown());
    assert.deepEqual(seen, ["the server"]);
    transport.abort();
  });
});

describe("the context of a connection", () => {
  const ends: Readonly<Record<string, (factory: () => Noting) => Promise<Server>>> = {
    Unix: async () => startUnixServer(echoOnce, socketPath()),
    TCP: async () => startServer(echoOnce, "127.0.0.1", 0),
    TLS: async () => startServer(echoOnce, "127.0.0.1", 0, { ssl: identity("server") }),
  };

  async function echoOnce(reader: StreamReader, writer: StreamWriter): Promise<void> {
    writer.write(await reader.readline());
    writer.close();
  }

  /** Says a line, and is told the end. */
  class Asking extends Noting {
    override dataReceived(): void {
      this.note("dataReceived");
    }
  }

  for (const [name, serve] of Object.entries(ends)) {
    it(`is that of the call that opened it, over ${name}`, async () => {
      const server = await serve(() => new Noting());
      const address = server.sockets[0]!.getsockname();
      const tls = name === "TLS" ? { ssl: trust, serverHostname: "localhost" } : {};
      const [transport, protocol] = await storage.run("the caller", () =>
        typeof address === "string"
          ? createUnixConnection(() => new Asking(), address)
          : createConnection(() => new Asking(), address[0], address[1], tls),
      );
      storage.run("another", () => transport.write("line\n"));
      await until(() => protocol.lost);
      checkContexts([protocol], "the caller", false);
      await server.shutdown();
    });
  }

  it("is that of the call that took over a socket", async () => {
    const server = await startServer(echoOnce, "127.0.0.1", 0);
    const [host, port] = server.sockets[0]!.getsockname() as readonly [string, number];
    const { default: nodeNet } = await import("node:net");
    const sock: net.Socket = storage.run("the other maker", () => nodeNet.connect(port, host));
    await new Promise((done) => sock.once("connect", done));
    const [transport, protocol] = await storage.run("the caller", () => createConnection(() => new Asking(), null, null, { sock }));
    transport.write("line\n");
    await until(() => protocol.lost);
    checkContexts([protocol], "the caller", true);
    await server.shutdown();
  });
});
