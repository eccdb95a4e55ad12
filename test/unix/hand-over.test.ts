/** `detachConnection()` and `duplicateListeners()`, in one process. `examples/restart.test.ts` hands over to other processes. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { once } from "node:events";
import { rmSync } from "node:fs";
import net from "node:net";
import { before, describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import {
  BaseProtocol,
  createUnixConnection,
  openConnection,
  openUnixConnection,
  type Server,
  type StreamReader,
  type StreamWriter,
  startServer,
  startUnixServer,
  type Transport,
} from "asyncio-streams";
import { memoryPair } from "asyncio-streams/testing";
import {
  type Descriptor,
  detachConnection,
  duplicateListeners,
  type FdStreamReader,
  type FdStreamWriter,
  loadUnix,
  openFdConnection,
  startFdServer,
} from "asyncio-streams/unix";
import { identity } from "../support/certificates.js";
import { type Need, needs, needsLinux } from "../support/needs.js";
import { type End, tcp, unix } from "../support/pairs.js";
import { cannot } from "../support/runtime.js";
import { socketPath } from "../support/temporary.js";
import { until } from "../support/turns.js";
import { openDescriptors } from "./numbered-messages.js";

interface Both extends AsyncDisposable {
  readonly client: End;
  readonly peer: End;
  readonly server: Server;
}

/** How a kind of connection is made, and continued from its socket. */
interface Kind {
  readonly name: string;
  readonly serve: (callback: (reader: StreamReader, writer: StreamWriter) => Promise<void>) => Promise<{
    server: Server;
    connect: () => Promise<[StreamReader, StreamWriter]>;
  }>;
  readonly adopt: (sock: Descriptor) => Promise<[StreamReader, StreamWriter]>;
  readonly only: Need;
}

const adoptUnix = (sock: Descriptor): Promise<[StreamReader, StreamWriter]> => openUnixConnection(null, { sock });
const KINDS: readonly Kind[] = [
  { name: "Unix", serve: (callback) => unix.serve(callback), adopt: adoptUnix, only: cannot("detach-connection", "deno") },
  {
    name: "TCP",
    serve: (callback) => tcp.serve(callback),
    adopt: (sock) => openConnection(null, null, { sock }),
    only: cannot("detach-connection", "deno"),
  },
  {
    name: "startFdServer()",
    async serve(callback) {
      const path = socketPath();
      return { server: await startFdServer(callback, path), connect: () => openUnixConnection(path) };
    },
    adopt: (sock) => openFdConnection(null, { sock }),
    only: needsLinux,
  },
];

/** A client, and the server's end of its connection. */
async function connected({ serve }: Kind): Promise<Both> {
  let onAccepted: (end: End) => void;
  const accepted = new Promise<End>((resolve) => (onAccepted = resolve));
  const { server, connect } = await serve(async (reader, writer) => {
    onAccepted({ reader, writer });
    await writer.waitClosed().catch(() => {});
  });
  const [reader, writer] = await connect();
  return {
    client: { reader, writer },
    peer: await accepted,
    server,
    async [Symbol.asyncDispose]() {
      writer.abort();
      server.close();
      server.abortClients();
      await server.waitClosed();
    },
  };
}

