/** The write buffer of a transport: its size, its marks, and how writes become chunks. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { once } from "node:events";
import type net from "node:net";
import { describe, it } from "node:test";
import { InvalidStateError } from "asyncio-streams";
import { MUCH_BYTES } from "../support/much.js";
import { turns, until } from "../support/turns.js";
import { openToBareSocket, protocolKinds } from "./protocol-pairs.js";

async function nextChunk(socket: net.Socket): Promise<string> {
  socket.resume();
  const [chunk] = (await once(socket, "data")) as [Buffer];
  return chunk.toString();
}

function* failing(): Generator<string> {
  yield "half";
  throw new Error("no more");
}

for (const kind of protocolKinds) {
  describe(`the write buffer over ${kind.name}`, () => {
    it("small writes of one turn arrive as one chunk", async () => {
      await using pair = await openToBareSocket(kind);
      for (const piece of ["one ", "two ", "three "]) pair.client.transport.write(piece);
      pair.client.transport.writelines(["four ", Buffer.from("five")]);
      assert.equal(await nextChunk(pair.socket), "one two three four five");
    });

    it("so do those of promises that follow one another", async () => {
      await using pair = await openToBareSocket(kind);
      const { transport } = pair.client;
      await Promise.resolve();
      for (let number = 0; number < 10; number += 1) {
        transport.write(`${number}`);
        await Promise.resolve();
      }
      assert.equal(await nextChunk(pair.socket), "0123456789");
    });

    it("begins with 16 KiB and 64 KiB as its marks", async () => {
      await using pair = await openToBareSocket(kind);
      assert.deepEqual(pair.client.transport.getWriteBufferLimits(), [16_384, 65_536]);
    });

    it("does not pause while the system takes everything", async () => {
      await using pair = await openToBareSocket(kind);
      pair.socket.resume();
      for (let round = 0; round < 20; round += 1) {
        pair.client.transport.write(Buffer.alloc(16_384));
        await until(() => pair.client.transport.getWriteBufferSize() === 0);
      }
      assert.deepEqual(pair.client.calls, ["connectionMade"]);
    });

    it("pauses the protocol above the high mark, and resumes it at the low one", async () => {
      let atResume = -1;
      await using pair = await openToBareSocket(kind, { resumeWriting: () => (atResume = pair.client.transport.getWriteBufferSize()) });
      const { transport } = pair.client;
      transport.setWriteBufferLimits({ high: 300_000, low: 100_000 });
      assert.deepEqual(transport.getWriteBufferLimits(), [100_000, 300_000]);
      for (let sent = 0; sent < MUCH_BYTES; sent += 65_536) transport.write(Buffer.alloc(65_536));
      assert.deepEqual(pair.client.calls, ["connectionMade", "pauseWriting"]);
      assert.ok(transport.getWriteBufferSize() > 300_000);
      pair.socket.resume();
      await until(() => pair.client.calls.length > 2);
      assert.deepEqual(pair.client.calls, ["connectionMade", "pauseWriting", "resumeWriting"]);
      assert.ok(atResume >= 0 && atResume <= 100_000, `${atResume} bytes`);
    });

    it("with a high mark of 0 pauses for any unsent byte, and resumes when all is sent", async () => {
      let atResume = -1;
      await using pair = await openToBareSocket(kind, { resumeWriting: () => (atResume = pair.client.transport.getWriteBufferSize()) });
      const { transport } = pair.client;
      transport.setWriteBufferLimits({ high: 0 });
      assert.deepEqual(transport.getWriteBufferLimits(), [0, 0]);
      transport.write(Buffer.alloc(MUCH_BYTES));
      assert.deepEqual(pair.client.calls, ["connectionMade", "pauseWriting"]);
      pair.socket.resume();
      await until(() => atResume !== -1);
      assert.equal(atResume, 0);
    });

    it("new marks apply to bytes that are already buffered", async () => {
      await using pair = await openToBareSocket(kind);
      const { transport } = pair.client;
      transport.setWriteBufferLimits({ high: 2 * MUCH_BYTES });
      transport.write(Buffer.alloc(MUCH_BYTES));
      assert.deepEqual(pair.client.calls, ["connectionMade"]);
      transport.setWriteBufferLimits();
      assert.deepEqual(transport.getWriteBufferLimits(), [16_384, 65_536]);
      assert.deepEqual(pair.client.calls, ["connectionMade", "pauseWriting"]);
      transport.setWriteBufferLimits({ high: 4 * MUCH_BYTES, low: 2 * MUCH_BYTES });
      assert.deepEqual(pair.client.calls, ["connectionMade", "pauseWriting", "resumeWriting"]);
    });

    it("refuses a low mark above the high one", async () => {
      await using pair = await openToBareSocket(kind);
      const { transport } = pair.client;
      assert.throws(() => transport.setWriteBufferLimits({ high: 1, low: 2 }), { name: "RangeError", code: "ERR_OUT_OF_RANGE" });
      assert.throws(() => transport.setWriteBufferLimits(1 as never), { name: "TypeError", code: "ERR_INVALID_ARG_TYPE" });
      assert.deepEqual(transport.getWriteBufferLimits(), [16_384, 65_536]);
    });

    it("counts the bytes gathered in this turn, and those in the socket", async () => {
      await using pair = await openToBareSocket(kind);
      const { transport } = pair.client;
      assert.equal(transport.getWriteBufferSize(), 0);
      transport.write("12345");
      assert.equal(transport.getWriteBufferSize(), 5);
      transport.write(Buffer.alloc(MUCH_BYTES));
      assert.ok(transport.getWriteBufferSize() > 65_536);
      assert.ok(transport.getWriteBufferSize() <= MUCH_BYTES + 5);
      transport.abort();
      await pair.client.lost;
      assert.equal(transport.getWriteBufferSize(), 0);
    });

    it("writelines() checks everything before it sends anything", async () => {
      await using pair = await openToBareSocket(kind);
      const { transport } = pair.client;
      assert.throws(() => transport.writelines(["half", 5 as never]), { code: "ERR_INVALID_ARG_TYPE", message: /list\[1\]/ });
      assert.throws(() => transport.writelines(failing()), { message: "no more" });
      assert.throws(() => transport.writelines(5 as never), TypeError);
      assert.equal(transport.getWriteBufferSize(), 0);
      transport.write("whole");
      assert.equal(await nextChunk(pair.socket), "whole");
    });

    it("writeEof() comes after the written bytes, and forbids more", async () => {
      await using pair = await openToBareSocket(kind, { eofReceived: () => true });
      const { transport } = pair.client;
      assert.equal(transport.canWriteEof(), true);
      transport.write("all");
      transport.writeEof();
      assert.throws(() => transport.write("more"), InvalidStateError);
      assert.throws(() => transport.writelines([]), InvalidStateError);
      const end = once(pair.socket, "end");
      assert.equal(await nextChunk(pair.socket), "all");
      await end;
      assert.equal(transport.isClosing(), false);
      transport.writeEof();
    });

    it("treats a single piece as a list of one", async () => {
      await using pair = await openToBareSocket(kind);
      pair.client.transport.writelines("te" as never);
      pair.client.transport.writelines(Buffer.from("xt") as never);
      const chunks: Buffer[] = [];
      const ended = once(pair.socket, "end");
      pair.socket.on("data", (chunk) => chunks.push(chunk)).resume();
      pair.client.transport.close();
      await ended;
      assert.equal(Buffer.concat(chunks).toString(), "text");
    });

    it("takes nothing after close() or abort()", async () => {
      for (const end of ["close", "abort"] as const) {
        await using pair = await openToBareSocket(kind);
        const { transport } = pair.client;
        transport[end]();
        transport.write("late");
        transport.writelines(["late"]);
        assert.equal(transport.getWriteBufferSize(), 0);
        assert.throws(() => transport.write(5 as never), TypeError);
        const ended = once(pair.socket, "end");
        const chunks: Buffer[] = [];
        pair.socket.on("data", (chunk) => chunks.push(chunk)).resume();
        await ended;
        assert.equal(Buffer.concat(chunks).length, 0);
      }
    });

    it("does not call resumeWriting() when abort() drops the buffer", async () => {
      await using pair = await openToBareSocket(kind);
      pair.client.transport.write(Buffer.alloc(MUCH_BYTES));
      pair.client.transport.abort();
      await pair.client.lost;
      await turns(5);
      assert.deepEqual(pair.client.calls, ["connectionMade", "pauseWriting", "connectionLost"]);
    });

    it("calls resumeWriting() when close() has sent enough", async () => {
      await using pair = await openToBareSocket(kind);
      pair.client.transport.write(Buffer.alloc(MUCH_BYTES));
      pair.client.transport.close();
      pair.socket.resume();
      await pair.client.lost;
      assert.deepEqual(pair.client.calls, ["connectionMade", "pauseWriting", "resumeWriting", "connectionLost"]);
    });
  });
}
