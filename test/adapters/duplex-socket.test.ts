/** What a Duplex of `toDuplex()` has of a `net.Socket`, because clients call it. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import type { Duplex } from "node:stream";
import { describe, it } from "node:test";
import { openUnixConnection, type StreamReader, type StreamWriter, startUnixServer, toDuplex } from "asyncio-streams";
import { memoryPair } from "asyncio-streams/testing";
import { type End, kinds, openPair, tcp, unix } from "../support/pairs.js";
import { runtime } from "../support/runtime.js";
import { socketPath } from "../support/temporary.js";
import { tcpTls } from "../support/tls-kinds.js";
import { closed } from "./ended.js";

/** The part of a socket that `toDuplex()` does not name in its type. */
interface Socketlike extends NodeJS.EventEmitter {
  readonly connecting: boolean;
  readonly pending: boolean;
  readonly encrypted: boolean;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  readonly readyState: string;
  readonly timeout: number | undefined;
  readonly localAddress: string | undefined;
  readonly localPort: number | undefined;
  readonly localFamily: string | undefined;
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  readonly remoteFamily: string | undefined;
  address(): object;
  setTimeout(ms: number, callback?: () => void): this;
  setNoDelay(noDelay?: unknown): this;
  setKeepAlive(enable?: unknown, delay?: unknown): this;
  ref(): this;
  unref(): this;
  destroySoon(): void;
  resetAndDestroy(): this;
  end(data?: string): this;
  destroy(): this;
  resume(): this;
  write(data: string): boolean;
  readonly destroyed: boolean;
}

const socketOf = ({ reader, writer }: Pick<End, "reader" | "writer">): Socketlike => toDuplex(reader, writer) as unknown as Socketlike;

/** The number of sockets that keep the process alive. */
const sockets = (): number => process.getActiveResourcesInfo().filter((name) => /^(Pipe|TCPSocket)Wrap$/.test(name)).length;

for (const kind of [...kinds, tcpTls]) {
  describe(`a Duplex over ${kind.name}`, () => {
    it("has the methods of a socket, each of which returns the Duplex", async () => {
      await using pair = await openPair(kind);
      const socket = socketOf(pair.client);
      for (const call of [
        () => socket.setTimeout(5_000),
        () => socket.setTimeout(0),
        () => socket.setNoDelay(),
        () => socket.setNoDelay(false),
        () => socket.setKeepAlive(true, 1_500),
        () => socket.setKeepAlive(),
        () => socket.setKeepAlive(true, Number.NaN),
        () => socket.unref(),
        () => socket.ref(),
      ]) {
        assert.equal(call(), socket);
      }
      assert.equal(socket.resetAndDestroy(), socket);
      await closed(socket as never);
    });

    it("has the state and the counts of a socket", async () => {
      await using pair = await openPair(kind);
      const socket = socketOf(pair.client);
      assert.deepEqual([socket.connecting, socket.pending, socket.readyState], [false, false, "open"]);
      assert.equal(socket.encrypted, kind === tcpTls);
      socket.write("12345");
      assert.equal(String(await pair.peer.reader.readexactly(5)), "12345");
      pair.peer.writer.write("123");
      await once(socket, "data");
      assert.deepEqual([socket.bytesRead, socket.bytesWritten], [3, 5]);
      socket.end();
      assert.equal(socket.readyState, kind === tcpTls ? socket.readyState : "readOnly");
      await pair.peer.reader.read();
      socket.destroy();
      assert.equal(socket.readyState, "closed");
      await closed(socket as never);
    });
  });
}

describe("the addresses of a Duplex", () => {
  it("are those of the socket over TCP", async () => {
    await using pair = await openPair(tcp);
    const [client, server] = [socketOf(pair.client), socketOf(pair.peer)];
    assert.deepEqual([client.remoteAddress, client.remoteFamily], ["127.0.0.1", "IPv4"]);
    assert.equal(client.localPort, server.remotePort);
    assert.deepEqual(client.address(), { address: "127.0.0.1", family: "IPv4", port: client.localPort });
    for (const socket of [client, server]) socket.destroy();
  });

  it("are undefined over Unix and in memory", async () => {
    await using pair = await openPair(unix);
    for (const socket of [socketOf(pair.client), socketOf(memoryPair()[0])]) {
      assert.deepEqual([socket.remoteAddress, socket.remotePort, socket.remoteFamily], [undefined, undefined, undefined]);
      assert.deepEqual(
        [socket.localAddress, socket.localPort, socket.localFamily, socket.address()],
        [undefined, undefined, undefined, {}],
      );
      socket.unref().ref().setNoDelay().setKeepAlive(true);
      socket.destroy();
    }
  });
});

describe("ref() and unref() of a Duplex", () => {
  for (const kind of runtime === "node" ? kinds : []) {
    it(`let the connection keep the process alive, or not, over ${kind.name}`, async () => {
      await using pair = await openPair(kind);
      const socket = socketOf(pair.client);
      const before = sockets();
      socket.unref();
      assert.equal(sockets(), before - 1);
      socket.ref();
      assert.equal(sockets(), before);
      socket.destroy();
    });
  }
});

