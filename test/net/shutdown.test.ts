/** `Server.shutdown()` and `await using server`: an end in bounded time. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BaseProtocol, createUnixServer, openUnixConnection, type StreamReader, type StreamWriter } from "asyncio-streams";
import { echo } from "../support/echo.js";
import { kinds } from "../support/pairs.js";
import { socketPath } from "../support/temporary.js";
import { isSettled, until } from "../support/turns.js";

/** Longer than the time limit of a test: what ends has not ended by this. */
const LONG_MS = 600_000;

async function hangUp(writer: StreamWriter): Promise<void> {
  writer.close();
  await writer.waitClosed().catch(() => {});
}

for (const kind of kinds) {
  describe(`shutdown() over ${kind.name}`, () => {
    it("without clients ends at once", async () => {
      const { server } = await kind.serve(() => {});
      assert.deepEqual(await server.shutdown({ graceMs: LONG_MS }), { finished: 0, aborted: 0 });
      assert.equal(server.isServing(), false);
      assert.deepEqual(server.sockets, []);
    });

    it("ends idle clients: a read that waits for a new message gets EOF", async () => {
      const { server, connect } = await kind.serve(echo);
      const clients = [await connect(), await connect()];
      for (const [reader, writer] of clients) {
        writer.write("hello\n");
        await reader.readline();
      }
      assert.deepEqual(await server.shutdown({ graceMs: LONG_MS }), { finished: 2, aborted: 0 });
      for (const [reader, writer] of clients) {
        assert.equal((await reader.read()).length, 0);
        await hangUp(writer);
      }
    });

    it("lets a client finish its current message", async () => {
      let go!: () => void;
      const gate = new Promise<void>((resolve) => {
        go = resolve;
      });
      let started = false;
      const { server, connect } = await kind.serve(async (_reader, writer) => {
        started = true;
        await gate;
        writer.write("finished\n");
        await writer.drain();
      });
      const [reader, writer] = await connect();
      await until(() => started);
      const shutdown = server.shutdown({ graceMs: LONG_MS });
      assert.equal(await isSettled(shutdown), false);
      go();
      assert.equal((await reader.read()).toString(), "finished\n");
      assert.deepEqual(await shutdown, { finished: 1, aborted: 0 });
      await hangUp(writer);
    });

    it("closes connections whose callback had returned before", async () => {
      let returned = false;
      const { server, connect } = await kind.serve(async () => {
        await Promise.resolve();
        returned = true;
      });
      const [reader, writer] = await connect();
      await until(() => returned);
      assert.deepEqual(await server.shutdown({ graceMs: LONG_MS }), { finished: 1, aborted: 0 });
      assert.equal((await reader.read()).length, 0);
      await hangUp(writer);
    });

    it("gives a callback that is not async until the deadline, because it may still work", async () => {
      const clients: StreamWriter[] = [];
      const { server, connect } = await kind.serve((_reader, writer) => void clients.push(writer));
      const [, writer] = await connect();
      await until(() => clients.length === 1);
      assert.deepEqual(await server.shutdown({ graceMs: 1 }), { finished: 0, aborted: 1 });
      await hangUp(writer);
    });

    it("aborts the signal of every callback", async () => {
      const signals: AbortSignal[] = [];
      const { server, connect } = await kind.serve(async (_reader, writer, { signal }) => {
        signals.push(signal);
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        writer.write("bye");
      });
      const [reader, writer] = await connect();
      await until(() => signals.length === 1);
      assert.equal(signals[0]!.aborted, false);
      const shutdown = server.shutdown({ graceMs: LONG_MS });
      assert.equal(signals[0]!.aborted, true);
      assert.equal((signals[0]!.reason as Error).name, "AbortError");
      assert.equal((await reader.read()).toString(), "bye");
      assert.deepEqual(await shutdown, { finished: 1, aborted: 0 });
      await hangUp(writer);
    });

    it("a signal that is first looked at afterwards is aborted, too", async () => {
      let look!: () => void;
      let seen: boolean | undefined;
      const { server, connect } = await kind.serve(async (_reader, _writer, context) => {
        await new Promise<void>((resolve) => {
          look = resolve;
        });
        seen = context.signal.aborted;
      });
      const [, writer] = await connect();
      await until(() => look !== undefined);
      const shutdown = server.shutdown({ graceMs: LONG_MS });
      look();
      await shutdown;
      assert.equal(seen, true);
      await hangUp(writer);
    });

    it("cuts off the remaining clients at the deadline, and counts them", async () => {
      let stuck = 0;
      const { server, connect } = await kind.serve(async (reader, writer) => {
        if ((await reader.readline()).toString() === "stuck\n") {
          stuck += 1;
          await new Promise(() => {});
        }
        writer.close();
      });
      const [stuckReader, stuckWriter] = await connect();
      const [idleReader, idleWriter] = await connect();
      stuckWriter.write("stuck\n");
      await until(() => stuck === 1);
      assert.deepEqual(await server.shutdown({ graceMs: 30 }), { finished: 1, aborted: 1 });
      assert.equal((await idleReader.read()).length, 0);
      assert.equal((await stuckReader.read().catch(() => Buffer.alloc(0))).length, 0);
      await Promise.all([hangUp(idleWriter), hangUp(stuckWriter)]);
    });

    it("with graceMs: 0 and with an aborted signal cuts off at once", async () => {
      for (const options of [{ graceMs: 0 }, { graceMs: LONG_MS, signal: AbortSignal.abort() }]) {
        let started = false;
        const { server, connect } = await kind.serve(() => {
          started = true;
          return new Promise(() => {});
        });
        const [, writer] = await connect();
        await until(() => started);
        assert.deepEqual(await server.shutdown(options), { finished: 0, aborted: 1 });
        await hangUp(writer);
      }
    });

    it("an abort during the grace period is the deadline", async () => {
      let started = false;
      const controller = new AbortController();
      const { server, connect } = await kind.serve(() => {
        started = true;
        return new Promise(() => {});
      });
      const [, writer] = await connect();
      await until(() => started);
      const shutdown = server.shutdown({ graceMs: LONG_MS, signal: controller.signal });
      assert.equal(await isSettled(shutdown), false);
      controller.abort();
      assert.deepEqual(await shutdown, { finished: 0, aborted: 1 });
      await hangUp(writer);
    });

    it("twice at the same time ends both calls", async () => {
      const { server, connect } = await kind.serve(echo);
      const [, writer] = await connect();
      const results = await Promise.all([server.shutdown({ graceMs: LONG_MS }), server.shutdown({ graceMs: LONG_MS })]);
      for (const { aborted } of results) assert.equal(aborted, 0);
      assert.deepEqual(await server.shutdown(), { finished: 0, aborted: 0 });
      await hangUp(writer);
    });

    for (const [graceMs, code] of [
      [-1, "ERR_OUT_OF_RANGE"],
      [1.5, "ERR_OUT_OF_RANGE"],
      [Number.NaN, "ERR_OUT_OF_RANGE"],
      [-Infinity, "ERR_OUT_OF_RANGE"],
      ["5", "ERR_INVALID_ARG_TYPE"],
    ] as const) {
      it(`refuses graceMs: ${JSON.stringify(graceMs)}, and the server goes on`, async () => {
        const { server } = await kind.serve(() => {});
        await assert.rejects(server.shutdown({ graceMs: graceMs as number }), { code, message: /graceMs/ });
        assert.equal(server.isServing(), true);
        await server.shutdown();
      });
    }
  });

  describe(`await using a server over ${kind.name}`, () => {
    it("ends it, also with an idle client", async () => {
      let client: [StreamReader, StreamWriter];
      {
        const { server, connect } = await kind.serve(echo);
        await using _ = server;
        client = await connect();
        client[1].write("hello\n");
        await client[0].readline();
      }
      assert.equal((await client[0].read()).length, 0);
      await hangUp(client[1]);
    });
  });
}

