/** Calls that are aborted at every turn of the event loop, over real sockets: before, while and after the data comes. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type SignalOptions, StreamReader, StreamReaderProtocol, type StreamWriter } from "asyncio-streams";
import { flowOf } from "#src/streams/flow-control.js";
import { collectGarbage } from "../support/garbage.js";
import { kinds, openPair } from "../support/pairs.js";
import { tcpTls, unixTls } from "../support/tls-kinds.js";
import { turns, until } from "../support/turns.js";
import { warningsOf } from "../support/warnings-of.js";
import { watchedController } from "../support/watched-signal.js";

/** Data that is written now has come after fewer turns. */
const TURNS = 12;

const MUCH_BYTES = 4 * 1_048_576;

/** Each reading call: what it gives of the message "one two\n". */
const reads: readonly (readonly [name: string, result: string, call: (reader: StreamReader, options: SignalOptions) => Promise<Buffer>])[] =
  [
    ["read(3)", "one", (reader, options) => reader.read(3, options)],
    ["readline()", "one two\n", (reader, options) => reader.readline(options)],
    ["readexactly(5)", "one t", (reader, options) => reader.readexactly(5, options)],
    ["readuntil(tw)", "one tw", (reader, options) => reader.readuntil("tw", options)],
  ];

for (const kind of [...kinds, unixTls, tcpTls]) {
  describe(`an abort at any turn over ${kind.name}`, () => {
    for (const [name, result, call] of reads) {
      it(`of ${name} takes all bytes or none: no byte is lost or doubled`, async () => {
        await using pair = await openPair(kind);
        const { reader } = pair.client;
        const outcomes = new Set<string>();
        // Before the peer writes, and after.
        for (const [turnsBefore, turnsAfter] of [
          [0, null],
          [2, null],
          ...Array.from({ length: TURNS }, (_, turn) => [1, turn] as const),
          [0, Infinity],
        ] as const) {
          const controller = watchedController();
          const settled = call(reader, { signal: controller.signal }).then(
            (bytes) => bytes.toString(),
            (error: Error) => error.name,
          );
          await turns(turnsBefore);
          if (turnsAfter === null) controller.abort();
          pair.peer.writer.write("one two\n");
          if (turnsAfter === Infinity) await settled;
          else await turns(turnsAfter ?? 0);
          controller.abort();
          const outcome = await settled;
          outcomes.add(outcome);
          assert.equal(controller.listeners(), 0);
          const rest = await reader.readexactly("one two\n".length - (outcome === result ? result.length : 0));
          assert.equal((outcome === result ? outcome : "") + rest.toString(), "one two\n", `${turnsAfter} turns after the write`);
        }
        assert.deepEqual([...outcomes].sort(), ["AbortError", result].sort());
      });
    }

    it("of read() to the end takes nothing: the next read gets all bytes", async () => {
      for (let turn = 0; turn < TURNS; turn += 1) {
        await using pair = await openPair(kind);
        const controller = watchedController();
        const settled = pair.client.reader.read(-1, { signal: controller.signal }).then(
          (bytes) => bytes.toString(),
          (error: Error) => error.name,
        );
        pair.peer.writer.write("one two\n");
        pair.peer.writer.close();
        await turns(turn);
        controller.abort();
        const outcome = await settled;
        assert.equal(controller.listeners(), 0);
        assert.equal((outcome === "AbortError" ? "" : outcome) + (await pair.client.reader.read()).toString(), "one two\n");
      }
    });

    it("of drain() and flush() ends the wait only: the peer gets everything once", async () => {
      await using pair = await openPair(kind);
      const bytes = Buffer.alloc(MUCH_BYTES, "abcdefg");
      const { writer } = pair.client;
      for (let turn = 0; turn < TURNS; turn += 1) {
        const controller = watchedController();
        writer.write(bytes);
        const waits = Promise.allSettled([writer.drain({ signal: controller.signal }), writer.flush({ signal: controller.signal })]);
        const reading = pair.peer.reader.readexactly(MUCH_BYTES);
        await turns(turn);
        controller.abort();
        for (const wait of await waits) assert.ok(wait.status === "fulfilled" || wait.reason.name === "AbortError");
        assert.equal(controller.listeners(), 0);
        assert.ok((await reading).equals(bytes));
      }
    });

    it("of waitClosed() ends the wait only", async () => {
      for (let turn = 0; turn < TURNS; turn += 1) {
        await using pair = await openPair(kind);
        const controller = watchedController();
        const wait = pair.client.writer
          .waitClosed({ signal: controller.signal })
          .catch((error: Error) => assert.equal(error.name, "AbortError"));
        pair.client.writer.close();
        pair.peer.writer.close();
        await turns(turn);
        controller.abort();
        await wait;
        assert.equal(controller.listeners(), 0);
        await pair.client.writer.waitClosed();
      }
    });

    it("of opening leaves a working connection, or none on either side", async () => {
      const served: StreamWriter[] = [];
      const { server, connect } = await kind.serve(
        async (reader, writer) => {
          served.push(writer);
          writer.write(await reader.readline().catch(() => ""));
          writer.close();
        },
        { onClientError: () => {} },
      );
      for (let turn = 0; turn < 2 * TURNS; turn += 1) {
        const controller = watchedController();
        const reason = new Error("enough");
        const opening = connect({ signal: controller.signal });
        const settled = opening.catch((error: unknown) => assert.equal(error, reason));
        await turns(turn);
        controller.abort(reason);
        const pair = await settled;
        assert.equal(controller.listeners(), 0);
        if (pair === undefined) continue;
        // The signal was for the connecting, and has no say any more.
        pair[1].write("hello\n");
        assert.equal((await pair[0].read()).toString(), "hello\n");
        pair[1].close();
        await pair[1].waitClosed();
      }
      await until(() => served.every((writer) => writer.isClosing()) && server.getStats().handshakes === 0);
      server.close();
      await server.waitClosed();
    });

    it("of the start and the waits of a server leaves a working server, or none", async () => {
      for (let turn = 0; turn < TURNS; turn += 1) {
        const controller = watchedController();
        const starting = kind.serve((_reader, writer) => writer.close(), { signal: controller.signal });
        await turns(turn);
        controller.abort();
        const started = await starting.catch((error: Error) => assert.equal(error.name, "AbortError"));
        assert.equal(started?.server.isServing() ?? false, false);
        await started?.server.waitClosed();
        assert.equal(controller.listeners(), 0);

        const { server } = await kind.serve((_reader, writer) => writer.close());
        const second = watchedController();
        const { signal } = second;
        const waits = Promise.allSettled([server.serveForever({ signal }), server.waitClosed({ signal }), server.waitClosed()]);
        await turns(turn);
        second.abort();
        const [forever, closed, last] = await waits;
        assert.deepEqual([forever.status, closed.status, last.status], ["rejected", "rejected", "fulfilled"]);
        assert.equal(second.listeners(), 0);
      }
    });
  });
}

