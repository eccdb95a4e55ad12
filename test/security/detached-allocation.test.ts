/** A system without memory, and a runtime whose pool was taken away: what else happens to memory besides the program's own doing with a chunk. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Child, scriptCommand } from "../support/child.js";
import { openPair } from "../support/pairs.js";
import { socketKinds } from "../support/routes.js";
import { nodeMajor, runtime } from "../support/runtime.js";
import { turns, until } from "../support/turns.js";

const allocUnsafeSlow = Buffer.allocUnsafeSlow.bind(Buffer);

/** What of the library asks for memory: its file, as a stack names it. The runtime has some code of its own that calls the same. */
const RECEIVING = /byte-queue|read-memory/;
const WRITING = /write-batch/;
const COPYING = /write-now/;

/** Memory fails for allocations of at least so many bytes, until the end of the block. */
function withoutMemory(purpose: RegExp, from: number = 0): Disposable & { readonly failed: number } {
  const lack = {
    failed: 0,
    [Symbol.dispose]() {
      Buffer.allocUnsafeSlow = allocUnsafeSlow;
    },
  };
  Buffer.allocUnsafeSlow = (size) => {
    if (size < from || !purpose.test(new Error("who calls").stack ?? "")) return allocUnsafeSlow(size);
    lack.failed += 1;
    throw new RangeError("Array buffer allocation failed");
  };
  return lack;
}

const NO_MEMORY = { name: "ConnectionMemoryError", code: "ENOMEM" };

for (const kind of socketKinds) {
  describe(`a system without memory, and a connection over ${kind.name}`, () => {
    it("that receives: it goes on, or ends with ENOMEM, and no other connection notices", async () => {
      await using pair = await openPair(kind);
      await using other = await openPair(kind);
      const { reader, writer } = pair.client;
      const closed = writer.waitClosed().then(
        () => null,
        (error: { code?: string }) => error.code,
      );
      {
        using lack = withoutMemory(RECEIVING);
        for (const [index, letter] of ["A", "B", "C"].entries()) {
          pair.peer.writer.write(Buffer.alloc(1000, letter));
          await until(() => writer.isClosing() || reader.bufferedLength === 1000 * (index + 1));
        }
        assert.ok(lack.failed > 0);
      }
      assert.equal(writer.isClosing(), true);
      assert.equal(await closed, "ENOMEM");
      await assert.rejects(reader.readexactly(3000), NO_MEMORY);
      for (const [from, to] of [
        [other.client, other.peer],
        [other.peer, other.client],
      ] as const) {
        from.writer.write("still here\n");
        assert.equal((await to.reader.readline()).toString(), "still here\n");
      }
    });

    it("that expects much: it reads on by copies", async () => {
      await using pair = await openPair(kind);
      const { reader } = pair.client;
      using _lack = withoutMemory(RECEIVING, 65_536);
      for (const letter of "ABCD") {
        pair.peer.writer.write(Buffer.alloc(20_000, letter));
        assert.ok((await reader.readexactly(20_000)).equals(Buffer.alloc(20_000, letter)));
      }
    });

    it("that joins received pieces: the read rejects with ENOMEM, takes nothing, and may be repeated", async () => {
      await using pair = await openPair(kind);
      const { reader } = pair.client;
      for (const [index, letter] of ["A", "B"].entries()) {
        pair.peer.writer.write(Buffer.alloc(50_000, letter));
        await until(() => reader.bufferedLength === 50_000 * (index + 1));
      }
      {
        using _lack = withoutMemory(RECEIVING, 99_000);
        await assert.rejects(reader.readexactly(100_000), NO_MEMORY);
      }
      assert.equal((await reader.readexactly(100_000)).toString(), "A".repeat(50_000) + "B".repeat(50_000));
    });

    // Over TLS the engine has a copy of its own.
    it("that writes much to a peer that does not read: the connection ends", { skip: kind.name.includes("TLS") && "no copy" }, async () => {
      await using pair = await openPair(kind);
      const { writer } = pair.client;
      pair.peer.writer.transport.pauseReading();
      {
        using lack = withoutMemory(COPYING);
        while (!writer.isClosing()) {
          writer.write(Buffer.alloc(100_000));
          await turns();
        }
        assert.equal(lack.failed, 1);
      }
      await assert.rejects(writer.waitClosed(), NO_MEMORY);
    });

    it("that writes: write() does not throw, and the next drain() rejects", async () => {
      await using pair = await openPair(kind);
      const { writer } = pair.client;
      const piece = Buffer.alloc(4000);
      while (writer.transport.getWriteBufferSize() < 3_000_000) {
        writer.write(Buffer.alloc(100_000));
        await turns();
      }
      {
        using lack = withoutMemory(WRITING);
        for (let count = 0; count < 20; count += 1) writer.write(piece);
        assert.ok(lack.failed > 0);
      }
      assert.equal(writer.isClosing(), true);
      await assert.rejects(writer.drain(), ({ cause }: Error) => (cause as { code?: string }).code === "ENOMEM");
      await assert.rejects(writer.flush(), { code: "ECONNRESET" });
      writer.close();
      await assert.rejects(writer.waitClosed(), NO_MEMORY);
    });
  });
}

describe("a program that takes Node's pool of short buffers away", () => {
  // Node 25: marks the pool so that enqueue() is refused, too.
  const canTake = { skip: (runtime !== "node" || nodeMajor > 24) && "only Node 20 to 24 let a program do that" };
  it("does not change the bytes that connections read", canTake, async () => {
    await using child = new Child(scriptCommand("security/detached-pool-child"));
    assert.deepEqual(await child.ended, { code: 0, signal: null });
  });

  it("does not change the constants of the library", canTake, async () => {
    await using child = new Child(scriptCommand("security/detached-constants-child"));
    assert.deepEqual(await child.ended, { code: 0, signal: null });
  });
});