describe("shutdown() of a server of protocols", () => {
  it("cuts off protocols without shutdownRequested() at the deadline", async () => {
    const path = socketPath();
    const server = await createUnixServer(() => new BaseProtocol(), path);
    const [, writer] = await openUnixConnection(path);
    assert.deepEqual(await server.shutdown({ graceMs: 1 }), { finished: 0, aborted: 1 });
    await hangUp(writer);
  });

  it("ends a connection whose shutdownRequested() throws, and still calls it for the others", async () => {
    const path = socketPath();
    const lost: (Error | null)[] = [];
    let told = 0;
    class Throws extends BaseProtocol {
      shutdownRequested(): void {
        told += 1;
        throw new Error("on purpose");
      }
      override connectionLost(error: Error | null): void {
        lost.push(error);
      }
    }
    const server = await createUnixServer(() => new Throws(), path);
    const clients = [await openUnixConnection(path), await openUnixConnection(path)];
    await until(() => server.getStats().active === 2);
    assert.deepEqual(await server.shutdown({ graceMs: 10_000 }), { finished: 2, aborted: 0 });
    assert.equal(told, 2);
    assert.deepEqual(
      lost.map((error) => error?.message),
      ["on purpose", "on purpose"],
    );
    for (const [, writer] of clients) await hangUp(writer);
  });
});