describe("ten thousand calls on one signal", () => {
  const CALLS = 10_000;

  /** What all of them may leave in the heap together. A listener for each would be some megabytes. */
  const MOST_BYTES = 500_000;

  const waits: readonly (readonly [string, () => (options: SignalOptions) => Promise<unknown>])[] = [
    [
      "readline()",
      () => {
        const reader = new StreamReader();
        return (options) => {
          const waiting = reader.readline(options);
          reader.feedData("line\n");
          return waiting;
        };
      },
    ],
    [
      "drain()",
      () => {
        const protocol = new StreamReaderProtocol(null);
        return (options) => {
          protocol.pauseWriting();
          const waiting = flowOf(protocol).drained(options.signal);
          protocol.resumeWriting();
          return waiting;
        };
      },
    ],
  ];

  for (const [name, prepare] of waits) {
    it(`of ${name} leave the memory as it was, and cause no warning`, async () => {
      const call = prepare();
      const controller = watchedController();
      const { signal } = controller;
      const run = async (): Promise<number> => {
        for (let time = 0; time < CALLS; time += 1) await call({ signal });
        await collectGarbage();
        return process.memoryUsage().heapUsed;
      };
      let before = 0;
      let after = 0;
      const warnings = await warningsOf(async () => {
        await run();
        before = await run();
        after = await run();
      });
      assert.deepEqual(warnings, []);
      assert.ok(after - before < MOST_BYTES, `the heap has grown by ${after - before} bytes`);
      assert.deepEqual([controller.listeners(), controller.peak()], [0, 1]);
    });
  }
});
