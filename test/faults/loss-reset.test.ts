/** A peer that sends something and resets the connection at once, before we read any of it. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { describe, it } from "node:test";
import tls from "node:tls";
import { type OpenConnectionOptions, openConnection, type StreamReader } from "asyncio-streams";
import { memoryPair } from "asyncio-streams/testing";
import { abortAll } from "../support/abort-all.js";
import { bareServer } from "../support/bare-sockets.js";
import { identity, trust } from "../support/certificates.js";
import type { End } from "../support/pairs.js";
import { cannot, runtime } from "../support/runtime.js";
import { until } from "../support/turns.js";

/** Our end of a connection that reads nothing so far, and what its peer can do. */
interface Doomed extends End, AsyncDisposable {
  /** Resolves when the system has it. */
  readonly send: (data: string) => Promise<void>;
  /** Sends the end, and over TLS close_notify. */
  readonly end: () => Promise<void>;
  readonly reset: () => Promise<void>;
}

interface Kind {
  readonly name: string;
  readonly open: () => Promise<Doomed>;
}

/** A connection over TCP to a bare socket. */
async function openTcp(
  connect: (port: number) => Promise<OpenConnectionOptions & { readonly port?: number }>,
  isTls = false,
): Promise<Doomed> {
  const far = await bareServer();
  const opening = connect(far.port).then(({ port, ...options }) =>
    port === undefined ? openConnection(null, null, options) : openConnection("127.0.0.1", port, options),
  );
  const peer = await far.accepted();
  const speaker = isTls ? new tls.TLSSocket(peer, { isServer: true, ...identity("server") }).on("error", () => {}) : peer;
  const [reader, writer] = await opening;
  writer.transport.pauseReading();
  return {
    reader,
    writer,
    send: (data) => new Promise((resolve) => void speaker.write(data, () => resolve())),
    end: () => new Promise((resolve) => void speaker.end(() => resolve())),
    async reset() {
      const closed = once(peer, "close");
      peer.resetAndDestroy();
      await closed;
    },
    async [Symbol.asyncDispose]() {
      await abortAll([writer]);
      await far[Symbol.asyncDispose]();
    },
  };
}

const overTls = (): Promise<Doomed> => openTcp(async (port) => ({ port, ssl: trust, serverHostname: "localhost" }), true);

const kinds: readonly Kind[] = [
  { name: "TCP", open: () => openTcp(async (port) => ({ port })) },
  {
    name: "TCP by sock",
    open: () =>
      openTcp(async (port) => {
        const sock = net.connect({ host: "127.0.0.1", port, allowHalfOpen: true });
        await once(sock, "connect");
        return { sock };
      }),
  },
  { name: "TLS", open: overTls },
  {
    name: "memory",
    async open() {
      const [client, server] = memoryPair();
      client.transport.pauseReading();
      return {
        ...client,
        send: async (data) => server.writer.write(data),
        end: async () => server.writer.writeEof(),
        reset: async () => server.transport.reset(),
        [Symbol.asyncDispose]: () => abortAll([client.writer, server.writer]),
      };
    },
  },
];

const RESET = { code: "ECONNRESET" };

const READS: Readonly<Record<string, (reader: StreamReader) => Promise<unknown>>> = {
  "read()": (reader) => reader.read(),
  "read(n)": (reader) => reader.read(10),
  "readline()": (reader) => reader.readline(),
  "readexactly(n)": (reader) => reader.readexactly(10),
  "readuntil()": (reader) => reader.readuntil(),
  "for await": async (reader) => {
    for await (const line of reader) assert.fail(line.toString());
  },
  "chunks()": async (reader) => {
    for await (const chunk of reader.chunks()) assert.fail(chunk.toString());
  },
};

for (const kind of kinds) {
  describe(`a reset behind data over ${kind.name}`, () => {
    const dropsData = kind.name === "TLS" ? cannot("data-before-a-reset-over-tls", "deno") : {};
    for (const size of [1, 5000, 60_000]) {
      it(`is an error, not EOF, after ${size} bytes`, dropsData, async () => {
        await using pair = await kind.open();
        await pair.send("x".repeat(size));
        await pair.reset();
        pair.writer.transport.resumeReading();
        assert.equal((await pair.reader.readexactly(size)).length, size);
        await assert.rejects(pair.reader.read(), RESET);
        assert.equal(pair.reader.atEof(), false);
        await assert.rejects(pair.writer.waitClosed(), RESET);
      });
    }

    for (const [name, read] of Object.entries(READS)) {
      it(`ends a ${name} that waits, and one that is made later`, dropsData, async () => {
        await using pair = await kind.open();
        await pair.send("a line\n");
        await pair.reset();
        pair.writer.transport.resumeReading();
        assert.equal((await pair.reader.readline()).toString(), "a line\n");
        await assert.rejects(read(pair.reader), RESET);
        await assert.rejects(read(pair.reader), RESET);
      });
    }

    it("does not pass off a part as the whole", dropsData, async () => {
      await using pair = await kind.open();
      await pair.send("half a line");
      await pair.reset();
      pair.writer.transport.resumeReading();
      await assert.rejects(pair.reader.readline(), RESET);
      await assert.rejects(pair.reader.read(), RESET);
      assert.equal((await pair.reader.readexactly(11)).toString(), "half a line");
    });

    it("is an error for a program that reads after the loss", async () => {
      await using pair = await kind.open();
      await pair.send("half a line");
      await pair.reset();
      pair.writer.transport.resumeReading();
      await until(() => pair.writer.isClosing());
      await assert.rejects(pair.writer.drain(), { name: "ConnectionLostError" });
      await assert.rejects(pair.reader.read(), RESET);
    });
  });
}

// Bun and Deno: our own close_notify fails first, and that error is reported.
describe("a reset behind close_notify", { skip: runtime !== "node" && "Node only" }, () => {
  it("is not an error of a connection that is being closed", async () => {
    await using pair = await overTls();
    await pair.end();
    await pair.reset();
    pair.writer.close();
    await pair.writer.waitClosed();
  });
});
