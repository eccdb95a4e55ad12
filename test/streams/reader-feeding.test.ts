import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runInNewContext } from "node:vm";
import { InvalidStateError, StreamReader, StreamReaderProtocol } from "asyncio-streams";
import { FakeTransport } from "../support/fake-transport.js";
import { connectedStreams, endedReaderOf, readerOf, rest, text } from "../support/readers.js";

describe("StreamReader.feedData", () => {
  it("takes bytes and text", async () => {
    assert.equal(await rest(readerOf(["a", Uint8Array.of(98), Buffer.from("c")])), "abc");
    assert.equal((await endedReaderOf(["\u20ac"]).read()).toString(), "\u20ac");
  });

  it("throws after feedEof(), also for no bytes, and leaves the reader unchanged", async () => {
    const reader = endedReaderOf(["abc"]);
    for (const data of ["x", ""]) {
      assert.throws(
        () => reader.feedData(data),
        (error: unknown) => {
          assert.ok(error instanceof InvalidStateError);
          assert.equal(error.code, "ERR_INVALID_STATE");
          assert.match(error.message, /after feedEof\(\)/);
          return true;
        },
      );
    }
    assert.equal(await text(reader.read()), "abc");
  });

  it("copies bytes in shared memory, which other threads can change, and so do unread() and StreamReader.from()", async () => {
    const shared = (): Uint8Array => new Uint8Array(new SharedArrayBuffer(4)).fill(97);
    async function* source(): AsyncGenerator<Uint8Array> {
      yield shared();
    }
    const unread = new StreamReader();
    unread.unread(shared());
    const { reader, protocol } = connectedStreams();
    protocol.dataReceived(Buffer.from("aaaa"));
    for (const one of [readerOf([shared()]), unread, StreamReader.from(source()), reader]) {
      const bytes = await one.readexactly(4);
      assert.equal(bytes.toString(), "aaaa");
      assert.ok(bytes.buffer instanceof ArrayBuffer);
    }
  });

  it("is called by the protocol if a subclass overrides it", async () => {
    class Loud extends StreamReader {
      override feedData(data: Uint8Array): void {
        super.feedData(Buffer.from(data).toString().toUpperCase());
      }
    }
    const reader = new Loud();
    new StreamReaderProtocol(reader).dataReceived(Buffer.from("abc"));
    assert.equal(await text(reader.readexactly(3)), "ABC");
  });

  it("does not run the waiting read during the feed", async () => {
    const reader = new StreamReader();
    const order: string[] = [];
    const read = reader.read(10).then((bytes) => order.push(`read ${bytes.toString()}`));
    reader.feedData("a");
    order.push("fed");
    await read;
    assert.deepEqual(order, ["fed", "read a"]);
  });
});

describe("StreamReader.setException", () => {
  it("takes an error of another realm", async () => {
    const reader = new StreamReader();
    const error = runInNewContext("new RangeError('from elsewhere')") as Error;
    assert.equal(error instanceof Error, false);
    reader.setException(error);
    await assert.rejects(reader.read(), (thrown) => thrown === error);
  });

  for (const [name, call] of [
    ["read(1)", (reader: StreamReader) => reader.read(1)],
    ["read(0)", (reader: StreamReader) => reader.read(0)],
    ["read()", (reader: StreamReader) => reader.read()],
    ["readline()", (reader: StreamReader) => reader.readline()],
    ["readexactly(1)", (reader: StreamReader) => reader.readexactly(1)],
    ["readexactly(0)", (reader: StreamReader) => reader.readexactly(0)],
    ["readuntil()", (reader: StreamReader) => reader.readuntil()],
    ["next()", (reader: StreamReader) => reader[Symbol.asyncIterator]().next()],
  ] as const) {
    it(`makes ${name} throw at once, again and again, even with data`, async () => {
      for (const reader of [readerOf(["a\nb"]), endedReaderOf(["a\nb"]), endedReaderOf([])]) {
        const error = new Error("set");
        reader.setException(error);
        for (let time = 0; time < 3; time += 1) await assert.rejects(call(reader), (thrown) => thrown === error);
      }
    });
  }

  it("replaces an earlier one, and the error of a lost connection", async () => {
    const { reader, protocol } = connectedStreams();
    protocol.dataReceived(Buffer.from("abc"));
    protocol.connectionLost(new Error("lost"));
    assert.equal(reader.exception()?.message, "lost");
    const [first, second] = [new Error("first"), new Error("second")];
    reader.setException(first);
    await assert.rejects(reader.read(1), (thrown) => thrown === first);
    reader.setException(second);
    await assert.rejects(reader.read(1), (thrown) => thrown === second);
    assert.equal(reader.exception(), second);
  });
});

describe("StreamReader.setTransport", () => {
  it("refuses a second one, and keeps the first", () => {
    const reader = new StreamReader({ limit: 1 });
    const transport = new FakeTransport();
    reader.setTransport(transport);
    for (const again of [new FakeTransport(), transport]) {
      assert.throws(() => reader.setTransport(again), { name: "InvalidStateError", code: "ERR_INVALID_STATE", message: /twice/ });
    }
    reader.feedData("abc");
    assert.deepEqual(transport.calls, ["pauseReading"]);
  });
});
