/** How connections in memory fail: resets, broken pipes, protocols that throw. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runInNewContext } from "node:vm";
import { connectMemory, memoryPair, RecordingProtocol } from "asyncio-streams/testing";
import { expectWarnings } from "../support/leak-guard.js";
import { isSettled, turns } from "../support/turns.js";

expectWarnings("OnPurpose");

const reset = { code: "ECONNRESET", syscall: "read" };

describe("a reset connection", () => {
  it("gives the data on its way first, then the error, at both ends", async () => {
    const [client, server] = memoryPair();
    client.writer.write("to the server\nhalf");
    server.writer.write("to the client\nhalf");
    client.transport.reset();
    for (const [end, name] of [
      [client, "client"],
      [server, "server"],
    ] as const) {
      assert.equal((await end.reader.readline()).toString(), `to the ${name}\n`);
      await assert.rejects(end.reader.readline(), reset);
      assert.equal((await end.reader.readexactly(4)).toString(), "half");
      await assert.rejects(end.writer.waitClosed(), reset);
      await assert.rejects(end.writer.drain(), { name: "ConnectionLostError" });
    }
  });

  it("loses the data in the write buffers", async () => {
    const [client, server] = memoryPair({ capacity: 10, limit: 1 });
    client.writer.write("0123456789 lost");
    await turns(5);
    client.writer.write(Buffer.alloc(100_000));
    const drained = client.writer.drain();
    client.transport.reset();
    assert.equal((await server.reader.readexactly(15)).toString(), "0123456789 lost");
    await assert.rejects(drained, { name: "ConnectionLostError" });
    await assert.rejects(server.reader.readexactly(100), reset);
  });

  it("has the error that is given", async () => {
    const [client, server] = memoryPair();
    const error = Object.assign(new Error("the cable"), { code: "ETIMEDOUT" });
    server.transport.reset(error);
    await assert.rejects(client.reader.read(), (reason) => reason === error);
    await assert.rejects(server.reader.read(), (reason) => reason === error);
    assert.throws(() => client.transport.reset("no error" as never), { code: "ERR_INVALID_ARG_TYPE" });
  });

  it("reaches an end that does not read when it reads again", async () => {
    const [client, server] = memoryPair();
    server.transport.pauseReading();
    client.writer.write("first this");
    client.transport.reset();
    await assert.rejects(client.writer.waitClosed(), reset);
    assert.equal(await isSettled(server.writer.waitClosed()), false);
    server.transport.resumeReading();
    await assert.rejects(server.writer.waitClosed(), reset);
    assert.equal((await server.reader.readexactly(10)).toString(), "first this");
  });

  it("ends an end that is closing, and had to wait", async () => {
    const [client, server] = memoryPair({ limit: 1_000 });
    client.writer.write(Buffer.alloc(1_000_000));
    client.writer.close();
    assert.equal(await isSettled(client.writer.waitClosed()), false);
    // One of another realm is an error, too.
    const error = runInNewContext("new RangeError('from elsewhere')") as Error;
    server.transport.reset(error);
    await assert.rejects(client.writer.waitClosed(), (reason) => reason === error);
  });

  it("reaches an end that has had the peer's EOF", async () => {
    const [client, server] = memoryPair();
    client.writer.writeEof();
    assert.equal((await server.reader.read()).length, 0);
    server.writer.write("answer");
    client.transport.reset();
    assert.equal((await client.reader.readexactly(6)).toString(), "answer");
    await assert.rejects(server.writer.waitClosed(), reset);
  });

  it("ends the connection once, however often it is reset", async () => {
    const [first, second] = [new RecordingProtocol(), new RecordingProtocol()];
    const transports = connectMemory(first, second);
    for (const transport of [...transports, ...transports]) transport.reset();
    await Promise.all([first.lost, second.lost]);
    await turns(5);
    transports[0].reset();
    await turns(5);
    assert.deepEqual([first.losses.length, second.losses.length], [1, 1]);
  });
});

describe("a peer that has closed", () => {
  it("gives EPIPE to an end that still writes", async () => {
    const [client, server] = memoryPair();
    client.writer.close();
    await client.writer.waitClosed();
    assert.equal((await server.reader.read()).length, 0);
    server.writer.write("to nobody");
    await assert.rejects(server.writer.waitClosed(), { code: "EPIPE", syscall: "write" });
  });

  it("gives EPIPE to an end that has written more than was taken", async () => {
    const [client, server] = memoryPair({ limit: 1_000 });
    server.writer.write(Buffer.alloc(1_000_000));
    server.writer.close();
    await turns(5);
    client.transport.abort();
    await assert.rejects(server.writer.waitClosed(), { code: "EPIPE" });
  });

  it("has sent only the data that the line had taken before the abort", async () => {
    const [client, server] = memoryPair({ capacity: 100 });
    client.writer.write(Buffer.alloc(1_000));
    client.transport.abort();
    assert.equal((await server.reader.read()).length, 100);
    await client.writer.waitClosed();
  });
});

describe("a protocol that throws in memory", () => {
  const failure = new Error("on purpose");
  const throws = (): never => {
    throw failure;
  };

  for (const method of ["connectionMade", "dataReceived", "eofReceived", "pauseWriting", "resumeWriting"] as const) {
    it(`in ${method}() loses the connection with what it threw; the peer reads EOF`, async () => {
      const first = new RecordingProtocol({ [method]: throws });
      const second = new RecordingProtocol();
      const [transport, peer] = connectMemory(first, second);
      if (method === "pauseWriting" || method === "resumeWriting") transport.write(Buffer.alloc(1_000_000));
      peer.write("data");
      peer.writeEof();
      assert.equal(await first.lost, failure);
      assert.equal(await second.lost, null);
    });
  }

  it("wraps a thrown value that is not an Error", async () => {
    const first = new RecordingProtocol({
      dataReceived: () => {
        throw "just text"; // oxlint-disable-line typescript/only-throw-error
      },
    });
    connectMemory(first, new RecordingProtocol())[1].write("data");
    const error = await first.lost;
    assert.match(error?.message ?? "", /just text/);
    assert.equal(error?.cause, "just text");
  });

  it("in connectionLost() is a process warning", async () => {
    const warning = Object.assign(new Error("too late"), { name: "OnPurpose" });
    const warned = new Promise((resolve) => {
      process.once("warning", resolve);
    });
    const first = new RecordingProtocol({
      connectionLost: () => {
        throw warning;
      },
    });
    connectMemory(first, new RecordingProtocol())[0].close();
    assert.equal(await warned, warning);
  });
});
