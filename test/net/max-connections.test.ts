/** `maxConnections` and `backlog`. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { describe, it } from "node:test";
import {
  type ClientConnectedCallback,
  type Server,
  type StartServerOptions,
  type StreamReader,
  type StreamWriter,
  startServer,
  startUnixServer,
} from "asyncio-streams";
import { abortAll } from "../support/abort-all.js";
import { openTo } from "../support/addresses.js";
import { listeningServer } from "../support/bare-sockets.js";
import { identity, trust } from "../support/certificates.js";
import { type Kind, kinds, tcp, unix } from "../support/pairs.js";
import { isSettled, turns, until } from "../support/turns.js";

type Client = [StreamReader, StreamWriter];

const hangUp = (clients: readonly Client[]): Promise<void> => abortAll(clients.map(([, writer]) => writer));

/** A callback that echoes a line at a time and counts whom it serves. */
function counting(): { serve: (reader: StreamReader, writer: StreamWriter) => Promise<void>; now: () => number; most: () => number } {
  const writers: StreamWriter[] = [];
  let most = 0;
  const now = (): number => writers.filter((writer) => !writer.isClosing()).length;
  return {
    now,
    most: () => most,
    async serve(reader, writer) {
      writers.push(writer);
      most = Math.max(most, now());
      for await (const line of reader) writer.write(line);
      writer.close();
    },
  };
}

for (const kind of kinds) {
  describe(`maxConnections over ${kind.name}`, () => {
    it("queues further clients, and serves them in turn with the bytes they have sent", async () => {
      const { serve, now } = counting();
      const { server, connect } = await kind.serve(serve, { maxConnections: 2 });
      const clients: Client[] = [];
      for (const name of ["one", "two", "three", "four"]) {
        const client = await connect();
        client[1].write(`${name}\n`);
        clients.push(client);
      }
      const [one, two, three, four] = clients as [Client, Client, Client, Client];
      assert.equal((await one[0].readline()).toString(), "one\n");
      assert.equal((await two[0].readline()).toString(), "two\n");
      await turns(10);
      assert.equal(now(), 2);
      one[1].close();
      assert.equal((await three[0].readline()).toString(), "three\n");
      two[1].close();
      assert.equal((await four[0].readline()).toString(), "four\n");
      await hangUp(clients);
      await server.shutdown();
    });

    it("is never exceeded", async () => {
      const { serve, most } = counting();
      const { server, connect } = await kind.serve(serve, { maxConnections: 3 });
      await Promise.all(
        Array.from({ length: 30 }, async (_, index) => {
          const [reader, writer] = await connect();
          writer.write(`${index}\n`);
          assert.equal((await reader.readline()).toString(), `${index}\n`);
          writer.close();
          await writer.waitClosed();
        }),
      );
      assert.equal(most(), 3);
      await server.shutdown();
    });

    it("closes clients above the maximum and the backlog", async () => {
      const { serve, now } = counting();
      const { server, connect } = await kind.serve(serve, { maxConnections: 1, backlog: 1 });
      const served = await connect();
      await until(() => now() === 1);
      const waiting = await connect();
      await turns(10);
      const refused = await connect().catch(() => null);
      if (refused !== null) assert.equal((await refused[0].read().catch(() => Buffer.alloc(0))).length, 0);
      waiting[1].write("still waiting\n");
      served[1].close();
      assert.equal((await waiting[0].readline()).toString(), "still waiting\n");
      await hangUp([served, waiting, ...(refused === null ? [] : [refused])]);
      await server.shutdown();
    });

    it("skips a queued client that has left", async () => {
      const { serve, now } = counting();
      const { server, connect } = await kind.serve(serve, { maxConnections: 1 });
      const served = await connect();
      await until(() => now() === 1);
      const gone = await connect();
      await hangUp([gone]);
      const last = await connect();
      last[1].write("last\n");
      await turns(10);
      served[1].close();
      assert.equal((await last[0].readline()).toString(), "last\n");
      await hangUp([served, last]);
      await server.shutdown();
    });

    it("close() leaves queued clients: they are still served, and waitClosed() waits for them", async () => {
      const { serve, now } = counting();
      const { server, connect } = await kind.serve(serve, { maxConnections: 1 });
      const served = await connect();
      await until(() => now() === 1);
      const waiting = await connect();
      await turns(10);
      server.close();
      const closed = server.waitClosed();
      served[1].close();
      waiting[1].write("served\n");
      assert.equal((await waiting[0].readline()).toString(), "served\n");
      assert.equal(await isSettled(closed), false);
      waiting[1].close();
      await closed;
      await hangUp([served, waiting]);
    });

    for (const end of ["closeClients", "abortClients"] as const) {
      it(`${end}() ends queued clients, too`, async () => {
        const { serve, now } = counting();
        const { server, connect } = await kind.serve(serve, { maxConnections: 1 });
        const clients = [await connect()];
        await until(() => now() === 1);
        clients.push(await connect());
        await turns(10);
        server[end]();
        for (const [reader] of clients) assert.equal((await reader.read().catch(() => Buffer.alloc(0))).length, 0);
        server.close();
        await server.waitClosed();
        await hangUp(clients);
      });
    }

    it("a backlog of 0 is taken", async () => {
      const { serve } = counting();
      const { server, connect } = await kind.serve(serve, { backlog: 0 });
      const client = await connect();
      client[1].write("line\n");
      assert.equal((await client[0].readline()).toString(), "line\n");
      await hangUp([client]);
      await server.shutdown();
    });
  });
}