describe("setTimeout() of a Duplex", () => {
  it("emits 'timeout' when nothing was sent or received for that long, and leaves the connection open", async () => {
    await using pair = await openPair(unix);
    const { peer } = pair;
    const socket = socketOf(pair.client);
    let count = 0;
    socket.on("timeout", () => (count += 1));
    socket.setTimeout(15);
    assert.equal(socket.timeout, 15);
    await once(socket, "timeout");
    assert.equal(count, 1);
    assert.equal(socket.destroyed, false);
    socket.resume();
    peer.writer.write("more");
    socket.write("more");
    await once(socket, "timeout");
    socket.setTimeout(0);
    assert.equal(socket.timeout, undefined);
    socket.destroy();
  });

  it("waits while a long write makes progress", async () => {
    await using pair = await openPair(unix); // keeps the process alive, which the time-out does not
    const end = pair.client;
    const sizes = [400, 300, 200, 100];
    end.writer.transport.getWriteBufferSize = () => (sizes.length > 1 ? (sizes.shift() as number) : 100);
    const socket = socketOf(end);
    socket.setTimeout(5);
    await once(socket, "timeout");
    assert.deepEqual(sizes, [100]);
    socket.destroy();
  });

  it("takes fractions and too long times, as a net.Socket does", () => {
    const [end] = memoryPair();
    const socket = socketOf(end);
    for (const [time, expected] of [
      [1500.5, 1501],
      [0.1, 1],
      [2 ** 31 + 5, 2 ** 31 - 1],
    ] as const) {
      socket.setTimeout(time);
      assert.equal(socket.timeout, expected);
    }
    for (const time of [Number.NaN, Number.POSITIVE_INFINITY, -0.5])
      assert.throws(() => socket.setTimeout(time), { code: "ERR_OUT_OF_RANGE" });
    socket.destroy();
  });

  it("calls the callback once, and not if it is turned off", async () => {
    await using pair = await openPair(unix);
    const socket = socketOf(pair.client);
    const never = (): void => assert.fail("was turned off");
    socket.setTimeout(5, never).setTimeout(0, never);
    await new Promise<void>((resolve) => void socket.setTimeout(5, resolve));
    socket.destroy();
    socket.setTimeout(5, never);
  });

  it("refuses a wrong time and a wrong callback", () => {
    const [end] = memoryPair();
    const socket = socketOf(end);
    assert.throws(() => socket.setTimeout(-1), { code: "ERR_OUT_OF_RANGE" });
    assert.throws(() => socket.setTimeout(5, 5 as never), { code: "ERR_INVALID_ARG_TYPE" });
    socket.destroy();
  });
});

describe("destroySoon() of a Duplex", () => {
  it("sends what was written first", async () => {
    await using pair = await openPair(unix);
    const socket = socketOf(pair.client);
    socket.write("last words");
    socket.destroySoon();
    assert.equal(String(await pair.peer.reader.read()), "last words");
    await closed(socket as never);
  });

  it("closes at once what has been sent", async () => {
    await using pair = await openPair(unix);
    const socket = socketOf(pair.client);
    socket.end("last words");
    await once(socket, "finish");
    socket.destroySoon();
    await closed(socket as never);
    assert.equal(String(await pair.peer.reader.read()), "last words");
  });
});

describe("an http.Agent with keepAlive on Duplexes", () => {
  it("uses a connection again, with time-outs and socket options", async () => {
    const httpServer = http.createServer((_request, response) => response.end("hello"));
    const serve = (reader: StreamReader, writer: StreamWriter): void =>
      void httpServer.emit("connection", toDuplex(reader, writer, { allowHalfOpen: true }));
    const path = socketPath();
    const server = await startUnixServer(serve, path);
    let opened = 0;
    class UnixAgent extends http.Agent {
      override createConnection(_options: unknown, done?: (error: Error | null, socket: Duplex) => void): undefined {
        opened += 1;
        openUnixConnection(path).then(([reader, writer]) => done?.(null, toDuplex(reader, writer)), assert.fail);
      }
    }
    const agent = new UnixAgent({ keepAlive: true, timeout: 5_000 });
    for (let request = 0; request < 3; request += 1) {
      const text = await new Promise<string>((resolve, reject) => {
        const asked = http.get({ agent, path: "/", timeout: 5_000 }, (response) => {
          response.toArray().then((chunks) => resolve(chunks.join("")), reject);
        });
        asked.on("error", reject).setTimeout(5_000);
        asked.setNoDelay(true);
        asked.setSocketKeepAlive(true, 1_000);
      });
      assert.equal(text, "hello");
      await new Promise((resolve) => void setImmediate(resolve));
    }
    if (runtime !== "deno") assert.ok(opened < 3, `${opened} connections`); // the agent of Deno keeps connections only sometimes
    agent.destroy();
    await server.shutdown({ graceMs: 100 });
  });
});
