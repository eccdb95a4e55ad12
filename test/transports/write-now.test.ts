/** Writing memory of the program's: offered to the system once, and what is not taken is copied. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import { nodeInternals } from "#src/transports/stream-handle.js";
import { copyBehind, lengthOf, writeNow } from "#src/transports/write-now.js";
import { turns, until } from "../support/turns.js";
import { openToBareSocket, protocolKinds } from "./protocol-pairs.js";

describe("copyBehind()", () => {
  it("copies the bytes behind a position, across pieces", () => {
    const pieces = ["one ", "two ", "three"].map((text) => Buffer.from(text));
    assert.deepEqual(
      [0, 2, 4, 9, 13].map((taken) => copyBehind(pieces, taken).toString()),
      ["one two three", "e two three", "two three", "hree", ""],
    );
    assert.equal(copyBehind(Buffer.from("alone"), 2).toString(), "one");
    assert.equal(lengthOf(pieces), 13);
  });
});

describe("writeNow()", () => {
  it("takes nothing if the descriptor is not known", () => {
    assert.deepEqual([writeNow(undefined, Buffer.alloc(1)), writeNow(-1, Buffer.alloc(1))], [0, 0]);
  });

  for (const kind of protocolKinds) {
    it(`sends much in one piece over ${kind.name}, and fails for a peer that has closed`, {
      skip: nodeInternals() === null && "on libuv's handles only",
    }, async () => {
      await using pair = await openToBareSocket(kind);
      const { transport } = pair.client;
      let received = 0;
      pair.socket
        .on("error", () => {})
        .on("data", (chunk) => {
          received += chunk.length;
        });
      pair.socket.resume();
      transport.write(Buffer.alloc(100_000));
      await until(() => received === 100_000);
      transport.pauseReading(); // so that only a write can tell
      const closed = once(pair.socket, "close");
      pair.socket.destroy();
      await closed;
      while (!transport.isClosing()) {
        transport.write(Buffer.alloc(100_000));
        await turns();
      }
      transport.close();
      await until(() => pair.client.calls.includes("connectionLost"));
    });
  }
});
