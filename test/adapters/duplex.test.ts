import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { once } from "node:events";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import { describe, it } from "node:test";
import { type DuplexOptions, type StreamReader, type StreamWriter, toDuplex } from "asyncio-streams";
import { MUCH } from "../support/much.js";
import { type End, kinds, openPair } from "../support/pairs.js";
import { connectedStreams } from "../support/readers.js";
import { turns, until } from "../support/turns.js";
import { closed, gather } from "./ended.js";

function duplexOf({ reader, writer }: End, options?: DuplexOptions): Duplex {
  return toDuplex(reader, writer, options);
}

for (const kind of kinds) {
  describe(`toDuplex over ${kind.name}`, () => {
    it("carries a conversation", async () => {
      await using pair = await openPair(kind);
      const duplex = duplexOf(pair.client);
      duplex.write("question\n");
      assert.equal(String(await pair.peer.reader.readline()), "question\n");
      pair.peer.writer.write("answer\n");
      assert.equal(String((await once(duplex, "data"))[0]), "answer\n");
      duplex.end();
      assert.equal((await pair.peer.reader.read()).length, 0);
      pair.peer.writer.close();
      assert.equal(await closed(duplex), null);
      await pair.client.writer.waitClosed();
    });

    it("echoes megabytes through a pipeline with itself", async () => {
      await using pair = await openPair(kind);
      const echoing = duplexOf(pair.peer, { allowHalfOpen: true });
      const echoed = pipeline(echoing, echoing);
      const duplex = duplexOf(pair.client);
      duplex.end(MUCH);
      assert.equal((await gather(duplex)).length, MUCH.length);
      await echoed;
      assert.equal(await closed(duplex), null);
      await pair.client.writer.waitClosed();
      await pair.peer.writer.waitClosed();
    });

    it("still reads after its end(): half-close", async () => {
      await using pair = await openPair(kind);
      const duplex = duplexOf(pair.client);
      duplex.end("question");
      const all = gather(duplex);
      assert.equal(String(await pair.peer.reader.read()), "question");
      pair.peer.writer.write("long ");
      await turns(5);
      pair.peer.writer.write("answer");
      pair.peer.writer.close();
      assert.equal(await all, "long answer");
      await pair.client.writer.waitClosed();
    });

    it("ends its own side when the peer has, as a net.Socket does", async () => {
      await using pair = await openPair(kind);
      const duplex = duplexOf(pair.client);
      pair.peer.writer.writeEof();
      assert.equal(await gather(duplex), "");
      assert.equal((await pair.peer.reader.read()).length, 0);
      assert.equal(await closed(duplex), null);
      await pair.client.writer.waitClosed();
    });

    it("leaves its own side open with allowHalfOpen", async () => {
      await using pair = await openPair(kind);
      const duplex = duplexOf(pair.client, { allowHalfOpen: true });
      pair.peer.writer.write("question");
      pair.peer.writer.writeEof();
      duplex.resume();
      await once(duplex, "end");
      await turns(5);
      duplex.end("answer");
      assert.equal(String(await pair.peer.reader.read()), "answer");
      assert.equal(await closed(duplex), null);
    });

    it("slows the peer while it is not read", async () => {
      await using pair = await openPair(kind);
      const duplex = duplexOf(pair.client);
      duplex.read(0);
      pair.peer.writer.write(MUCH);
      const drained = pair.peer.writer.drain();
      await turns(100);
      assert.ok(pair.peer.writer.transport.getWriteBufferSize() > MUCH.length / 2);
      pair.peer.writer.writeEof();
      assert.equal((await gather(duplex)).length, MUCH.length);
      await drained;
    });

    it("slows its own program when the peer does not read", async () => {
      await using pair = await openPair(kind);
      const duplex = duplexOf(pair.client);
      assert.equal(duplex.write(MUCH), false);
      let done = false;
      duplex.once("drain", () => {
        done = true;
      });
      await turns(50);
      assert.equal(done, false);
      await pair.peer.reader.readexactly(MUCH.length);
      await until(() => done);
      duplex.destroy();
      await closed(duplex);
    });

    it("emits the error of the connection, after the data that came before, and closes", async () => {
      await using pair = await openPair(kind);
      pair.peer.writer.write("before");
      await until(() => pair.client.reader.bufferedLength === 6);
      const duplex = duplexOf(pair.client);
      const error = new Error("cut");
      pair.client.writer.abort(error);
      const seen: string[] = [];
      duplex.on("data", (chunk) => seen.push(String(chunk)));
      assert.equal(await closed(duplex), error);
      assert.deepEqual(seen, ["before"]);
    });

    it("cuts the connection when it is destroyed, and closes after the loss", async () => {
      await using pair = await openPair(kind);
      const duplex = duplexOf(pair.client);
      duplex.resume();
      duplex.write(MUCH);
      duplex.destroy();
      assert.equal(await closed(duplex), null);
      assert.equal(pair.client.writer.isClosing(), true);
      await pair.client.writer.waitClosed();
      const received = await pair.peer.reader.read().catch(() => Buffer.alloc(0));
      assert.ok(received.length < MUCH.length);
    });

    it("gives the connection the error that it is destroyed with", async () => {
      await using pair = await openPair(kind);
      const duplex = duplexOf(pair.client);
      const error = new Error("enough");
      duplex.destroy(error);
      assert.equal(await closed(duplex), error);
      await assert.rejects(pair.client.writer.waitClosed(), (thrown) => thrown === error);
    });

    it("ends without an error when its writer is closed", async () => {
      await using pair = await openPair(kind);
      const duplex = duplexOf(pair.client);
      duplex.resume();
      pair.client.writer.close();
      assert.equal(await closed(duplex), null);
    });
  });
}

describe("toDuplex", () => {
  it("refuses arguments that are not a reader or a writer, and wrong options", () => {
    const { reader } = connectedStreams();
    const wrong = { name: "TypeError", code: "ERR_INVALID_ARG_TYPE" };
    assert.throws(() => toDuplex(undefined as unknown as StreamReader, undefined as unknown as StreamWriter), wrong);
    assert.throws(() => toDuplex(reader, {} as StreamWriter), wrong);
  });
});
