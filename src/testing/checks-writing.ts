/** Checks of writing: the write buffer, its water marks, `pauseWriting()` and `resumeWriting()`. */
import assert from "node:assert/strict";
import { turns } from "../base/scheduling.js";
import type { Transport, WriteBufferLimits, WriteData } from "../contracts/connection.js";
import { type CheckDefinition, lastBytes, withPair } from "./check-context.js";
import { RecordingProtocol } from "./recording-protocol.js";

/** The number of turns to wait to be sure that something does not happen. */
const WATCHED_TURNS = 20;

const invalidType = { name: "TypeError", code: "ERR_INVALID_ARG_TYPE" };
const outOfRange = { name: "RangeError", code: "ERR_OUT_OF_RANGE" };

export const writingChecks: readonly CheckDefinition[] = [
  {
    name: "write() and writelines() throw a TypeError for data that is neither bytes nor text, and send none of it",
    run: ({ makePair }) =>
      withPair(makePair, {}, async ({ first, second, until }) => {
        for (const wrong of [5, null, undefined, {}, [1], true, new ArrayBuffer(3)] as unknown as WriteData[]) {
          assert.throws(() => first.transport.write(wrong), invalidType);
          assert.throws(() => first.transport.writelines(["half", wrong]), invalidType);
        }
        assert.throws(() => first.transport.writelines(5 as never), TypeError);
        first.transport.write("whole");
        await until(() => second.receivedBytes >= 5);
        await turns(WATCHED_TURNS);
        assert.equal(second.received.toString(), "whole");
      }),
  },
  {
    name: "writelines() takes any iterable",
    run: ({ makePair }) =>
      withPair(makePair, {}, async ({ first, second, until }) => {
        first.transport.writelines(new Set(["one ", Buffer.from("two ")]));
        first.transport.writelines(["three"].values());
        await until(() => second.receivedBytes >= 13);
        assert.equal(second.received.toString(), "one two three");
      }),
  },
  {
    name: "getWriteBufferSize() falls to 0 once the peer has everything",
    run: ({ makePair }) =>
      withPair(makePair, {}, async ({ first, second, until }) => {
        assert.equal(first.transport.getWriteBufferSize(), 0);
        first.transport.write(Buffer.alloc(300_000));
        await until(() => second.receivedBytes === 300_000);
        await until(() => first.transport.getWriteBufferSize() === 0);
      }),
  },
  {
    name: "setWriteBufferLimits() computes the missing mark, and getWriteBufferLimits() returns low and high",
    run: ({ makePair }) =>
      withPair(makePair, {}, ({ first: { transport } }) => {
        const [low, high] = transport.getWriteBufferLimits();
        assert.ok(low >= 0 && low <= high, `[${low}, ${high}]`);
        for (const [limits, expected] of [
          [{ high: 1_000 }, [250, 1_000]],
          [{ low: 100 }, [100, 400]],
          [{ high: 9, low: 3 }, [3, 9]],
          [{ high: 0 }, [0, 0]],
          [undefined, [low, high]],
        ] as const satisfies readonly (readonly [WriteBufferLimits | undefined, readonly [number, number]])[]) {
          transport.setWriteBufferLimits(limits);
          assert.deepEqual(transport.getWriteBufferLimits(), expected);
        }
      }),
  },
  {
    name: "setWriteBufferLimits() refuses invalid marks, and keeps the old ones",
    run: ({ makePair }) =>
      withPair(makePair, {}, ({ first: { transport } }) => {
        const before = transport.getWriteBufferLimits();
        for (const limits of [{ high: 1, low: 2 }, { high: -1 }, { low: -1 }, { high: 0.5 }]) {
          assert.throws(() => transport.setWriteBufferLimits(limits), outOfRange);
        }
        assert.throws(() => transport.setWriteBufferLimits(5 as never), invalidType);
        assert.deepEqual(transport.getWriteBufferLimits(), before);
      }),
  },
  {
    name: "pauseWriting() comes above the high mark, and resumeWriting() at the low mark once the peer reads",
    clogged: true,
    run: ({ makeCloggedPair }) => {
      let sizeAtResume = -1;
      let writing: Transport | undefined;
      const hooks = {
        connectionMade: (transport: Transport) => {
          writing = transport;
        },
        resumeWriting: () => (sizeAtResume = writing?.getWriteBufferSize() ?? -1),
      };
      return withPair(makeCloggedPair, { first: hooks }, async ({ first, second, until }) => {
        const [low, high] = first.transport.getWriteBufferLimits();
        assert.equal(first.calls.at(-1), "pauseWriting");
        assert.ok(first.transport.getWriteBufferSize() > low);
        const calls = first.calls.length;
        sizeAtResume = -1;
        await turns(WATCHED_TURNS);
        first.transport.write(Buffer.alloc(high + 1));
        assert.deepEqual(first.calls.slice(calls), []);
        second.transport.resumeReading();
        await until(() => first.calls.length > calls);
        assert.deepEqual(first.calls.slice(calls), ["resumeWriting"]);
        assert.ok(sizeAtResume >= 0 && sizeAtResume <= low, `${sizeAtResume} bytes are still buffered: the low mark is ${low}`);
      });
    },
  },
  {
    name: "new marks apply to data that is already buffered",
    clogged: true,
    run: ({ makeCloggedPair }) =>
      withPair(makeCloggedPair, {}, ({ first }) => {
        const size = first.transport.getWriteBufferSize();
        const calls = first.calls.length;
        first.transport.setWriteBufferLimits({ high: 4 * size, low: 2 * size });
        assert.deepEqual(first.calls.slice(calls), ["resumeWriting"]);
        first.transport.setWriteBufferLimits({ high: 1 });
        assert.deepEqual(first.calls.slice(calls), ["resumeWriting", "pauseWriting"]);
      }),
  },
  {
    name: "setProtocol() calls pauseWriting() of the new protocol if the transport is full, and resumeWriting() later",
    clogged: true,
    run: ({ makeCloggedPair }) =>
      withPair(makeCloggedPair, {}, async ({ first, second, until }) => {
        const other = new RecordingProtocol({ connectionLost: (error) => first.connectionLost(error) });
        const calls = first.calls.length;
        first.transport.setProtocol(other);
        assert.deepEqual(other.calls, ["pauseWriting"]);
        second.transport.resumeReading();
        await until(() => other.calls.length > 1);
        assert.deepEqual(other.calls, ["pauseWriting", "resumeWriting"]);
        assert.equal(first.calls.length, calls);
      }),
  },
  {
    name: "write() never waits, and data written above the high mark is sent too",
    clogged: true,
    run: ({ makeCloggedPair }) =>
      withPair(makeCloggedPair, {}, async ({ first, second, until }) => {
        const before = first.transport.getWriteBufferSize();
        first.transport.write(Buffer.alloc(100_000, "x"));
        assert.equal(first.transport.getWriteBufferSize(), before + 100_000);
        first.transport.write("the end");
        second.transport.resumeReading();
        await until(() => lastBytes(second, 7) === "the end");
      }),
  },
];
