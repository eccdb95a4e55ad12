/** Checks of reading: `connectionMade()`, `dataReceived()`, and pausing. */
import assert from "node:assert/strict";
import { turns } from "../base/scheduling.js";
import type { Transport } from "../contracts/connection.js";
import { type CheckDefinition, payload, withPair } from "./check-context.js";
import { RecordingProtocol } from "./recording-protocol.js";

/** The number of turns to wait to be sure that something does not happen. */
const WATCHED_TURNS = 20;

export const readingChecks: readonly CheckDefinition[] = [
  {
    name: "connectionMade() comes first, once, with the transport that the protocol belongs to",
    run: ({ makePair }) =>
      withPair(makePair, {}, async ({ first, second, until }) => {
        for (const [from, to] of [
          [first, second],
          [second, first],
        ] as const) {
          assert.equal(from.transport.getProtocol(), from);
          from.transport.write("hello");
          await until(() => to.receivedBytes === 5);
          assert.deepEqual(to.order, ["connectionMade", "dataReceived"]);
        }
      }),
  },
  {
    name: "carries bytes both ways, in order and unchanged",
    run: ({ makePair }) =>
      withPair(makePair, {}, async ({ first, second, until }) => {
        let total = 0;
        for (const size of [1, 2, 1_000, 65_535, 65_536, 65_537, 3, 200_000, 1]) {
          for (const end of [first, second]) end.transport.write(payload(size, total));
          total += size;
          await turns(size % 2);
        }
        await until(() => first.receivedBytes >= total && second.receivedBytes >= total);
        for (const end of [first, second]) assert.ok(end.received.equals(payload(total)), "the received bytes differ from the sent bytes");
      }),
  },
  {
    name: "data written in one turn arrives in order",
    run: ({ makePair }) =>
      withPair(makePair, {}, async ({ first, second, until }) => {
        let text = "";
        for (let number = 0; number < 2_000; number += 1) {
          text += `${number},`;
          if (number % 2 === 0) first.transport.write(`${number},`);
          else first.transport.writelines([String(number), Buffer.from(",")]);
        }
        await until(() => second.receivedBytes >= text.length);
        assert.equal(second.received.toString(), text);
      }),
  },
  {
    name: "sends text as UTF-8, only the viewed bytes of a view, and nothing for an empty write",
    run: ({ makePair }) =>
      withPair(makePair, {}, async ({ first, second, until }) => {
        first.transport.write("");
        first.transport.write(new Uint8Array(0));
        first.transport.writelines([]);
        await turns(WATCHED_TURNS);
        assert.deepEqual(second.calls, ["connectionMade"]);
        first.transport.write("grüße €");
        first.transport.write(new Uint8Array([1, 2, 3, 4, 5]).subarray(1, 3));
        const expected = Buffer.concat([Buffer.from("grüße €"), Buffer.from([2, 3])]);
        await until(() => second.receivedBytes >= expected.length);
        assert.deepEqual(second.received, expected);
      }),
  },
  {
    name: "delivers Buffers that are never empty, and never change afterwards",
    run: ({ makePair }) =>
      withPair(makePair, {}, async ({ first, second, until }) => {
        const total = 1_000_000;
        for (let sent = 0; sent < total; sent += 10_000) {
          const mine = payload(10_000, sent);
          first.transport.write(mine);
          await until(() => second.receivedBytes === sent + 10_000);
          mine.fill(0xff); // it has been sent, so the program may reuse it
        }
        assert.ok(second.chunks.every((chunk) => Buffer.isBuffer(chunk) && chunk.length > 0));
        assert.ok(second.received.equals(payload(total)), "a chunk changed after it was delivered");
      }),
  },
  {
    name: "pauseReading() holds the data back, and resumeReading() delivers all of it",
    run: ({ makePair }) =>
      withPair(makePair, {}, async ({ first, second, until }) => {
        assert.equal(second.transport.isReading(), true);
        second.transport.pauseReading();
        second.transport.pauseReading();
        assert.equal(second.transport.isReading(), false);
        first.transport.write(payload(100_000));
        await turns(WATCHED_TURNS);
        assert.deepEqual(second.calls, ["connectionMade"]);
        second.transport.resumeReading();
        second.transport.resumeReading();
        assert.equal(second.transport.isReading(), true);
        await until(() => second.receivedBytes >= 100_000);
        assert.ok(second.received.equals(payload(100_000)));
      }),
  },
  {
    name: "pauseReading() within dataReceived() takes effect at once",
    run: ({ makePair }) => {
      let paused: Transport | undefined;
      const hooks = { connectionMade: (transport: Transport) => (paused = transport), dataReceived: () => paused?.pauseReading() };
      return withPair(makePair, { second: hooks }, async ({ first, second, until }) => {
        const total = 300_000;
        first.transport.write(payload(total));
        for (let chunks = 1; second.receivedBytes < total; chunks += 1) {
          await until(() => second.chunks.length >= chunks);
          await turns(3);
          assert.equal(second.chunks.length, chunks);
          second.transport.resumeReading();
        }
        assert.ok(second.received.equals(payload(total)));
      });
    },
  },
  {
    name: "keeps reading if connectionMade() pauses reading and resumes it",
    run: ({ makePair }) => {
      const restart = (transport: Transport): void => {
        transport.pauseReading();
        transport.resumeReading();
      };
      const hooks = { connectionMade: restart };
      return withPair(makePair, { first: hooks, second: hooks }, async ({ first, second, until }) => {
        for (const end of [first, second]) end.transport.write("hello");
        await until(() => first.receivedBytes === 5 && second.receivedBytes === 5);
      });
    },
  },
  {
    name: "keeps reading if dataReceived() pauses reading and resumes it, also data that was held back",
    run: ({ makePair }) => {
      let transport: Transport | undefined;
      let chunks = 0;
      const restart = (): void => {
        chunks += 1;
        transport?.pauseReading();
        if (chunks > 1) transport?.resumeReading();
      };
      const hooks = { connectionMade: (made: Transport) => (transport = made), dataReceived: restart };
      return withPair(makePair, { second: hooks }, async ({ first, second, until }) => {
        const total = 128_000;
        for (let sent = 0; sent < total; sent += 16_000) first.transport.write(payload(16_000, sent));
        await until(() => chunks === 1);
        await turns(WATCHED_TURNS);
        second.transport.resumeReading();
        await until(() => second.receivedBytes >= total);
        assert.ok(second.received.equals(payload(total)));
      });
    },
  },
  {
    name: "setProtocol() delivers the data to another protocol, without calling its connectionMade()",
    run: ({ makePair }) =>
      withPair(makePair, {}, async ({ first, second, until }) => {
        first.transport.write("for the one");
        await until(() => second.receivedBytes === 11);
        const other = new RecordingProtocol({ connectionLost: (error) => second.connectionLost(error) });
        second.transport.setProtocol(other);
        assert.equal(second.transport.getProtocol(), other);
        first.transport.write("for the other");
        await until(() => other.receivedBytes === 13);
        assert.equal(other.received.toString(), "for the other");
        assert.deepEqual(other.order, ["dataReceived"]);
        assert.equal(second.received.toString(), "for the one");
      }),
  },
  {
    name: "getExtraInfo() returns null, or the default, for an unknown name",
    run: ({ makePair }) =>
      withPair(makePair, {}, ({ first }) => {
        const { transport } = first;
        assert.equal(transport.getExtraInfo("no such key" as string), null);
        assert.equal(transport.getExtraInfo("no such key" as string, 7), 7);
        assert.equal(transport.getExtraInfo("toString" as string), null);
      }),
  },
];