// ---- clients that leave while they wait ------------------------------------------------------------------------------------------

/** Deno: shows nothing of a Unix socket that is not read from. */
const noticesUnix = process.versions["deno"] === undefined;

type Serve = (callback: ClientConnectedCallback, options: StartServerOptions) => Promise<Server>;

const kindsOfServers: readonly { readonly name: string; readonly kind: Kind; readonly secured: boolean; readonly serve: Serve }[] = [
  ...kinds.flatMap((kind) =>
    [false, true].map((secured) => ({
      name: secured ? `TLS over ${kind.name}` : kind.name,
      kind,
      secured,
      serve: async (callback: ClientConnectedCallback, options: StartServerOptions) => {
        const ssl = secured ? { ssl: identity("server") } : {};
        return (await kind.serve(callback, { ...options, ...ssl })).server;
      },
    })),
  ),
  {
    name: "an adopted Unix server",
    kind: unix,
    secured: false,
    serve: async (callback, options) =>
      startUnixServer(callback, null, { ...options, sock: await listeningServer("unix"), cleanupSocket: true }),
  },
  {
    name: "an adopted TCP server",
    kind: tcp,
    secured: false,
    serve: async (callback, options) => startServer(callback, null, null, { ...options, sock: await listeningServer("tcp") }),
  },
];

