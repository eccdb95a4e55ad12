/** Checks of the end of a connection: by `close()`, `abort()`, `writeEof()`, the peer, or a protocol that throws. */
import assert from "node:assert/strict";
import { turns } from "../base/scheduling.js";
import type { Transport } from "../contracts/connection.js";
import { type CheckDefinition, lastBytes, payload, withPair } from "./check-context.js";

/** The number of turns to wait to be sure that something does not happen. */
const WATCHED_TURNS = 20;
const MUCH_BYTES = 1_000_000;

const invalidState = { name: "InvalidStateError", code: "ERR_INVALID_STATE" };

/** Hooks of a protocol that keeps its side open after the peer's EOF. */
const keepsOpen = { eofReceived: () => true };

export const endingChecks: readonly CheckDefinition[] = [
  {
    name: "close() sends the written data first, then both protocols get connectionLost(null)",
    run: ({ makePair }) =>
      withPair(makePair, {}, async ({ first, second }) => {
        first.transport.write(payload(MUCH_BYTES));
        first.transport.close();
        assert.deepEqual([await first.lost, await second.lost], [null, null]);
        assert.ok(second.received.equals(payload(MUCH_BYTES)));
        assert.deepEqual(second.order, ["connectionMade", "dataReceived", "eofReceived", "connectionLost"]);
        assert.equal(first.calls.at(-1), "connectionLost");
      }),
  },
  {
    name: "isClosing() and isReading() reflect close() at once",
    run: ({ makePair }) =>
      withPair(makePair, {}, async ({ first }) => {
        assert.deepEqual([first.transport.isClosing(), first.transport.isReading()], [false, true]);
        first.transport.close();
        assert.deepEqual([first.transport.isClosing(), first.transport.isReading()], [true, false]);
        await first.lost;
        assert.deepEqual([first.transport.isClosing(), first.transport.isReading()], [true, false]);
        assert.equal(first.transport.getWriteBufferSize(), 0);
      }),
  },
  {
    name: "connectionLost() comes once, and never from within close() or abort()",
    run: async ({ makePair }) => {
      for (const end of ["close", "abort"] as const) {
        await withPair(makePair, {}, async ({ first }) => {
          first.transport[end]();
          assert.deepEqual(first.losses, []);
          first.transport.close();
          first.transport.abort();
          await first.lost;
          first.transport.close();
          first.transport.abort();
          await turns(WATCHED_TURNS);
          assert.deepEqual(first.losses, [null]);
        });
      }
    },
  },
  {
    name: "after close() writes are silently ignored",
    run: ({ makePair }) =>
      withPair(makePair, {}, async ({ first, second }) => {
        first.transport.write("before");
        first.transport.close();
        first.transport.write("after");
        first.transport.writelines(["after"]);
        await Promise.all([first.lost, second.lost]);
        first.transport.write("after");
        assert.equal(second.received.toString(), "before");
      }),
  },
  {
    name: "after close() nothing more is received",
    run: ({ makePair }) =>
      withPair(makePair, {}, async ({ first, second }) => {
        first.transport.close();
        second.transport.write("too late");
        await Promise.all([first.lost, second.lost]);
        assert.deepEqual(first.chunks, []);
      }),
  },
  {
    name: "close() waits for a peer that does not read, then sends everything",
    clogged: true,
    run: ({ makeCloggedPair }) =>
      withPair(makeCloggedPair, {}, async ({ first, second }) => {
        first.transport.write("the end");
        first.transport.close();
        await turns(WATCHED_TURNS);
        assert.deepEqual(first.losses, []);
        second.transport.resumeReading();
        assert.deepEqual([await first.lost, await second.lost], [null, null]);
        assert.equal(lastBytes(second, 7), "the end");
      }),
  },
  {
    name: "abort() does not wait for a peer that does not read, and does not call resumeWriting()",
    clogged: true,
    run: ({ makeCloggedPair }) =>
      withPair(makeCloggedPair, {}, async ({ first, second }) => {
        const calls = first.calls.length;
        first.transport.abort();
        assert.equal(await first.lost, null);
        assert.deepEqual(first.calls.slice(calls), ["connectionLost"]);
        assert.equal(first.transport.getWriteBufferSize(), 0);
        second.transport.resumeReading();
        await second.lost;
      }),
  },
  {
    name: "abort() with a reason gives the protocol that reason",
    run: ({ makePair }) =>
      withPair(makePair, {}, async ({ first }) => {
        const reason = new Error("enough");
        first.transport.abort(reason);
        assert.equal(await first.lost, reason);
        assert.deepEqual(first.losses, [reason]);
      }),
  },
  {
    name: "abort() ends the connection of the peer",
    run: ({ makePair }) =>
      withPair(makePair, {}, async ({ first, second }) => {
        first.transport.abort();
        await second.lost;
        assert.equal(second.losses.length, 1);
        assert.equal(second.transport.isClosing(), true);
      }),
  },
  ...(["dataReceived", "eofReceived"] as const).map(
    (method): CheckDefinition => ({
      name: `a protocol that throws in ${method}() loses the connection with what it threw`,
      run: ({ makePair }) => {
        const failure = new Error("on purpose");
        const throws = (): never => {
          throw failure;
        };
        return withPair(makePair, { first: { [method]: throws } }, async ({ first, second }) => {
          if (method === "dataReceived") second.transport.write("data");
          else second.transport.close();
          assert.equal(await first.lost, failure);
          assert.deepEqual(first.losses, [failure]);
        });
      },
    }),
  ),
  ...(["close", "abort"] as const).flatMap((end) =>
    (["connectionMade", "dataReceived"] as const).map(
      (method): CheckDefinition => ({
        name: `${end}() within ${method}() ends the connection, and nothing more is received`,
        run: ({ makePair }) => {
          let ending: Transport | undefined;
          const hooks = {
            connectionMade: (transport: Transport) => {
              ending = transport;
              if (method === "connectionMade") transport[end]();
            },
            dataReceived: () => ending?.[end](),
          };
          return withPair(makePair, { second: hooks }, async ({ first, second }) => {
            for (let piece = 0; piece < 10; piece += 1) {
              first.transport.write(payload(1_000));
              await turns();
            }
            assert.equal(await second.lost, null);
            assert.equal(second.chunks.length, method === "connectionMade" ? 0 : 1);
          });
        },
      }),
    ),
  ),
  {
    name: "eofReceived() that does not return true closes the connection, after the data it has written",
    run: ({ makePair }) => {
      let answering: Transport | undefined;
      const hooks = {
        connectionMade: (transport: Transport) => {
          answering = transport;
        },
        eofReceived: () => answering?.write(payload(MUCH_BYTES)),
      };
      return withPair(makePair, { second: hooks }, async ({ first, second }) => {
        if (!first.transport.canWriteEof()) return;
        first.transport.writeEof();
        assert.equal(await second.lost, null);
        await first.lost;
        assert.ok(first.received.equals(payload(MUCH_BYTES)));
      });
    },
  },
  {
    name: "writeEof() throws if canWriteEof() is false",
    run: ({ makePair }) =>
      withPair(makePair, {}, async ({ first, second, until }) => {
        if (first.transport.canWriteEof()) return;
        assert.throws(() => first.transport.writeEof(), invalidState);
        first.transport.write("still open");
        await until(() => second.receivedBytes === 10);
      }),
  },
  {
    name: "writeEof() ends one side after the written data, and leaves the other open",
    run: ({ makePair }) =>
      withPair(makePair, { first: keepsOpen, second: keepsOpen }, async ({ first, second, until }) => {
        if (!first.transport.canWriteEof()) return;
        first.transport.write(payload(MUCH_BYTES));
        first.transport.writeEof();
        first.transport.writeEof();
        await until(() => second.calls.includes("eofReceived"));
        assert.ok(second.received.equals(payload(MUCH_BYTES)));
        second.transport.write(payload(MUCH_BYTES));
        await until(() => first.receivedBytes === MUCH_BYTES);
        assert.deepEqual([first.losses, second.losses], [[], []]);
        assert.deepEqual([first.transport.isClosing(), second.transport.isClosing()], [false, false]);
      }),
  },
  {
    name: "writing after writeEof() throws",
    run: ({ makePair }) =>
      withPair(makePair, { second: keepsOpen }, async ({ first, second, until }) => {
        if (!first.transport.canWriteEof()) return;
        first.transport.writeEof();
        assert.throws(() => first.transport.write("more"), invalidState);
        assert.throws(() => first.transport.writelines(["more"]), invalidState);
        await until(() => second.calls.includes("eofReceived"));
      }),
  },
  {
    name: "a connection whose two sides have both ended is kept until it is closed",
    run: ({ makePair }) =>
      withPair(makePair, { first: keepsOpen, second: keepsOpen }, async ({ first, second, until }) => {
        if (!first.transport.canWriteEof()) return;
        first.transport.writeEof();
        second.transport.writeEof();
        await until(() => first.calls.includes("eofReceived") && second.calls.includes("eofReceived"));
        await turns(WATCHED_TURNS);
        assert.deepEqual([first.losses, second.losses], [[], []]);
        first.transport.close();
        assert.equal(await first.lost, null);
        second.transport.close();
        assert.equal(await second.lost, null);
      }),
  },
  {
    name: "writeEof() after close() does nothing",
    run: ({ makePair }) =>
      withPair(makePair, {}, async ({ first }) => {
        if (!first.transport.canWriteEof()) return;
        first.transport.close();
        first.transport.writeEof();
        assert.equal(await first.lost, null);
        first.transport.writeEof();
      }),
  },
];
