/** Writes that fail: what had been received is read first, reading goes on, and writing has ended. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { describe, it } from "node:test";
import { ConnectionLostError, type OpenConnectionOptions, openUnixConnection, startUnixServer } from "asyncio-streams";
import { memoryPair } from "asyncio-streams/testing";
import { abortAll } from "../support/abort-all.js";
import { openTo } from "../support/addresses.js";
import { bareServer } from "../support/bare-sockets.js";
import { Child } from "../support/child.js";
import { needs, needsLinux } from "../support/needs.js";
import type { End } from "../support/pairs.js";
import { findPython } from "../support/python.js";
import { testFile } from "../support/repository.js";
import { cannot } from "../support/runtime.js";
import { socketPath } from "../support/temporary.js";
import { turns, until } from "../support/turns.js";

const ANSWER = "ERR busy\n";

/** Our end of a connection whose peer can answer and leave, all before we look. */
interface Refused extends End, AsyncDisposable {
  readonly answer: () => Promise<void>;
  readonly leave: () => void;
}

async function openSocket(kind: "Unix" | "TCP", bySock: boolean): Promise<Refused> {
  const far = await bareServer(kind === "Unix" ? socketPath() : undefined);
  const where = kind === "Unix" ? { path: far.path } : { host: "127.0.0.1", port: far.port };
  const options: OpenConnectionOptions = {};
  const connect = async (): Promise<[End["reader"], End["writer"]]> => {
    if (!bySock) return openTo(kind === "Unix" ? far.path : ["127.0.0.1", far.port], options);
    const sock = net.connect({ ...where, allowHalfOpen: true });
    await once(sock, "connect");
    return kind === "Unix" ? openUnixConnection(null, { sock }) : openTo(["127.0.0.1", far.port], options);
  };
  const opening = connect();
  const peer = await far.accepted();
  const [reader, writer] = await opening;
  return {
    reader,
    writer,
    answer: () => new Promise((resolve) => void peer.write(ANSWER, () => resolve())),
    leave: () => void peer.destroy(),
    async [Symbol.asyncDispose]() {
      await abortAll([writer]);
      await far[Symbol.asyncDispose]();
    },
  };
}

async function openMemory(): Promise<Refused> {
  const [client, server] = memoryPair();
  return {
    ...client,
    answer: async () => server.writer.write(ANSWER),
    leave: () => server.writer.abort(),
    [Symbol.asyncDispose]: () => abortAll([client.writer, server.writer]),
  };
}

const kinds: readonly { readonly name: string; readonly failsAtOnce: boolean; readonly open: () => Promise<Refused> }[] = [
  { name: "Unix", failsAtOnce: true, open: () => openSocket("Unix", false) },
  { name: "Unix by sock", failsAtOnce: true, open: () => openSocket("Unix", true) },
  // A first write is taken on its way, and only then it shows that the peer is gone.
  { name: "TCP", failsAtOnce: false, open: () => openSocket("TCP", false) },
  { name: "memory", failsAtOnce: false, open: openMemory },
];

const BROKEN = { code: /^(EPIPE|ECONNRESET)$/ };

for (const kind of kinds) {
  describe(`an answer before a write that fails over ${kind.name}`, () => {
    for (const sizes of [[10], [1000, 100_000], [300_000], [10, 10, 10]]) {
      for (const paused of [false, true]) {
        const drops = paused && kind.name === "TCP" ? cannot("data-before-a-broken-pipe", "bun") : {};
        it(
          `is read, and then the error: writes of ${sizes.join(" and ")} bytes, ${paused ? "not reading" : "reading"} meanwhile`,
          drops,
          async () => {
            await using end = await kind.open();
            const { reader, writer } = end;
            if (paused) writer.transport.pauseReading();
            await end.answer();
            end.leave();
            for (const size of sizes) writer.write(Buffer.alloc(size));
            await turns(3);
            for (const size of sizes) writer.write(Buffer.alloc(size));
            if (paused) writer.transport.resumeReading();
            assert.equal((await reader.readline()).toString(), ANSWER);
            // Over TCP the system may tell of the peer's orderly end behind it.
            const rest = reader.read();
            if (kind.failsAtOnce) await assert.rejects(rest, BROKEN);
            else assert.equal((await rest.catch(() => "")).length, 0);
          },
        );
      }
    }

    it("ends writing: drain() rejects, and write() is silent", async () => {
      await using end = await kind.open();
      const { writer } = end;
      await end.answer();
      end.leave();
      await until(() => {
        if (!writer.isClosing()) writer.write("x".repeat(5000));
        return writer.isClosing();
      });
      for (let time = 0; time < 2; time += 1) {
        writer.write("nothing");
        await assert.rejects(writer.drain(), (error) => error instanceof ConnectionLostError && error.cause !== undefined);
        await assert.rejects(writer.flush(), ConnectionLostError);
      }
      assert.equal(writer.transport.getWriteBufferSize(), 0);
      writer.close();
      await assert.rejects(writer.waitClosed(), BROKEN);
    });

    it("ends a read that waits behind it with the error", async () => {
      await using end = await kind.open();
      const { reader, writer } = end;
      const reading = reader.readexactly(1000).catch((error: NodeJS.ErrnoException) => error.code);
      await end.answer();
      end.leave();
      for (let time = 0; time < 3; time += 1) {
        writer.write("x".repeat(5000));
        await turns();
      }
      assert.match(String(await reading), kind.failsAtOnce ? BROKEN.code : /^(EPIPE|ECONNRESET|ERR_INCOMPLETE_READ)$/);
    });
  });
}

const python = findPython();

describe("a peer that no longer reads, and still sends", () => {
  // Elsewhere the system does not refuse such writes.
  it("is read to the end, long after a write to it has failed", needs(python, needsLinux), async () => {
    const path = socketPath();
    let accept!: (end: End) => void;
    const accepted = new Promise<End>((resolve) => {
      accept = resolve;
    });
    const server = await startUnixServer((reader, writer) => accept({ reader, writer }), path);
    const child = new Child([python.binary, "-u", testFile("faults/deaf_peer.py"), path]);
    const { reader, writer } = await accepted;
    assert.equal(await child.nextLine(), "deaf");
    writer.write("x".repeat(5000));
    await until(() => writer.isClosing());
    for (let line = 0; line < 5; line += 1) {
      child.process.stdin?.write(`line ${line}\n`);
      assert.equal((await reader.readline()).toString(), `line ${line}\n`);
      await assert.rejects(writer.drain(), { name: "ConnectionLostError" });
    }
    await child.end();
    await assert.rejects(reader.read(), { code: "EPIPE" });
    await assert.rejects(writer.waitClosed(), { code: "EPIPE" });
    server.close();
    await server.waitClosed();
  });
});
