/** What a connection has not read yet, when the program gives away or keeps memory that belongs to the same connection. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BaseProtocol, type IncompleteReadError, type StreamReader } from "asyncio-streams";
import { delimited } from "asyncio-streams/framing";
import { giveAway } from "../support/give-away.js";
import { type Ends, routes } from "../support/routes.js";
import { turns, until } from "../support/turns.js";

const DETACHED = { name: "DetachedMemoryError", code: "ERR_MEMORY_DETACHED" };

const CALLS: Readonly<Record<string, (reader: StreamReader) => Promise<unknown>>> = {
  "read(n)": (reader) => reader.read(4),
  "readexactly(n)": (reader) => reader.readexactly(4),
  "readline()": (reader) => reader.readline(),
  "readuntil()": (reader) => reader.readuntil("\n"),
  "readuntil() of a long separator": (reader) => reader.readuntil("o\nthr"),
  "an iteration": (reader) => reader[Symbol.asyncIterator]().next(),
  "lines()": (reader) => reader.lines({ encoding: "utf8" })[Symbol.asyncIterator]().next(),
  "chunks()": (reader) => reader.chunks()[Symbol.asyncIterator]().next(),
  "peek()": (reader) => reader.peek(4),
  "readinto()": (reader) => reader.readinto(new Uint8Array(4)),
  "skip()": (reader) => reader.skip(4),
  "unread()": async (reader) => reader.unread(Buffer.from("zero\n")),
  "a frame": (reader) => delimited("\n").readFrame(reader),
};

/** Has the peer send three lines at a time, reads the first, and gives its memory away: the others lie in it. */
async function giveFirstLineAway({ client, peer }: Ends): Promise<void> {
  peer.writer.write("one\ntwo\nthree\n");
  await until(() => client.reader.bufferedLength === 14);
  const line = await client.reader.readline();
  assert.equal(line.toString(), "one\n");
  giveAway(line);
}

