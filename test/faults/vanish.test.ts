/** A peer process that is killed in the middle of each reading and writing call. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { readdirSync, unlinkSync } from "node:fs";
import { dirname } from "node:path";
import { describe, it } from "node:test";
import {
  ConnectionLostError,
  type IncompleteReadError,
  openUnixConnection,
  type Server,
  type StreamReader,
  type StreamWriter,
  startUnixServer,
} from "asyncio-streams";
import { Child, scriptCommand } from "../support/child.js";
import { MUCH_BYTES } from "../support/much.js";
import { type End, type Kind, kinds } from "../support/pairs.js";
import { socketPath } from "../support/temporary.js";
import { tcpTls, unixTls } from "../support/tls-kinds.js";
import { isSettled, turns } from "../support/turns.js";
import { pattern } from "./pattern.js";

interface Victim extends End, AsyncDisposable {
  readonly server: Server;
  readonly kill: () => void;
}

/** A connection from a process that can be killed. */
async function connectVictim(
  kind: Kind,
  behaviour: "partial" | "deaf" | "rude" | "flood" | "record",
  onConnected: (writer: StreamWriter) => void = () => {},
): Promise<Victim> {
  let accept!: (pair: [StreamReader, StreamWriter]) => void;
  const accepted = new Promise<[StreamReader, StreamWriter]>((resolve) => {
    accept = resolve;
  });
  const { server } = await kind.serve((reader, writer) => {
    onConnected(writer);
    accept([reader, writer]);
  });
  const address = server.sockets[0]!.getsockname();
  const child = new Child(scriptCommand("faults/peer-child", typeof address === "string" ? address : String(address[1]), behaviour));
  assert.equal(await child.next(), "ready");
  const [reader, writer] = await accepted;
  return {
    reader,
    writer,
    server,
    kill: () => child.process.kill("SIGKILL"),
    async [Symbol.asyncDispose]() {
      await child[Symbol.asyncDispose]();
      server.close();
      server.abortClients();
      await server.waitClosed();
    },
  };
}

for (const kind of kinds) {
  describe(`a peer that is killed while we read over ${kind.name}`, () => {
    for (const [call, read, expected] of [
      ["read()", async (reader: StreamReader) => (await reader.read()).toString(), "partial"],
      ["readline()", async (reader: StreamReader) => (await reader.readline()).toString(), "partial"],
      [
        "read(n)",
        async (reader: StreamReader) => {
          await reader.readexactly(7);
          return (await reader.read(100)).toString();
        },
        "",
      ],
      [
        "for await",
        async (reader: StreamReader) => {
          let lines = "";
          for await (const line of reader) lines += `${line.toString()}|`;
          return lines;
        },
        "partial|",
      ],
    ] as const) {
      it(`${call} gives the received bytes`, async () => {
        await using victim = await connectVictim(kind, "partial");
        const reading = read(victim.reader);
        assert.equal(await isSettled(reading), false);
        victim.kill();
        assert.equal(await reading, expected);
        assert.equal(victim.reader.atEof(), true);
      });
    }

    for (const [call, read, wanted] of [
      ["readexactly(n)", (reader: StreamReader) => reader.readexactly(100), 100],
      ["readuntil()", (reader: StreamReader) => reader.readuntil("\r\n"), null],
    ] as const) {
      it(`${call} throws IncompleteReadError with the received bytes`, async () => {
        await using victim = await connectVictim(kind, "partial");
        const reading = read(victim.reader);
        victim.kill();
        await assert.rejects(reading, ({ name, partial, expected }: IncompleteReadError) => {
          assert.deepEqual([name, partial.toString(), expected], ["IncompleteReadError", "partial", wanted]);
          return true;
        });
      });
    }

    it("with unread data of ours, whole lines come first and then the reset", async () => {
      await using victim = await connectVictim(kind, "rude");
      victim.writer.write("never read");
      await victim.writer.drain();
      await turns(5);
      const lines = [(await victim.reader.readline()).toString()];
      const lost = assert.rejects(victim.writer.waitClosed(), { code: "ECONNRESET" });
      victim.kill();
      await lost;
      lines.push((await victim.reader.readline()).toString());
      assert.deepEqual(lines, ["first\n", "second\n"]);
      await assert.rejects(victim.reader.readline(), { code: "ECONNRESET" });
      // What is left stays readable for whoever asks for no more than that.
      assert.equal((await victim.reader.read(100)).toString(), "unfinished");
      await assert.rejects(victim.reader.read(100), { code: "ECONNRESET" });
      assert.equal((victim.reader.exception() as { code?: string } | null)?.code, "ECONNRESET");
    });
  });

  describe(`a peer that is killed while we write over ${kind.name}`, () => {
    it("drain() that waits throws ConnectionLostError, with the socket's error as cause", async () => {
      await using victim = await connectVictim(kind, "deaf");
      victim.writer.write(Buffer.alloc(MUCH_BYTES));
      const draining = Promise.all([
        assert.rejects(victim.writer.drain(), (error: ConnectionLostError) => {
          assert.ok(error instanceof ConnectionLostError);
          assert.equal(error.code, "ECONNRESET");
          assert.match((error.cause as NodeJS.ErrnoException).code ?? "", /^(EPIPE|ECONNRESET)$/);
          return true;
        }),
        assert.rejects(victim.writer.drain(), ConnectionLostError),
      ]);
      assert.equal(await isSettled(draining), false);
      victim.kill();
      await draining;
      victim.writer.write("more");
      await assert.rejects(victim.writer.drain(), ConnectionLostError);
    });

    it("waitClosed() after close() with data unsent throws the socket's error", async () => {
      await using victim = await connectVictim(kind, "deaf");
      victim.writer.write(Buffer.alloc(MUCH_BYTES));
      victim.writer.close();
      const closing = assert.rejects(victim.writer.waitClosed(), { code: /^(EPIPE|ECONNRESET)$/ });
      assert.equal(await isSettled(closing), false);
      victim.kill();
      await closing;
    });

    it("the next drain() or the one after rejects, and write() never throws", async () => {
      await using victim = await connectVictim(kind, "deaf");
      victim.kill();
      assert.equal((await victim.reader.read()).length, 0);
      await assert.rejects(async () => {
        for (;;) {
          victim.writer.write("into the void");
          await victim.writer.drain();
          await turns();
        }
      }, ConnectionLostError);
    });

    it("await using ends although the written bytes cannot be sent", async () => {
      await using victim = await connectVictim(kind, "deaf");
      {
        await using writer = victim.writer;
        writer.write(Buffer.alloc(MUCH_BYTES));
        victim.kill();
      }
      assert.equal(victim.writer.isClosing(), true);
    });

    it("without a waiting call, the loss harms no other connection, and the server goes on", async () => {
      await using victim = await connectVictim(kind, "rude");
      victim.writer.write("never read");
      await turns(5);
      victim.kill();
      victim.server.close();
      await victim.server.waitClosed();
    });
  });
}