for (const kind of KINDS) {
  describe(`detachConnection() over ${kind.name}`, needs(needsLinux, kind.only), () => {
    before(() => loadUnix());

    /** Detaches, and continues as another process would. */
    const continued = async ({ writer: old }: End): Promise<End> => {
      const [descriptor, received] = await detachConnection(old);
      const [reader, writer] = await kind.adopt(descriptor);
      reader.unread(received);
      return { reader, writer };
    };

    it("gives the socket and what was not read, and the peer notices nothing", async () => {
      await using both = await connected(kind);
      const { client, peer, server } = both;
      client.writer.write("one\ntwo\nthr");
      assert.equal(String(await peer.reader.readline()), "one\n");
      await until(() => peer.reader.bufferedLength === 7);
      peer.writer.write("written before\n");
      const successor = await continued(peer);
      assert.deepEqual(await peer.reader.read(), Buffer.alloc(0));
      await peer.writer.waitClosed();
      assert.equal(server.getStats().active, 0);
      client.writer.write("ee\nfour\n");
      for (const line of ["two\n", "three\n", "four\n"]) assert.equal(String(await successor.reader.readline()), line);
      successor.writer.write("written after\n");
      for (const line of ["written before\n", "written after\n"]) assert.equal(String(await client.reader.readline()), line);
      client.writer.writeEof();
      assert.deepEqual(await successor.reader.read(), Buffer.alloc(0));
      successor.writer.close();
      assert.deepEqual(await client.reader.read(), Buffer.alloc(0));
    });

    it("loses and doubles no byte in fifty handovers while both sides send", async () => {
      await using both = await connected(kind);
      let holder = both.peer;
      const count = 1_500;
      const sent = (async () => {
        for (let index = 0; index < count; index += 1) {
          both.client.writer.write(`${index} ${"x".repeat(index % 700)}\n`);
          await both.client.writer.drain();
        }
      })();
      const echoed = (async () => {
        for (let index = 0; index < count; index += 1)
          assert.equal(String(await both.client.reader.readline()), `${index} ${"x".repeat(index % 700)}\n`);
      })();
      for (let index = 0; index < count; index += 1) {
        holder.writer.write(await holder.reader.readline());
        if (index % 30 === 0) holder = await continued(holder);
        else await holder.writer.drain();
      }
      await Promise.all([sent, echoed]);
      holder.writer.close();
      await holder.writer.waitClosed();
    });

    it("waits until everything written is sent, and continues here if that takes too long", async () => {
      await using both = await connected(kind);
      const { client, peer } = both;
      const size = 16 * 2 ** 20;
      peer.writer.write(Buffer.alloc(size, "a"));
      client.writer.write("line\n");
      await until(() => peer.reader.bufferedLength === 5);
      await assert.rejects(detachConnection(peer.writer, { timeout: 1 }), { name: "TimeoutError" });
      assert.equal(String(await peer.reader.readline()), "line\n");
      const detached = detachConnection(peer.writer);
      peer.writer.write("and this\n");
      const [[descriptor]] = await Promise.all([detached, client.reader.readexactly(size)]);
      descriptor.close();
      assert.equal(String(await client.reader.read()), "and this\n");
    });

    it("hands over the peer's EOF with the bytes before it", async () => {
      await using both = await connected(kind);
      const { client, peer } = both;
      client.writer.write("last words");
      client.writer.writeEof();
      await until(() => peer.reader.bufferedLength === 10);
      for (let index = 0; index < 5; index += 1) await turn();
      const successor = await continued(peer);
      assert.equal(String(await successor.reader.read()), "last words");
      successor.writer.write("answer");
      successor.writer.close();
      assert.equal(String(await client.reader.read()), "answer");
    });

    it("is refused while a read waits, and after writeEof(), and changes nothing", async () => {
      await using both = await connected(kind);
      const { client, peer } = both;
      const line = peer.reader.readline();
      await assert.rejects(detachConnection(peer.writer), { name: "InvalidStateError", message: /a read is waiting$/ });
      client.writer.write("still here\n");
      assert.equal(String(await line), "still here\n");
      for (const [method, begin] of [
        ["toReadable", () => peer.reader.toReadable()],
        ["chunks", () => peer.reader.chunks()],
      ] as const) {
        client.writer.write("taken");
        await until(() => peer.reader.bufferedLength === 5);
        const adapter = begin();
        await adapter[Symbol.asyncIterator]().next();
        await assert.rejects(detachConnection(peer.writer), {
          name: "InvalidStateError",
          message: new RegExp(`${method}\\(\\) may hold bytes|a read is waiting$`),
        });
        await (adapter as AsyncIterable<unknown> & { return?: () => unknown; destroy?: () => unknown }).return?.();
        (adapter as { destroy?: () => unknown }).destroy?.();
        await turn();
      }
      peer.writer.writeEof();
      await assert.rejects(detachConnection(peer.writer), { name: "InvalidStateError", message: /writeEof\(\) was called$/ });
      client.writer.close();
      assert.deepEqual(await peer.reader.read(), Buffer.alloc(0));
    });

    it("is refused for a connection that is closed, lost, or detached before", async () => {
      await using both = await connected(kind);
      const { peer } = both;
      const [descriptor] = await detachConnection(peer.writer);
      descriptor.close();
      await assert.rejects(detachConnection(peer.writer), { name: /^(ConnectionLostError|TypeError|InvalidStateError)$/ });
      await using closed = await connected(kind);
      closed.peer.writer.close();
      await assert.rejects(detachConnection(closed.peer.writer), { name: "ConnectionLostError" });
      await closed.peer.writer.waitClosed();
      await assert.rejects(detachConnection(closed.peer.writer), { name: "ConnectionLostError" });
    });

    it("leaks no descriptor", async () => {
      await using both = await connected(kind);
      let { peer } = both;
      peer = await continued(peer);
      const before = openDescriptors();
      for (let index = 0; index < 50; index += 1) {
        peer = await continued(peer);
        await turn();
      }
      await until(() => openDescriptors() <= before);
      peer.writer.close();
      await peer.writer.waitClosed();
    });
  });
}

