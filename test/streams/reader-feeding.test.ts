import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runInNewContext } from "node:vm";
import { InvalidStateError, StreamReader } from "asyncio-streams";
import { FakeTransport } from "../support/fake-transport.js";
import { connectedStreams, endedReaderOf, readerOf, rest, text } from "../support/readers.js";
import { isSettled } from "../support/turns.js";

describe("new StreamReader", () => {
  it("needs no options", () => {
    assert.equal(new StreamReader().exception(), null);
    assert.equal(new StreamReader({}).atEof(), false);
    assert.equal(new StreamReader({ limit: undefined }).atEof(), false);
  });

  for (const [limit, name, code] of [
    [0, "RangeError", "ERR_OUT_OF_RANGE"],
    [-1, "RangeError", "ERR_OUT_OF_RANGE"],
    [Number.NaN, "RangeError", "ERR_OUT_OF_RANGE"],
    [1.5, "RangeError", "ERR_OUT_OF_RANGE"],
    [Number.POSITIVE_INFINITY, "RangeError", "ERR_OUT_OF_RANGE"],
    ["100", "TypeError", "ERR_INVALID_ARG_TYPE"],
    [null, "TypeError", "ERR_INVALID_ARG_TYPE"],
    [10n, "TypeError", "ERR_INVALID_ARG_TYPE"],
  ] as const) {
    it(`refuses a limit of ${typeof limit} ${limit}`, () => {
      assert.throws(() => new StreamReader({ limit: limit as never }), { name, code, message: /^limit must be .*, not / });
    });
  }

  it("refuses options that are none, such as a bare limit", () => {
    for (const options of [100, "100", null]) {
      assert.throws(() => new StreamReader(options as never), {
        code: "ERR_INVALID_ARG_TYPE",
        message: /^options must be an options object/,
      });
    }
  });
});

describe("StreamReader.feedData", () => {
  it("takes bytes and text", async () => {
    assert.equal(await rest(readerOf(["a", Uint8Array.of(98), Buffer.from("c")])), "abc");
    assert.equal((await endedReaderOf(["\u20ac"]).read()).toString(), "\u20ac");
  });

  it("does nothing with nothing", async () => {
    const reader = new StreamReader();
    const read = reader.read(1);
    reader.feedData("");
    reader.feedData(new Uint8Array());
    assert.equal(await isSettled(read), false);
    reader.feedData("a");
    assert.equal(await text(read), "a");
  });

  it("throws after feedEof, for nothing too, and leaves the reader as it is", async () => {
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

  it("refuses what is neither bytes nor text", () => {
    for (const data of [1, null, undefined, [1], new ArrayBuffer(1)]) {
      assert.throws(() => new StreamReader().feedData(data as never), {
        name: "TypeError",
        code: "ERR_INVALID_ARG_TYPE",
        message: /^data must be /,
      });
    }
  });

  it("does not wake the one who waits in the middle of the feed", async () => {
    const reader = new StreamReader();
    const order: string[] = [];
    const read = reader.read(10).then((bytes) => order.push(`read ${bytes.toString()}`));
    reader.feedData("a");
    order.push("fed");
    await read;
    assert.deepEqual(order, ["fed", "read a"]);
  });
});

describe("StreamReader.feedEof", () => {
  it("can be called again", async () => {
    const reader = endedReaderOf(["a"]);
    reader.feedEof();
    assert.equal(await text(reader.read()), "a");
    reader.feedEof();
    assert.equal(reader.atEof(), true);
  });
});

describe("StreamReader.setException", () => {
  for (const wrong of [null, undefined, "an error", { message: "an error" }, 5]) {
    it(`refuses ${JSON.stringify(wrong)}, and the read that waits goes on`, async () => {
      const reader = new StreamReader();
      const reading = reader.readline();
      const expected = { name: "TypeError", code: "ERR_INVALID_ARG_TYPE", message: /^error must be an Error/ };
      assert.throws(() => reader.setException(wrong as never), expected);
      assert.equal(reader.exception(), null);
      reader.feedData("a line\n");
      assert.equal((await reading).toString(), "a line\n");
    });
  }

  it("takes an error of another realm", async () => {
    const reader = new StreamReader();
    const error = runInNewContext("new RangeError('from elsewhere')") as Error;
    assert.equal(error instanceof Error, false);
    reader.setException(error);
    await assert.rejects(reader.read(), (thrown) => thrown === error);
  });

  it("is null before, and the same object after", () => {
    const reader = new StreamReader();
    assert.equal(reader.exception(), null);
    const error = new Error("set");
    reader.setException(error);
    assert.equal(reader.exception(), error);
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
    it(`makes ${name} throw at once, again and again, though there is data`, async () => {
      for (const reader of [readerOf(["a\nb"]), endedReaderOf(["a\nb"]), endedReaderOf([])]) {
        const error = new Error("set");
        reader.setException(error);
        for (let time = 0; time < 3; time += 1) await assert.rejects(call(reader), (thrown) => thrown === error);
      }
    });
  }

  it("rejects the read that waits, with the same object", async () => {
    for (const call of [(reader: StreamReader) => reader.read(), (reader: StreamReader) => reader.readexactly(9)]) {
      const reader = readerOf(["abc"]);
      const read = call(reader);
      const error = new Error("set");
      reader.setException(error);
      await assert.rejects(read, (thrown) => thrown === error);
    }
  });

  it("leaves a read its data that had come before, even in the same turn", async () => {
    const reader = new StreamReader();
    const line = reader.readline();
    reader.feedData("one\ntwo\n");
    reader.setException(new Error("set"));
    assert.equal(await text(line), "one\n");
    await assert.rejects(reader.readline(), { message: "set" });
  });

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

  it("refuses what is no transport", () => {
    for (const transport of [null, undefined, "transport"]) {
      assert.throws(() => new StreamReader().setTransport(transport as never), { code: "ERR_INVALID_ARG_TYPE" });
    }
  });
});
