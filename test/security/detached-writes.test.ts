/** Memory that is given away or shrunk after `write()`: the bytes arrive, or the writer is told by a code; nobody else notices. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { describe, it } from "node:test";
import { StreamWriter } from "asyncio-streams";
import { giveAway, waysToGiveAway } from "../support/give-away.js";
import { MUCH_BYTES } from "../support/much.js";
import { routes } from "../support/routes.js";
import { isSettled, turns } from "../support/turns.js";

const DETACHED = "ERR_MEMORY_DETACHED";

/** A resizable buffer's bytes, and how to shrink them. */
function resizable(size: number): { readonly bytes: Uint8Array; readonly shrink: () => void } {
  type Resizable = ArrayBuffer & { resize(size: number): void };
  const memory = new (ArrayBuffer as unknown as new (size: number, options: object) => Resizable)(size, { maxByteLength: size });
  return { bytes: new Uint8Array(memory, 0, size), shrink: () => memory.resize(size >> 1) };
}

/** What is done to memory that was written. */
const CRUELTIES: Readonly<Record<string, (size: number) => { readonly bytes: Uint8Array; readonly harm: () => void }>> = {
  ...Object.fromEntries(
    Object.entries(waysToGiveAway).map(([name, way]) => [
      `given away by ${name}`,
      (size: number) => {
        const bytes = new Uint8Array(size).fill(7);
        return { bytes, harm: () => way(bytes) };
      },
    ]),
  ),
  "shrunk in whole"(size) {
    const { bytes, shrink } = resizable(size);
    return { bytes, harm: shrink };
  },
};

/** The code, or name, of the error that a promise rejects with, or of its cause; `null` if it does not. */
async function codeOf(promise: Promise<unknown>): Promise<string | null> {
  try {
    await promise;
    return null;
  } catch (error) {
    const { code, cause } = error as Error & { code?: string; cause?: { code?: string } };
    return cause?.code ?? code ?? String(error);
  }
}

for (const route of routes) {
  describe(`memory that was written over ${route.name}`, () => {
    for (const [name, cruelty] of Object.entries(CRUELTIES)) {
      it(`and then ${name}: arrives, or the writer is told; no other connection notices`, async () => {
        for (const size of [10, 4095, 4096, 100_000]) {
          await using ends = await route.open();
          await using other = await route.open();
          const { bytes, harm } = cruelty(size);
          other.client.writer.write("before, ");
          ends.client.writer.write(bytes);
          harm();
          other.client.writer.write("after\n");
          const flushed = await codeOf(ends.client.writer.flush());
          assert.equal((await other.peer.reader.readline()).toString(), "before, after\n");
          if (flushed === null) {
            ends.client.writer.close();
            const { length } = await ends.peer.reader.read();
            if (length !== size) assert.equal(await codeOf(ends.client.writer.waitClosed()), DETACHED);
          } else {
            assert.equal(flushed, DETACHED);
            assert.equal(await codeOf(ends.client.writer.drain()), DETACHED);
            assert.equal(ends.client.writer.isClosing(), true);
          }
        }
      });
    }

    it("by writelines() and then given away in part: arrives, or the writer is told", async () => {
      await using ends = await route.open();
      const pieces = [10, 5000, 20, 70_000].map((size) => new Uint8Array(size));
      ends.client.writer.writelines(pieces);
      giveAway(pieces[1] as Uint8Array);
      giveAway(pieces[2] as Uint8Array);
      const flushed = await codeOf(ends.client.writer.flush());
      if (flushed === null) assert.equal((await ends.peer.reader.readexactly(75_030)).length, 75_030);
      else assert.equal(flushed, DETACHED);
    });

    it("and then given away while it is sent to a peer that does not read: arrives, or the writer is told", async () => {
      await using ends = await route.open();
      const { writer } = ends.client;
      const pieces = [MUCH_BYTES, 10, 100_000].map((size) => new Uint8Array(size));
      for (const piece of pieces) writer.write(piece);
      const draining = codeOf(writer.drain());
      const flushing = codeOf(writer.flush());
      await turns(3);
      assert.equal(await isSettled(flushing), false);
      for (const piece of pieces) giveAway(piece);
      const reading = (async () => {
        let received = 0;
        for await (const chunk of ends.peer.reader.chunks()) received += chunk.length;
        return received;
      })().catch(() => -1);
      const [drained, flushed] = [await draining, await flushing];
      for (const code of [drained, flushed]) assert.ok(code === null || code === DETACHED, `${code}`);
      writer.close();
      const closed = await codeOf(writer.waitClosed());
      if (closed === null && flushed === null) assert.equal(await reading, MUCH_BYTES + 100_010);
      else assert.ok([DETACHED, null].includes(closed) && [DETACHED, null].includes(flushed), `${closed}, ${flushed}`);
      await reading;
    });
  });
}

describe("memory that was written to a sink", () => {
  it("is copied: the program may transfer its own at once", async () => {
    for (const size of [10, 100_000]) {
      const chunks: Buffer[] = [];
      const sink = new Writable({
        write(chunk: Buffer, _encoding, done) {
          chunks.push(chunk);
          setImmediate(done);
        },
      });
      const writer = StreamWriter.from(sink);
      const bytes = new Uint8Array(size).fill(7);
      writer.write(bytes);
      giveAway(bytes);
      await writer.flush();
      assert.deepEqual(Buffer.concat(chunks), Buffer.alloc(size, 7));
      writer.close();
      await writer.waitClosed();
    }
  });

  it("may be transferred by the sink", async () => {
    const chunks: Uint8Array[] = [];
    const writer = StreamWriter.from(
      new WritableStream<Uint8Array>({
        write: (chunk) => void chunks.push(structuredClone(chunk, { transfer: [chunk.buffer as ArrayBuffer] })),
      }),
    );
    writer.writelines(["text, ", new Uint8Array([104, 105])]);
    await writer.flush();
    assert.equal(Buffer.concat(chunks).toString(), "text, hi");
    writer.close();
    await writer.waitClosed();
  });
});
