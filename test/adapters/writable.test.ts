import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { once } from "node:events";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { describe, it } from "node:test";
import { ConnectionLostError } from "asyncio-streams";
import { MUCH } from "../support/much.js";
import { kinds, openPair, unix } from "../support/pairs.js";
import { turns } from "../support/turns.js";
import { closed } from "./ended.js";

for (const kind of kinds) {
  describe(`StreamWriter.toWritable over ${kind.name}`, () => {
    it("sends the written bytes, and our EOF at its end; the peer can still be read", async () => {
      await using pair = await openPair(kind);
      const writable = pair.client.writer.toWritable();
      writable.write("one\n");
      writable.write(Buffer.from("two\n"));
      writable.write("c3bc", "hex");
      writable.end("\nlast");
      assert.equal(String(await pair.peer.reader.read()), "one\ntwo\nü\nlast");
      assert.equal(await closed(writable), null);
      assert.equal(writable.writableFinished, true);
      pair.peer.writer.write("answer\n");
      assert.equal(String(await pair.client.reader.readline()), "answer\n");
    });

    it("slows a source when the peer does not read", async () => {
      await using pair = await openPair(kind);
      const chunk = Buffer.alloc(65_536, "x");
      let made = 0;
      const source = new Readable({
        read() {
          made += 1;
          this.push(made > 1000 ? null : chunk);
        },
      });
      const piped = pipeline(source, pair.client.writer.toWritable());
      let before = -1;
      while (made !== before) {
        before = made;
        await turns(50);
      }
      assert.ok(made < 500, `${made} chunks of 64 KiB were taken`);
      assert.equal((await pair.peer.reader.read()).length, 1000 * chunk.length);
      await piped;
    });

    it("is done with a chunk when the system has it", async () => {
      await using pair = await openPair(kind);
      pair.client.writer.transport.setWriteBufferLimits({ high: 2 * MUCH.length }); // drain() would not wait
      const writable = pair.client.writer.toWritable();
      let done = false;
      writable.write(MUCH, () => {
        done = true;
      });
      await turns(20);
      assert.equal(done, false);
      assert.equal((await pair.peer.reader.readexactly(MUCH.length)).length, MUCH.length);
      writable.end();
      await once(writable, "close");
      assert.equal(done, true);
    });

    it("aborts the connection with the error that it is destroyed with", async () => {
      await using pair = await openPair(kind);
      const { reader, writer } = pair.client;
      const writable = writer.toWritable();
      const error = new Error("enough");
      writable.write(MUCH);
      writable.destroy(error);
      assert.equal(await closed(writable), error);
      await assert.rejects(writer.waitClosed(), (thrown) => thrown === error);
      await assert.rejects(reader.read(), (thrown) => thrown === error);
    });

    it("leaves the connection open when it is destroyed after its end", async () => {
      await using pair = await openPair(kind);
      const writable = pair.client.writer.toWritable();
      writable.end("a");
      await closed(writable);
      writable.destroy();
      await turns(5);
      assert.equal(pair.client.writer.isClosing(), false);
    });

    it("fails the source of a pipeline when the connection is cut", async () => {
      await using pair = await openPair(kind);
      const source = new Readable({ read() {} });
      source.push("abc");
      const piped = pipeline(source, pair.client.writer.toWritable());
      await pair.peer.reader.readexactly(3);
      const error = new Error("cut");
      pair.client.writer.abort(error);
      await assert.rejects(piped, (thrown) => thrown === error);
      assert.equal(source.destroyed, true);
    });

    it("is destroyed when the connection is closed", async () => {
      await using pair = await openPair(kind);
      const writable = pair.client.writer.toWritable();
      pair.client.writer.close();
      assert.equal(await closed(writable), null);
      assert.equal(writable.writableFinished, false);
    });

    it("fails with ConnectionLostError for a chunk that was not sent", async () => {
      await using pair = await openPair(kind);
      const writable = pair.client.writer.toWritable();
      const ended = closed(writable);
      let told: Error | null | undefined;
      writable.write(MUCH, (error) => {
        told = error;
      });
      await turns(2);
      pair.client.writer.abort(new Error("cut"));
      await ended;
      assert.ok(told instanceof ConnectionLostError, String(told));
    });
  });
}

describe("StreamWriter.toWritable", () => {
  it("refuses wrong options", async () => {
    await using pair = await openPair(unix);
    const { writer } = pair.client;
    for (const highWaterMark of [-1, 1.5, Number.NaN])
      assert.throws(() => writer.toWritable({ highWaterMark }), { code: "ERR_OUT_OF_RANGE" });
    assert.throws(() => writer.toWritable({ highWaterMark: "1" as unknown as number }), { code: "ERR_INVALID_ARG_TYPE" });
    assert.throws(() => writer.toWritable(5 as unknown as object), { code: "ERR_INVALID_ARG_TYPE" });
  });
});
