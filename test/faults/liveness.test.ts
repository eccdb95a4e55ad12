/** Loops of awaited calls that never have to wait: they let timers and other clients run, and end once the connection is lost. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StreamReader, type StreamWriter } from "asyncio-streams";
import { delimited } from "asyncio-streams/framing";
import { MUCH_BYTES } from "../support/much.js";
import type { End } from "../support/pairs.js";
import { routes } from "../support/routes.js";
import { cannot } from "../support/runtime.js";
import { tcpTls } from "../support/tls-kinds.js";
import { until } from "../support/turns.js";

/** Calls for which the event loop has to turn once: 256, or 64 KiB. */
const CALLS = 256;
const TURN_BYTES = 65_536;

const IN_A_MINUTE = { timeout: 60_000 };

const WAITS: Readonly<Record<string, (writer: StreamWriter) => Promise<void>>> = {
  "drain()": (writer) => writer.drain(),
  "drain() with a time-out": (writer) => writer.drain(IN_A_MINUTE),
  "flush()": (writer) => writer.flush(),
  "flush() with a time-out": (writer) => writer.flush(IN_A_MINUTE),
};

/** Counts the turns of the event loop. */
class TurnCounter implements Disposable {
  turns = 0;
  #over = false;

  constructor() {
    const turn = (): void => {
      this.turns += 1;
      if (!this.#over) setImmediate(turn);
    };
    setImmediate(turn);
  }

  [Symbol.dispose](): void {
    this.#over = true;
  }
}

/** Reads everything, and forgets it. */
async function readOn({ reader }: End): Promise<void> {
  for await (const _ of reader.chunks());
}

for (const route of routes) {
  describe(`a loop of write() and drain() over ${route.name}`, () => {
    for (const [name, wait] of Object.entries(WAITS)) {
      for (const size of [10, 1000, 100_000]) {
        it(`ends by ECONNRESET when the peer has left: ${name} after ${size} bytes`, async () => {
          await using ends = await route.open();
          const { client, peer } = ends;
          const reading = readOn(peer).catch(() => {});
          const piece = Buffer.alloc(size);
          let writes = 0;
          // The peer leaves in a timer, so the loop ends only if it lets timers run.
          const leave = (): void => {
            if (writes > 100) peer.writer.abort();
            else setTimeout(leave, 1);
          };
          leave();
          const loop = async (): Promise<void> => {
            for (;;) {
              client.writer.write(piece);
              await wait(client.writer);
              writes += 1;
            }
          };
          await assert.rejects(loop(), { name: "ConnectionLostError", code: "ECONNRESET" });
          assert.equal(client.writer.isClosing(), true);
          await reading;
        });
      }

      it(`lets the event loop turn, however fast the peer reads: ${name}`, async () => {
        await using ends = await route.open();
        const { client, peer } = ends;
        const reading = readOn(peer);
        for (const [size, calls] of [
          [1, 10 * CALLS],
          [16_384, 100],
        ] as const) {
          using counter = new TurnCounter();
          const piece = Buffer.alloc(size);
          for (let call = 0; call < calls; call += 1) {
            client.writer.write(piece);
            await wait(client.writer);
          }
          const least = Math.floor(Math.max(calls / CALLS, (calls * size) / (TURN_BYTES + size))) - 1;
          assert.ok(counter.turns >= least, `${counter.turns} turns in ${calls} calls of ${size} bytes`);
        }
        client.writer.close();
        await reading;
      });
    }
  });

  describe(`a loss that is known over ${route.name}`, () => {
    // Deno: reports what was written over TLS as sent, and the connection as ended in order.
    const losesWrites = route.name === tcpTls.name ? cannot("lost-writes-over-tls", "deno") : {};
    it("closes the writer, and drain() and flush() reject without a turn of the event loop", losesWrites, async () => {
      await using ends = await route.open();
      const { client, peer } = ends;
      peer.writer.abort();
      await until(() => {
        if (!client.writer.isClosing()) client.writer.write("x".repeat(5000));
        return client.writer.isClosing();
      });
      using counter = new TurnCounter();
      for (const wait of Object.values(WAITS)) await assert.rejects(wait(client.writer), { name: "ConnectionLostError" });
      client.writer.write("nothing happens");
      client.writer.writelines(["nothing", "happens"]);
      await assert.rejects(client.writer.drain(), { name: "ConnectionLostError" });
      assert.equal(counter.turns, 0);
    });

    it("ends a drain() that waits for the peer to read", losesWrites, async () => {
      await using ends = await route.open();
      const { client, peer } = ends;
      client.writer.write(Buffer.alloc(MUCH_BYTES));
      const draining = assert.rejects(client.writer.drain(), { name: "ConnectionLostError" });
      peer.writer.abort();
      await draining;
      assert.equal(client.writer.isClosing(), true);
    });
  });
}

const READS: Readonly<Record<string, (reader: StreamReader) => Promise<unknown>>> = {
  "readline()": (reader) => reader.readline(),
  "readline() with a time-out": (reader) => reader.readline(IN_A_MINUTE),
  "read(1)": (reader) => reader.read(1),
  "readexactly(1)": (reader) => reader.readexactly(1),
  "readexactly(1) with a time-out": (reader) => reader.readexactly(1, IN_A_MINUTE),
  "readuntil()": (reader) => reader.readuntil("\n"),
  "readinto()": (reader) => reader.readinto(new Uint8Array(1)),
  "chunks(1)": (reader) => reader.chunks(1)[Symbol.asyncIterator]().next(),
  "peek(1)": (reader) => reader.peek(1),
  "a frame": (reader) => delimited("\n").readFrame(reader),
  "skip(1)": (reader) => reader.skip(1),
  "an iteration": (reader) => reader[Symbol.asyncIterator]().next(),
  "an iteration of lines()": (reader) => reader.lines({ encoding: "utf8" })[Symbol.asyncIterator]().next(),
};

/** Makes the call so often that the event loop has to turn. */
async function checkReads(reader: StreamReader, read: (reader: StreamReader) => Promise<unknown>): Promise<void> {
  using counter = new TurnCounter();
  for (let call = 0; call < 10 * CALLS; call += 1) await read(reader);
  assert.ok(counter.turns >= 9, `${counter.turns} turns`);
}

describe("a loop of reads of a reader that is fed by hand", () => {
  for (const [name, read] of Object.entries(READS)) {
    it(`lets the event loop turn: ${name}`, async () => {
      const reader = new StreamReader();
      reader.feedData("\n".repeat(10 * CALLS));
      await checkReads(reader, read);
    });
  }
});

for (const route of routes) {
  describe(`a loop of reads over ${route.name}`, () => {
    for (const [name, read] of Object.entries(READS)) {
      it(`lets the event loop turn: ${name}`, async () => {
        await using ends = await route.open();
        ends.peer.writer.write("\n".repeat(10 * CALLS));
        await until(() => ends.client.reader.bufferedLength === 10 * CALLS);
        await checkReads(ends.client.reader, read);
      });
    }
  });
}