/** A client of `node:net`. */
async function bareClient(server: Server): Promise<net.Socket> {
  const address = server.sockets[0]!.getsockname();
  const socket = net.connect(
    typeof address === "string" ? { path: address, allowHalfOpen: true } : { host: address[0], port: address[1], allowHalfOpen: true },
  );
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

/** Leaves so that the other end is told: by a reset over TCP. */
async function leave(socket: net.Socket, kind: Kind): Promise<void> {
  const closed = once(socket, "close");
  if (kind === tcp) socket.resetAndDestroy();
  else socket.destroy();
  await closed;
  await turns(10);
}

const waits = (server: Server, count: number): Promise<void> => until(() => server.getStats().waiting === count);

for (const { name, kind, secured, serve } of kindsOfServers) {
  const notices = kind === tcp || noticesUnix;
  const connect = (server: Server): Promise<Client> =>
    openTo(server.sockets[0]!.getsockname(), secured ? { ssl: trust, serverHostname: "localhost" } : {});

  /** A server with one client that is being served. */
  async function occupied(backlog: number): Promise<{ server: Server; served: string[]; first: Client }> {
    const served: string[] = [];
    const server = await serve(
      async (reader, writer) => {
        const line = (await reader.readline().catch((error: Error) => error.message)).toString();
        served.push(line);
        writer.write(line);
        writer.close();
      },
      { maxConnections: 1, backlog },
    );
    const first = await connect(server);
    await until(() => server.getStats().active === 1);
    return { server, served, first };
  }

  async function finish([reader, writer]: Client, line: string): Promise<void> {
    writer.write(line);
    assert.equal((await reader.read()).toString(), line);
    writer.close();
    await writer.waitClosed();
  }

  describe(`a client that leaves the queue of ${name}`, { skip: !notices && "this runtime does not tell" }, () => {
    it("is skipped: the callback is not called for it", async () => {
      const { server, served, first } = await occupied(10);
      for (let index = 1; index <= 3; index += 1) {
        const gone = await bareClient(server);
        // What it has sent goes with it.
        if (index === 2) gone.write("never read\n");
        await until(() => server.getStats().accepted === index + 1);
        await leave(gone, kind);
      }
      const last = connect(server);
      await until(() => server.getStats().accepted === 5);
      await finish(first, "first\n");
      await finish(await last, "last\n");
      assert.deepEqual(served, ["first\n", "last\n"]);
      const { waiting, refused, failed } = server.getStats();
      assert.deepEqual({ waiting, refused, failed }, { waiting: 0, refused: 0, failed: 0 });
      await server.shutdown();
    });

    it("frees its place for a new client; without a free place, a new client is closed", async () => {
      const { server, served, first } = await occupied(2);
      const gone = [await bareClient(server), await bareClient(server)];
      await waits(server, 2);
      const refused = await bareClient(server);
      await until(() => server.getStats().refused === 1);
      for (const socket of gone) await leave(socket, kind);
      const kept = connect(server);
      await until(() => server.getStats().accepted === 5);
      const { waiting, refused: count } = server.getStats();
      assert.deepEqual({ waiting, refused: count }, { waiting: 1, refused: 1 });
      await finish(first, "first\n");
      await finish(await kept, "kept\n");
      assert.deepEqual(served, ["first\n", "kept\n"]);
      refused.destroy();
      await server.shutdown();
    });

    it("counts neither as finished nor as aborted in the result of shutdown()", async () => {
      for (const hurried of [false, true]) {
        const { server, served, first } = await occupied(10);
        const gone = await bareClient(server);
        await waits(server, 1);
        await leave(gone, kind);
        const ended = server.shutdown(hurried ? { signal: AbortSignal.abort() } : {});
        await first[0].read().catch(() => {});
        await hangUp([first]);
        assert.deepEqual(await ended, hurried ? { finished: 0, aborted: 1 } : { finished: 1, aborted: 0 });
        assert.equal(served.length, 1);
      }
    });
  });

  describe(`a client in the queue of ${name}`, { skip: secured && "a bare client does not speak TLS" }, () => {
    it("that has ended its side is served with the bytes it sent before", async () => {
      const { server, served, first } = await occupied(10);
      const half = await bareClient(server);
      const answer: Buffer[] = [];
      half.on("data", (chunk: Buffer) => answer.push(chunk)).end("a request\n");
      const silent = await bareClient(server);
      silent.resume().end();
      await waits(server, 2);
      await turns(10);
      const closed = Promise.all([once(half, "close"), once(silent, "close")]);
      await finish(first, "first\n");
      await closed;
      assert.equal(Buffer.concat(answer).toString(), "a request\n");
      assert.deepEqual(served, ["first\n", "a request\n", ""]);
      await server.shutdown();
    });

    it("that looks the same is served, too: it is at EOF", {
      skip: notices && kind === unix && "it can be told",
    }, async () => {
      const { server, served, first } = await occupied(10);
      const closed = await bareClient(server);
      await waits(server, 1);
      closed.destroy();
      await turns(10);
      await finish(first, "first\n");
      await until(() => served.length === 2);
      assert.deepEqual(served, ["first\n", ""]);
      await server.shutdown();
    });
  });
}

describe("a program that listens for SIGPIPE", () => {
  it("is not ended by a client that has left the queue", { skip: process.platform === "win32" && "has no signals" }, async () => {
    const onSignal = (): void => {};
    process.on("SIGPIPE", onSignal);
    try {
      const { server, connect } = await unix.serve(counting().serve, { maxConnections: 1 });
      const first = await connect();
      await until(() => server.getStats().active === 1);
      const gone = await bareClient(server);
      await waits(server, 1);
      await leave(gone, unix);
      await hangUp([first]);
      await until(() => server.getStats().waiting === 0);
      await server.shutdown();
    } finally {
      process.off("SIGPIPE", onSignal);
    }
  });
});
