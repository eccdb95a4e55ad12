/** What `flush()` tells once a connection has ended: whether everything had gone, not whether the connection stands. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { describe, it } from "node:test";
import { ConnectionLostError, StreamWriter } from "asyncio-streams";
import { memoryPair } from "asyncio-streams/testing";
import { MUCH } from "../support/much.js";
import { kinds, openPair } from "../support/pairs.js";
import { cannot } from "../support/runtime.js";
import { tcpTls } from "../support/tls-kinds.js";
import { isSettled, until } from "../support/turns.js";

for (const kind of [...kinds, tcpTls]) {
  describe(`StreamWriter.flush after the end over ${kind.name}`, () => {
    it("is done after close(), when everything was sent", async () => {
      await using pair = await openPair(kind);
      const { writer } = pair.client;
      writer.write("the last words");
      writer.close();
      await writer.flush();
      assert.equal((await pair.peer.reader.read()).toString(), "the last words");
      pair.peer.writer.close();
      await writer.waitClosed();
      await writer.flush();
    });

    it("is done after abort(), when nothing was left to send", async () => {
      await using pair = await openPair(kind);
      const { writer } = pair.client;
      writer.write("asked");
      await writer.flush();
      writer.abort();
      await writer.flush();
      await writer.waitClosed();
      await writer.flush();
    });

    it("rejects after abort() that dropped the bytes gathered in this turn", async () => {
      await using pair = await openPair(kind);
      const { writer } = pair.client;
      writer.write("never sent");
      writer.abort();
      await assert.rejects(writer.flush(), ConnectionLostError);
      await writer.waitClosed();
      await assert.rejects(writer.flush(), ConnectionLostError);
    });

    it("rejects for bytes written after close()", async () => {
      await using pair = await openPair(kind);
      const { writer } = pair.client;
      writer.write("in time");
      writer.close();
      writer.write("");
      await writer.flush();
      writer.write("too late");
      await assert.rejects(writer.flush(), ConnectionLostError);
      assert.equal((await pair.peer.reader.read()).toString(), "in time");
    });

    it("is done after the peer has cut a connection on which everything was sent", async () => {
      await using pair = await openPair(kind);
      const { writer } = pair.client;
      writer.write("never read");
      await writer.flush();
      pair.peer.writer.transport.pauseReading();
      pair.peer.writer.abort();
      await until(() => pair.client.reader.atEof() || pair.client.reader.exception() !== null);
      writer.close();
      await writer.waitClosed().catch(() => {});
      await writer.flush();
    });

    const tellsOfLostWrites = kind === tcpTls ? cannot("lost-writes-over-tls", "deno") : {};
    it("rejects after the peer has cut it while there was something to send", tellsOfLostWrites, async () => {
      await using pair = await openPair(kind);
      const { writer } = pair.client;
      pair.peer.writer.transport.pauseReading();
      writer.write(MUCH);
      const flushed = writer.flush();
      assert.equal(await isSettled(flushed), false);
      pair.peer.writer.abort();
      await assert.rejects(flushed, ConnectionLostError);
      await writer.waitClosed().catch(() => {});
      await assert.rejects(writer.flush(), ConnectionLostError);
    });
  });
}

for (const [what, makeWriter] of [
  ["a connection in memory", () => memoryPair()[0].writer],
  ["a sink", () => StreamWriter.from(new PassThrough())],
] as const) {
  describe(`StreamWriter.flush after the end of ${what}`, () => {
    it("is done when everything was taken, and rejects for later bytes", async () => {
      const writer = makeWriter();
      writer.write("sent");
      writer.close();
      await writer.flush();
      await writer.waitClosed();
      await writer.flush();
      writer.write("");
      await writer.flush();
      writer.write("late");
      await assert.rejects(writer.flush(), ConnectionLostError);
    });
  });
}

describe("StreamWriter.flush after the end of a connection in memory", () => {
  it("is done after abort(), when nothing was left to send, and rejects when something was", async () => {
    for (const [text, isSent] of [
      ["", true],
      ["sent", true],
      ["too much", false],
    ] as const) {
      const [{ writer }] = memoryPair({ capacity: 4 });
      writer.write(text);
      writer.abort();
      const expected = isSent ? assert.doesNotReject : assert.rejects;
      await expected(writer.flush());
      await writer.waitClosed();
      await expected(writer.flush());
    }
  });
});

describe("StreamWriter.flush after the end of a sink", () => {
  it("is done after abort(), when nothing was left to send, and rejects when something was", async () => {
    const [idle, busy] = [StreamWriter.from(new PassThrough()), StreamWriter.from(new PassThrough({ highWaterMark: 1 }))];
    busy.writelines(["more than", " it takes"]);
    for (const writer of [idle, busy]) {
      writer.abort();
      await writer.waitClosed();
    }
    await idle.flush();
    await assert.rejects(busy.flush(), ConnectionLostError);
  });
});