describe("what cannot be detached", needsLinux, () => {
  before(() => loadUnix());

  it("is a connection over TLS, over memory, and whatever else is no connection", async () => {
    const secured = memoryPair();
    await assert.rejects(detachConnection(secured[0].writer), { name: "TypeError", message: /^cannot detach the connection: / });
    for (const wrong of [null, undefined, 3, {}, "x"])
      await assert.rejects(detachConnection(wrong as never), { name: "TypeError", code: "ERR_INVALID_ARG_TYPE" });
    const server = await startServer((_reader, writer) => writer.waitClosed(), "127.0.0.1", 0, { ssl: identity("server") });
    const [, port] = server.sockets[0]!.getsockname() as readonly [string, number];
    const [, writer] = await openConnection("127.0.0.1", port, { ssl: { rejectUnauthorized: false } });
    await assert.rejects(detachConnection(writer), {
      name: "TypeError",
      message: /: it is secured by TLS, whose keys stay in this process$/,
    });
    writer.close();
    await writer.waitClosed();
    await server.shutdown();
  });

  it("is a connection whose descriptors were not taken", async () => {
    let accepted!: (end: [FdStreamReader, FdStreamWriter]) => void;
    const peer = new Promise<[FdStreamReader, FdStreamWriter]>((resolve) => (accepted = resolve));
    const path = socketPath();
    const server = await startFdServer(async (reader, writer) => {
      accepted([reader, writer]);
      await writer.waitClosed();
    }, path);
    const [, sender] = await openFdConnection(path);
    const [receiver, theirs] = await peer;
    await sender.sendFds("a", [0]);
    await until(() => receiver.bufferedFds === 1);
    await assert.rejects(detachConnection(theirs), { message: "cannot detach the connection: 1 received descriptors were not taken" });
    for (const descriptor of receiver.takeFds()) descriptor.close();
    const [descriptor, received] = await detachConnection(theirs);
    assert.equal(String(received), "a");
    descriptor.close();
    sender.close();
    await sender.waitClosed();
    await server.shutdown();
  });
});

describe("detachConnection() of a transport that does not read", needs(needsLinux, cannot("detach-connection", "deno")), () => {
  before(() => loadUnix());

  for (const throws of [false, true]) {
    it(`delivers what was received to its protocol first, ${throws ? "and rejects if that throws" : "and hands over the rest"}`, async () => {
      const path = socketPath();
      const server = await startUnixServer((_reader, writer) => {
        writer.write("early");
        return writer.waitClosed();
      }, path);
      const received: Buffer[] = [];
      const sock = net.connect({ path, allowHalfOpen: true });
      await once(sock, "readable");
      const [transport] = await createUnixConnection(
        () =>
          new (class extends BaseProtocol {
            override connectionMade(made: Transport): void {
              made.pauseReading();
            }
            override dataReceived(data: Buffer): void {
              received.push(Buffer.from(data));
              if (throws) throw new Error("no");
            }
          })(),
        null,
        { sock },
      );
      const detached = detachConnection(transport);
      if (throws) await assert.rejects(detached, { name: "ConnectionLostError" });
      else {
        const [descriptor, rest] = await detached;
        assert.equal(rest.length, 0);
        descriptor.close();
      }
      assert.equal(Buffer.concat(received).toString(), "early");
      await server.shutdown();
    });
  }
});

describe("duplicateListeners()", needsLinux, () => {
  before(() => loadUnix());

  it("lets another server accept the clients that wait, and no client is refused in between", async () => {
    const path = socketPath();
    const answer = (text: string) => (_reader: StreamReader, writer: StreamWriter) => {
      writer.write(text);
      writer.close();
    };
    const server = await startUnixServer(answer("old"), path, { cleanupSocket: false });
    const [descriptor] = duplicateListeners(server);
    server.close();
    const [waiting, writer] = await openUnixConnection(path);
    const successor = await startUnixServer(answer("new"), null, { sock: descriptor });
    assert.equal(String(await waiting.read()), "new");
    writer.close();
    await server.waitClosed();
    await successor.shutdown();
    await assert.rejects(openUnixConnection(path), { code: "ECONNREFUSED" });
    rmSync(path); // neither process knows the name and owns the file
  });

  it("is refused for a server that does not listen, and for anything else", async () => {
    const server = await startUnixServer(() => {}, socketPath(), { startServing: false });
    assert.throws(() => duplicateListeners(server), { name: "InvalidStateError" });
    server.close();
    assert.throws(() => duplicateListeners(server), { name: "InvalidStateError" });
    for (const wrong of [null, {}, 3]) assert.throws(() => duplicateListeners(wrong as never), { code: "ERR_INVALID_ARG_TYPE" });
  });
});
