/** `memoryPair()` and `connectMemory()`: what they make, their options, and what a test may rely on. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BaseProtocol, type StreamReader, type StreamWriter } from "asyncio-streams";
import { connectMemory, hostile, MemoryTransport, memoryPair, RecordingProtocol } from "asyncio-streams/testing";
import { isSettled, turns } from "../support/turns.js";

const MUCH_BYTES = 1_048_576;

describe("memoryPair()", () => {
  it("gives two ends, each with reader, writer, transport and protocol", () => {
    for (const end of memoryPair()) {
      assert.ok(end.transport instanceof MemoryTransport);
      assert.equal(end.writer.transport, end.transport);
      assert.equal(end.transport.getProtocol(), end.protocol);
    }
  });

  it("answers lines", async () => {
    const [client, server] = memoryPair();
    client.writer.write("question\n");
    assert.equal((await server.reader.readline()).toString(), "question\n");
    server.writer.write("answer\n");
    assert.equal((await client.reader.readline()).toString(), "answer\n");
  });

  it("serves the second end by a callback, as a server does", async () => {
    let given: unknown[] = [];
    const [client, server] = memoryPair({
      async clientConnectedCb(reader, writer, { signal }) {
        given = [reader, writer, signal.aborted];
        writer.write(`got ${String(await reader.readline())}`);
        writer.close();
      },
    });
    assert.deepEqual(given, [server.reader, server.writer, false]);
    client.writer.write("a line\n");
    assert.equal((await client.reader.read()).toString(), "got a line\n");
    await server.writer.waitClosed();
  });

  it("reports what the callback throws, and closes the connection", async () => {
    const failure = new Error("on purpose");
    const reports: unknown[] = [];
    const [client] = memoryPair({
      clientConnectedCb: () => Promise.reject(failure),
      onClientError: (error) => reports.push(error),
    });
    assert.equal((await client.reader.read()).length, 0);
    assert.deepEqual(reports, [failure]);
  });

  it("passes a shutdown request of the protocol to the callback", async () => {
    const [client, server] = memoryPair({
      async clientConnectedCb(reader, writer) {
        for await (const line of reader) writer.write(line);
        writer.write("bye");
        writer.close();
      },
    });
    client.writer.write("one\n");
    assert.equal((await client.reader.readline()).toString(), "one\n");
    server.protocol.shutdownRequested();
    assert.equal((await client.reader.read()).toString(), "bye");
  });

  it("gives both readers the limit", async () => {
    for (const [from, to] of [memoryPair({ limit: 4 }), memoryPair({ limit: 4 }).toReversed() as ReturnType<typeof memoryPair>]) {
      from.writer.write("12345\n");
      await assert.rejects(to.reader.readline(), { code: "ERR_LINE_TOO_LONG" });
    }
  });

  it("holds as much as its capacity, and lets drain() wait for the rest", async () => {
    const [client, server] = memoryPair({ capacity: 1_000, limit: 10 });
    client.writer.write(Buffer.alloc(MUCH_BYTES));
    const drained = client.writer.drain();
    assert.equal(await isSettled(drained), false);
    await turns(20);
    // The reader takes more than twice its limit before it pauses the transport: one chunk, here.
    assert.equal(server.reader.bufferedLength, 1_000);
    assert.equal(client.transport.getWriteBufferSize(), MUCH_BYTES - 2_000);
    assert.equal((await server.reader.readexactly(MUCH_BYTES)).length, MUCH_BYTES);
    await drained;
  });

  it("flush() waits until the line has taken everything", async () => {
    const [client, server] = memoryPair({ capacity: 1_000, limit: 10 });
    client.writer.write(Buffer.alloc(10_000));
    const flushed = client.writer.flush();
    assert.equal(await isSettled(flushed), false);
    await server.reader.readexactly(9_000);
    await flushed;
    client.writer.write(Buffer.alloc(10_000));
    const failing = client.writer.flush();
    client.transport.abort();
    await assert.rejects(failing, { name: "ConnectionLostError" });
    await assert.rejects(client.writer.flush(), { name: "ConnectionLostError" });
  });

  it("always runs the same way", async () => {
    const run = async (): Promise<string> => {
      const events: string[] = [];
      const [client, server] = memoryPair({ hostile: hostile.randomCuts(3) });
      const work = async (name: string, reader: StreamReader, writer: StreamWriter): Promise<void> => {
        for (let round = 0; round < 5; round += 1) {
          writer.write(Buffer.alloc(1_000));
          events.push(`${name} ${(await reader.read(700)).length}`);
        }
        writer.close();
        await writer.waitClosed();
        events.push(`${name} closed`);
      };
      await Promise.all([work("client", client.reader, client.writer), work("server", server.reader, server.writer)]);
      return events.join();
    };
    const first = await run();
    for (let again = 0; again < 5; again += 1) assert.equal(await run(), first);
  });

  it("copies what it takes: the writer may use its memory again after the write", async () => {
    const [client, server] = memoryPair();
    const mine = Buffer.from("hello");
    client.writer.write(mine);
    mine.fill("x");
    assert.equal((await server.reader.readexactly(5)).toString(), "hello");
  });

  it("cannot change over to TLS", async () => {
    const [client] = memoryPair();
    await assert.rejects(client.writer.startTls(true), { code: "ERR_INVALID_STATE", message: /this transport does not support it/ });
  });

  it("with halfClose: false ends both sides together, as TLS does", async () => {
    const [client, server] = memoryPair({ halfClose: false });
    assert.equal(client.writer.canWriteEof(), false);
    assert.throws(() => client.writer.writeEof(), { code: "ERR_INVALID_STATE" });
    server.writer.close();
    assert.equal((await client.reader.read()).length, 0);
    await client.writer.waitClosed();
  });

  for (const [what, options, error] of [
    ["options that are none", 5, { code: "ERR_INVALID_ARG_TYPE", message: /options/ }],
    ["a limit of 0", { limit: 0 }, { code: "ERR_OUT_OF_RANGE", message: /limit/ }],
    ["a capacity of 0", { capacity: 0 }, { code: "ERR_OUT_OF_RANGE", message: /capacity/ }],
    ["a capacity that is text", { capacity: "1" }, { code: "ERR_INVALID_ARG_TYPE", message: /capacity/ }],
    ["halfClose that is a number", { halfClose: 1 }, { code: "ERR_INVALID_ARG_TYPE", message: /halfClose/ }],
    ["extra info that is no array", { extraInfo: {} }, { code: "ERR_INVALID_ARG_TYPE", message: /extraInfo/ }],
    ["a callback that is none", { clientConnectedCb: {} }, { code: "ERR_INVALID_ARG_TYPE", message: /clientConnectedCb/ }],
    ["an error handler that is none", { onClientError: {} }, { code: "ERR_INVALID_ARG_TYPE", message: /onClientError/ }],
    ["hostile that is text", { hostile: "very" }, { code: "ERR_INVALID_ARG_TYPE", message: /hostile/ }],
    ["hostile with a cut that is none", { hostile: { cut: 1 } }, { code: "ERR_INVALID_ARG_TYPE", message: /hostile\.cut/ }],
    ["hostile with a delay that is none", { hostile: [{}, { delay: 1 }] }, { code: "ERR_INVALID_ARG_TYPE", message: /hostile\.delay/ }],
    ["hostile with half a byte", { hostile: { resetAfter: 0.5 } }, { code: "ERR_OUT_OF_RANGE", message: /hostile\.resetAfter/ }],
  ] as const) {
    it(`refuses ${what}`, () => assert.throws(() => memoryPair(options as never), error));
  }
});

describe("connectMemory()", () => {
  it("calls connectionMade() of the first protocol first, and of both before it returns", () => {
    const order: string[] = [];
    const [first, second] = [1, 2].map((number) => new RecordingProtocol({ connectionMade: () => order.push(`protocol ${number}`) }));
    const transports = connectMemory(first!, second!);
    assert.deepEqual(order, ["protocol 1", "protocol 2"]);
    assert.deepEqual(transports, [first!.transport, second!.transport]);
  });

  it("gives the addresses of the ends and the given extra info", () => {
    const [first, second] = connectMemory(new BaseProtocol(), new BaseProtocol(), {
      extraInfo: [{ alpn_protocol: "h2" }, { sockname: "/run/app.sock" }],
    });
    assert.equal(first.getExtraInfo("peername"), "memory:second");
    assert.equal(first.getExtraInfo("sockname"), second.getExtraInfo("peername"));
    assert.equal(first.getExtraInfo("alpn_protocol"), "h2");
    assert.equal(second.getExtraInfo("alpn_protocol"), null);
    assert.equal(second.getExtraInfo("sockname"), "/run/app.sock");
  });

  for (const wrong of [null, undefined, 5, "protocol"]) {
    it(`refuses ${String(wrong)} for a protocol`, () => {
      assert.throws(() => connectMemory(wrong as never, new BaseProtocol()), { code: "ERR_INVALID_ARG_TYPE", message: /first/ });
      assert.throws(() => connectMemory(new BaseProtocol(), wrong as never), { code: "ERR_INVALID_ARG_TYPE", message: /second/ });
    });
  }

  it("takes a single piece in writelines() for a list of one", async () => {
    const second = new RecordingProtocol();
    const [transport] = connectMemory(new BaseProtocol(), second);
    transport.writelines("te" as never);
    transport.writelines(Buffer.from("xt") as never);
    transport.close();
    await second.lost;
    assert.equal(second.received.toString(), "text");
  });
});
