/** The memory of what one connection was handed is its own: other connections do not notice what a program does with it. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { StreamReader } from "asyncio-streams";
import { delimited } from "asyncio-streams/framing";
import { waysToGiveAway } from "../support/give-away.js";
import { type Ends, type Route, routes } from "../support/routes.js";
import { until } from "../support/turns.js";

const SIZES = [1, 64, 65, 1000, 4096, 16_384, 65_536];

/** A connection that has handed out some bytes, and has some that are unread. */
interface Bystander extends AsyncDisposable {
  /** Checks all its bytes, and brings it into the same state again. */
  readonly check: (what: string) => Promise<void>;
}

async function openBystander(route: Route): Promise<Bystander> {
  const ends = await route.open();
  const { reader } = ends.client;
  const { writer } = ends.peer;
  const handedOut: Buffer[] = [];
  const prepare = async (): Promise<void> => {
    writer.write("a whole line\n");
    handedOut.push(await reader.readline());
    writer.write("half a line, ");
    await until(() => reader.bufferedLength === 13);
  };
  await prepare();
  return {
    async check(what) {
      writer.write("and the rest\n");
      assert.equal((await reader.readline()).toString(), "half a line, and the rest\n", what);
      for (const line of handedOut) assert.equal(line.toString(), "a whole line\n", what);
      await prepare();
    },
    [Symbol.asyncDispose]: () => ends[Symbol.asyncDispose](),
  };
}

/** The calls that hand bytes out, each with what its message is. */
const READS: Readonly<Record<string, (reader: StreamReader, size: number) => Promise<Uint8Array | undefined>>> = {
  "read()": (reader, size) => reader.read(size),
  "readexactly()": (reader, size) => reader.readexactly(size),
  "readuntil()": (reader) => reader.readuntil("\n"),
  "readline()": (reader) => reader.readline(),
  "an iteration": async (reader) => (await reader[Symbol.asyncIterator]().next()).value,
  "chunks()": async (reader) => (await reader.chunks()[Symbol.asyncIterator]().next()).value,
  "peek()": async (reader, size) => {
    const peeked = await reader.peek(size);
    await reader.readexactly(size);
    return peeked;
  },
  "a frame": async (reader) => (await delimited("\n", { maxFrameSize: 100_000 }).readFrame(reader)) ?? undefined,
};

/** `size` bytes that end a line. */
function messageOf(size: number): Buffer {
  const message = Buffer.alloc(size, "m");
  message[size - 1] = 0x0a;
  return message;
}

/** Sends a message, and has it read when all of it is there. */
async function exchange(
  { client, peer }: Ends,
  size: number,
  read: (reader: StreamReader, size: number) => Promise<unknown>,
): Promise<Buffer> {
  peer.writer.write(messageOf(size));
  await until(() => client.reader.bufferedLength >= size);
  const chunk = (await read(client.reader, size)) as Buffer;
  // A frame is without its end.
  assert.ok(chunk.length >= size - 1 && messageOf(size).subarray(0, chunk.length).equals(chunk), `${size} bytes`);
  return chunk;
}

for (const route of routes) {
  describe(`a Buffer that was read over ${route.name}`, () => {
    for (const [name, giveAway] of Object.entries(waysToGiveAway)) {
      it(`may be transferred by ${name}: no other connection notices, and this one goes on`, async () => {
        await using bystander = await openBystander(route);
        await using giver = await route.open();
        for (const size of SIZES) {
          const chunk = await exchange(giver, size, (reader) => reader.readexactly(size));
          giveAway(chunk);
          assert.equal(chunk.length, 0, `${size} bytes were given away`);
          await bystander.check(`after ${size} bytes`);
        }
        await exchange(giver, 10, READS["readline()"]!);
      });
    }

    for (const [name, read] of Object.entries(READS)) {
      it(`is not shared with other connections if it comes from ${name}`, async () => {
        await using bystander = await openBystander(route);
        await using giver = await route.open(1_000_000);
        for (const size of SIZES) {
          const chunk = await exchange(giver, size, read);
          new Uint8Array(chunk.buffer).fill(0);
          await bystander.check(`after ${size} bytes were wiped`);
          if (chunk.length > 0) waysToGiveAway["enqueue()"]!(chunk);
          await bystander.check(`after ${size} bytes`);
          await exchange(giver, size, read);
        }
      });
    }

    it("holds bytes that no later read changes", async () => {
      await using ends = await route.open();
      const kept: Buffer[] = [];
      const sizes = Array.from({ length: 60 }, (_, index) => 1 + ((index * 997) % 20_000));
      for (const [index, size] of sizes.entries()) {
        ends.peer.writer.write(Buffer.alloc(size, index));
        kept.push(await ends.client.reader.readexactly(size));
      }
      for (const [index, size] of sizes.entries()) assert.ok(Buffer.alloc(size, index).equals(kept[index] as Buffer), `message ${index}`);
    });
  });
}