for (const kind of kinds) {
  describe(`a peer that is killed while it writes much over ${kind.name}`, () => {
    it("the received bytes are the first bytes that it sent", async () => {
      await using victim = await connectVictim(kind, "flood");
      const begun = await victim.reader.readexactly(3 * 1_048_576);
      assert.ok(begun.equals(pattern(0, begun.length)));
      const reading = victim.reader.readexactly(1_048_576 * 1_024);
      assert.equal(await isSettled(reading), false);
      victim.kill();
      await assert.rejects(reading, ({ name, partial }: IncompleteReadError) => {
        assert.equal(name, "IncompleteReadError");
        assert.ok(partial.equals(pattern(begun.length, partial.length)));
        return true;
      });
      assert.equal(victim.reader.atEof(), true);
    });
  });
}

for (const kind of [unixTls, tcpTls]) {
  describe(`a peer that is killed in the middle of a TLS record over ${kind.name}`, () => {
    it("complete records are read, then EOF; the incomplete record is dropped", async () => {
      await using victim = await connectVictim(kind, "record", (writer) => writer.write("go on"));
      assert.equal((await victim.reader.readline()).toString(), "first\n");
      const reading = assert.rejects(victim.reader.readexactly(1_000), ({ name, partial }: IncompleteReadError) => {
        assert.deepEqual([name, partial.length], ["IncompleteReadError", 0]);
        return true;
      });
      victim.kill();
      await reading;
      assert.equal(victim.reader.atEof(), true);
      victim.writer.close();
      await victim.writer.waitClosed();
    });
  });
}

describe("a server that is killed", () => {
  it("ends its clients' reads, and leaves a stale file that the next server replaces", async () => {
    const path = socketPath();
    await using child = new Child(scriptCommand("faults/dying-server-child", path));
    assert.equal(await child.next(), "serving");
    const [reader, writer] = await openUnixConnection(path);
    assert.equal((await reader.readline()).toString(), "welcome\n");
    const reading = reader.readline();
    assert.equal(await isSettled(reading), false);
    child.process.kill("SIGKILL");
    assert.equal((await reading).toString(), "unfinished");
    writer.close();
    await writer.waitClosed();
    await child.ended;
    assert.deepEqual(readdirSync(dirname(path)), ["test.sock"]);
    await assert.rejects(openUnixConnection(path), { code: "ECONNREFUSED" });
    const next = await startUnixServer(() => {}, path, { cleanupSocket: false });
    assert.deepEqual(readdirSync(dirname(path)), ["test.sock"]);
    next.close();
    await next.waitClosed();
    unlinkSync(path);
  });
});
