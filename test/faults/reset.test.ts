/** Resets, broken pipes, and peers that close at the wrong moment. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ConnectionLostError, openConnection, openUnixConnection, type StreamReader, type StreamWriter } from "asyncio-streams";
import { type BareServer, bareServer } from "../support/bare-sockets.js";
import { MUCH_BYTES } from "../support/much.js";
import type { End } from "../support/pairs.js";
import { cannot } from "../support/runtime.js";
import { socketPath } from "../support/temporary.js";
import { isSettled, turns, until } from "../support/turns.js";

/** A connection of ours to a bare socket, and how to reset it. */
interface Doomed extends End, AsyncDisposable {
  readonly peer: Awaited<ReturnType<BareServer["accepted"]>>;
  readonly reset: () => Promise<void>;
}

const kinds = [
  {
    name: "Unix",
    async open(): Promise<Doomed> {
      const far = await bareServer(socketPath());
      return doomed(far, await openUnixConnection(far.path), async (writer, peer) => {
        // There is no call for it: the end is a reset if the peer leaves data of ours unread.
        writer.write("never read");
        await until(() => writer.transport.getWriteBufferSize() === 0);
        await turns(3);
        peer.destroy();
      });
    },
  },
  {
    name: "TCP",
    async open(): Promise<Doomed> {
      const far = await bareServer();
      return doomed(far, await openConnection("127.0.0.1", far.port), async (_writer, peer) => {
        peer.resetAndDestroy();
      });
    },
  },
] as const;

async function doomed(
  far: BareServer,
  [reader, writer]: [StreamReader, StreamWriter],
  reset: (writer: StreamWriter, peer: Doomed["peer"]) => Promise<void>,
): Promise<Doomed> {
  const peer = await far.accepted();
  return {
    reader,
    writer,
    peer,
    reset: () => reset(writer, peer),
    async [Symbol.asyncDispose]() {
      writer.transport.abort();
      await writer.waitClosed().catch(() => {});
      await far[Symbol.asyncDispose]();
    },
  };
}

for (const kind of kinds) {
  describe(`a reset over ${kind.name}`, () => {
    for (const [call, read] of [
      ["read()", (reader: StreamReader) => reader.read()],
      ["read(n)", (reader: StreamReader) => reader.read(10)],
      ["readline()", (reader: StreamReader) => reader.readline()],
      ["readexactly(n)", (reader: StreamReader) => reader.readexactly(10)],
      ["readuntil()", (reader: StreamReader) => reader.readuntil("\r\n")],
      ["for await", (reader: StreamReader) => reader[Symbol.asyncIterator]().next()],
    ] as const) {
      it(`ends a ${call} that waits with the system's error, unwrapped`, async () => {
        await using pair = await kind.open();
        const reading = assert.rejects(read(pair.reader), { code: "ECONNRESET", syscall: "read" });
        await pair.reset();
        await reading;
      });
    }

    it("comes after the data that was received before it", async () => {
      await using pair = await kind.open();
      pair.peer.write("one\ntwo\nthree");
      assert.equal((await pair.reader.readline()).toString(), "one\n");
      const closed = assert.rejects(pair.writer.waitClosed(), { code: "ECONNRESET" });
      await pair.reset();
      await closed;
      assert.equal((await pair.reader.readline()).toString(), "two\n");
      await assert.rejects(pair.reader.readline(), { code: "ECONNRESET" });
      assert.equal((await pair.reader.readexactly(5)).toString(), "three");
      await assert.rejects(pair.reader.read(), { code: "ECONNRESET" });
      await assert.rejects(pair.reader.read(1), { code: "ECONNRESET" });
      assert.equal(pair.reader.atEof(), false);
    });

    it("makes drain() throw ConnectionLostError with it as cause, and waitClosed() the reset itself", async () => {
      await using pair = await kind.open();
      await pair.reset();
      const error = await pair.writer.waitClosed().then(
        () => null,
        (reason: NodeJS.ErrnoException) => reason,
      );
      assert.equal(error?.code, "ECONNRESET");
      await assert.rejects(pair.writer.drain(), (lost: ConnectionLostError) => {
        assert.ok(lost instanceof ConnectionLostError);
        assert.equal(lost.cause, error);
        return true;
      });
      assert.equal(pair.reader.exception(), error);
      pair.writer.write("more");
      assert.equal(pair.writer.isClosing(), true);
    });

    it("without a waiting call causes no unhandled rejection and no 'error' event", async () => {
      await using pair = await kind.open();
      await pair.reset();
      await until(() => pair.writer.isClosing());
      await turns(10);
    });

    it("is not thrown by await using", async () => {
      await using pair = await kind.open();
      {
        await using _ = pair.writer;
        await pair.reset();
        await until(() => pair.writer.isClosing());
      }
    });
  });

  describe(`a peer that closes over ${kind.name}`, () => {
    it("while drain() waits, makes it throw", async () => {
      await using pair = await kind.open();
      pair.writer.write(Buffer.alloc(MUCH_BYTES));
      const draining = assert.rejects(pair.writer.drain(), (error: ConnectionLostError) => {
        assert.ok(error instanceof ConnectionLostError);
        assert.match((error.cause as NodeJS.ErrnoException).code ?? "", /^(EPIPE|ECONNRESET)$/);
        return true;
      });
      assert.equal(await isSettled(draining), false);
      pair.peer.destroy();
      await draining;
    });

    // Deno: end() on a TCP socket that has not read everything closes both sides.
    const halfCloses = kind.name === "TCP" ? cannot("tcp-half-close-with-unread-data", "deno") : {};
    it("only its side, leaves drain() waiting until it reads", halfCloses, async () => {
      await using pair = await kind.open();
      pair.writer.write(Buffer.alloc(MUCH_BYTES));
      const draining = pair.writer.drain();
      pair.peer.end();
      assert.equal((await pair.reader.read()).length, 0);
      assert.equal(await isSettled(draining), false);
      pair.peer.resume();
      await draining;
    });

    it("and is written to, breaks the pipe: a later drain() rejects", async () => {
      await using pair = await kind.open();
      pair.peer.destroy();
      assert.equal((await pair.reader.read()).length, 0);
      await assert.rejects(
        async () => {
          for (;;) {
            pair.writer.write("x".repeat(1_000));
            await pair.writer.drain();
            await turns();
          }
        },
        ({ cause }: ConnectionLostError) => /^(EPIPE|ECONNRESET)$/.test((cause as NodeJS.ErrnoException).code ?? ""),
      );
      await assert.rejects(pair.writer.waitClosed(), { code: /^(EPIPE|ECONNRESET)$/ });
    });

    it("while close() flushes, makes waitClosed() throw", async () => {
      await using pair = await kind.open();
      pair.writer.write(Buffer.alloc(MUCH_BYTES));
      pair.writer.close();
      const closing = assert.rejects(pair.writer.waitClosed(), { code: /^(EPIPE|ECONNRESET)$/ });
      assert.equal(await isSettled(closing), false);
      pair.peer.destroy();
      await closing;
    });
  });
}