for (const route of routes) {
  describe(`unread bytes over ${route.name} whose memory is detached`, () => {
    for (const [name, call] of Object.entries(CALLS)) {
      it(`make ${name} reject with a code, every time, and the connection still writes`, async () => {
        await using ends = await route.open();
        await giveFirstLineAway(ends);
        for (let time = 0; time < 2; time += 1) await assert.rejects(call(ends.client.reader), DETACHED);
        ends.client.writer.write("still here\n");
        assert.equal((await ends.peer.reader.readline()).toString(), "still here\n");
        assert.equal(ends.client.writer.isClosing(), false);
      });
    }

    it("make read() to the end reject with a code", async () => {
      await using ends = await route.open();
      await giveFirstLineAway(ends);
      ends.peer.writer.close();
      await assert.rejects(ends.client.reader.read(), DETACHED);
    });

    for (const [name, call] of [
      ["readexactly(n)", (reader: StreamReader) => reader.readexactly(30)],
      ["readuntil()", (reader: StreamReader) => reader.readuntil("\n\n")],
      ["read() to the end", (reader: StreamReader) => reader.read()],
    ] as const) {
      it(`make a waiting ${name} reject with a code when more comes, behind which nothing is lost`, async () => {
        await using ends = await route.open();
        const { client, peer } = ends;
        peer.writer.write("one\ntwo\nthree\n");
        await until(() => client.reader.bufferedLength === 14);
        const line = await client.reader.readline();
        const reading = assert.rejects(call(client.reader), DETACHED);
        await turns(2);
        giveAway(line);
        peer.writer.write("and so many bytes\n\n");
        peer.writer.close();
        await reading;
      });
    }

    it("make a long readexactly() reject with a code that has come in part", async () => {
      await using ends = await route.open();
      const { client, peer } = ends;
      peer.writer.write(Buffer.concat([Buffer.from("line\n"), Buffer.alloc(40_000)]));
      await until(() => client.reader.bufferedLength === 40_005);
      const line = await client.reader.readline();
      const reading = assert.rejects(client.reader.readexactly(70_000), DETACHED);
      giveAway(line);
      peer.writer.write("more");
      await turns(5);
      peer.writer.write(Buffer.alloc(30_000));
      await reading;
    });

    it("leave the memory of bytes that the program puts back alone", async () => {
      await using ends = await route.open();
      ends.peer.writer.write("one\ntwo\n");
      await until(() => ends.client.reader.bufferedLength === 8);
      const line = await ends.client.reader.readline();
      ends.client.reader.unread(Buffer.from("zero\n"));
      giveAway(line);
      assert.equal((await ends.client.reader.readline()).toString(), "zero\n");
      await assert.rejects(ends.client.reader.readline(), DETACHED);
    });
  });

  describe(`a long readexactly() over ${route.name}`, () => {
    const LONG = 200_000;
    const PART = 120_000;

    /** Has a long read wait until a part of it has come. */
    async function readPart({ client, peer }: Ends, signal?: AbortSignal): Promise<{ readonly reading: Promise<Buffer> }> {
      const reading = client.reader.readexactly(LONG, { signal });
      reading.catch(() => {});
      for (let sent = 0; sent < PART; sent += 10_000) {
        peer.writer.write(Buffer.alloc(10_000, "A"));
        await until(() => client.reader.bufferedLength === sent + 10_000);
      }
      return { reading };
    }

    it("that was given up leaves its part in memory that nothing is received into any more", async () => {
      await using ends = await route.open();
      const { client, peer } = ends;
      const given = new AbortController();
      await readPart(ends, given.signal);
      given.abort();
      const part = await client.reader.readexactly(PART - 1000);
      const kept = Buffer.from(part);
      peer.writer.write(Buffer.alloc(50_000, "B"));
      await until(() => client.reader.bufferedLength === 51_000);
      assert.ok(part.equals(kept), "the part has changed");
      assert.ok((await client.reader.readexactly(1000)).equals(Buffer.alloc(1000, "A")));
      assert.ok((await client.reader.readexactly(50_000)).equals(Buffer.alloc(50_000, "B")));
    });

    it("that was given up returns its part in transferable memory, and the rest comes", async () => {
      await using ends = await route.open();
      const { client, peer } = ends;
      const given = new AbortController();
      await readPart(ends, given.signal);
      given.abort();
      giveAway(await client.reader.readexactly(PART));
      for (const letter of "BC") {
        peer.writer.write(Buffer.alloc(50_000, letter));
        assert.ok((await client.reader.readexactly(50_000)).equals(Buffer.alloc(50_000, letter)));
      }
    });

    it("that is cut short by the end has its part in memory of its own", async () => {
      await using ends = await route.open();
      const { client, peer } = ends;
      const { reading } = await readPart(ends);
      peer.writer.close();
      await assert.rejects(reading, ({ partial }: IncompleteReadError) => {
        giveAway(partial);
        return true;
      });
      assert.equal((await client.reader.read()).length, 0);
    });

    it("that is done may be transferred while the next one waits", async () => {
      await using ends = await route.open();
      const { client, peer } = ends;
      for (const letter of "AB") {
        const reading = client.reader.readexactly(LONG);
        peer.writer.write(Buffer.alloc(LONG, letter));
        const message = await reading;
        assert.ok(message.equals(Buffer.alloc(LONG, letter)));
        const next = client.reader.readexactly(3);
        giveAway(message);
        peer.writer.write("end");
        assert.equal((await next).toString(), "end");
      }
    });

    it("that waits does not change the bytes of a protocol that takes over", async () => {
      await using ends = await route.open();
      const { client, peer } = ends;
      const { transport } = client.writer;
      const streams = transport.getProtocol();
      await readPart(ends);
      const kept: Buffer[] = [];
      class OneMessage extends BaseProtocol {
        override dataReceived(data: Buffer): void {
          kept.push(data);
          transport.setProtocol(streams);
        }
      }
      transport.setProtocol(new OneMessage());
      peer.writer.write("C".repeat(1000));
      await until(() => kept.length === 1);
      peer.writer.write("D".repeat(1000));
      await until(() => client.reader.bufferedLength === PART + 1000);
      assert.equal(kept.join(), "C".repeat(1000));
      giveAway(kept[0] as Buffer);
      peer.writer.write(Buffer.alloc(LONG - PART - 1000, "E"));
      await until(() => client.reader.bufferedLength === 0);
    });
  });
}
