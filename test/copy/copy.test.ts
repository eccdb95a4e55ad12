import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { ConnectionLostError, copy, relay, StreamReader, type StreamWriter } from "asyncio-streams";
import { memoryPair } from "asyncio-streams/testing";
import { type End, kinds, openPair } from "../support/pairs.js";
import { tcpTls } from "../support/tls-kinds.js";
import { turns } from "../support/turns.js";

const MUCH_BYTES = 3_000_000;

const pairOf = ({ reader, writer }: End): [StreamReader, StreamWriter] => [reader, writer];

/** Writes `MUCH_BYTES` in pieces, and returns their digest. */
async function writeMuch(writer: StreamWriter, seed: number): Promise<string> {
  const hash = createHash("sha256");
  for (let left = MUCH_BYTES; left > 0; ) {
    const piece = Buffer.alloc(Math.min(left, 50_021), `${seed}-${left},`);
    hash.update(piece);
    writer.write(piece);
    await writer.drain();
    left -= piece.length;
  }
  return hash.digest("hex");
}

async function digestOf(reader: StreamReader): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of reader.chunks()) hash.update(chunk);
  return hash.digest("hex");
}

describe("copy", () => {
  it("copies everything to the end, reports its progress, and leaves the writer open", async () => {
    const [sender, source] = memoryPair();
    const [sink, receiver] = memoryPair();
    const progress: number[] = [];
    const copying = copy(source.reader, sink.writer, { onProgress: (bytes) => progress.push(bytes) });
    const sent = writeMuch(sender.writer, 1).then((digest) => {
      sender.writer.writeEof();
      return digest;
    });
    const received = digestOf(receiver.reader);
    assert.equal(await copying, MUCH_BYTES);
    assert.deepEqual(
      progress,
      progress.toSorted((a, b) => a - b),
    );
    assert.equal(progress.at(-1), MUCH_BYTES);
    sink.writer.writeEof();
    assert.equal(await received, await sent);
  });

  it("passes backpressure on: what is not read is not copied", async () => {
    const [sender, source] = memoryPair();
    const [sink, receiver] = memoryPair();
    const copying = copy(source.reader, sink.writer);
    let isSent = false;
    const sending = writeMuch(sender.writer, 2).then(() => (isSent = true));
    await turns(500);
    assert.equal(isSent, false);
    for (const { writer } of [sender, source, sink, receiver]) writer.abort();
    await assert.rejects(sending, ConnectionLostError);
    await assert.rejects(copying);
  });

  it("loses nothing if aborted", async () => {
    const [sender, source] = memoryPair();
    const [sink, receiver] = memoryPair();
    const controller = new AbortController();
    const copying = copy(source.reader, sink.writer, { signal: controller.signal });
    sender.writer.write("before");
    assert.equal(String(await receiver.reader.readexactly(6)), "before");
    controller.abort(new Error("enough"));
    await assert.rejects(copying, { message: "enough" });
    sender.writer.write("after");
    assert.equal(String(await source.reader.readexactly(5)), "after");
  });

  it("takes a time-out", async () => {
    const [, source] = memoryPair();
    const [sink] = memoryPair();
    await assert.rejects(copy(source.reader, sink.writer, { timeout: 5 }), { name: "TimeoutError" });
  });

  it("rejects with an exception of onProgress", async () => {
    const reader = new StreamReader();
    reader.feedData("data");
    const [sink] = memoryPair();
    const onProgress = (): void => assert.fail("a callback that throws");
    await assert.rejects(copy(reader, sink.writer, { onProgress }), { message: "a callback that throws" });
  });

  it("rejects if the writer's connection is lost", async () => {
    const [sender, source] = memoryPair();
    const [sink] = memoryPair();
    sink.writer.abort();
    sender.writer.write("data");
    await assert.rejects(copy(source.reader, sink.writer), ConnectionLostError);
  });

  it("refuses what is no stream, and wrong options", async () => {
    const [{ reader, writer }] = memoryPair();
    await assert.rejects(copy({} as StreamReader, writer), { name: "TypeError", message: /^reader must be a StreamReader/ });
    await assert.rejects(copy(reader, reader as never), { name: "TypeError", message: /^writer must be a StreamWriter/ });
    await assert.rejects(copy(reader, writer, { onProgress: 5 as never }), { name: "TypeError", message: /^onProgress must be/ });
    await assert.rejects(copy(reader, writer, 5 as never), { name: "TypeError", message: /^options must be/ });
  });
});

describe("relay", () => {
  it("refuses what is no pair of streams, and wrong options", async () => {
    const [one, other] = memoryPair();
    await assert.rejects(relay(one as never, pairOf(other)), { name: "TypeError", message: /^first must be a pair/ });
    await assert.rejects(relay(pairOf(one), [other.writer, other.reader] as never), { message: /^second\[0\] must be a StreamReader/ });
    await assert.rejects(relay(pairOf(one), pairOf(other), { onProgress: 5 as never }), { message: /^onProgress must be/ });
    assert.equal(one.writer.isClosing(), false);
  });

  for (const kind of kinds) {
    it(`passes everything on, both ways, with half-close, over ${kind.name}`, async () => {
      await using left = await openPair(kind);
      await using right = await openPair(kind);
      let progress: readonly [number, number] = [0, 0];
      const relaying = relay(pairOf(left.peer), pairOf(right.client), { onProgress: (...bytes) => void (progress = bytes) });
      const forth = writeMuch(left.client.writer, 3).then((digest) => {
        left.client.writer.writeEof();
        return digest;
      });
      assert.equal(await digestOf(right.peer.reader), await forth);
      const back = writeMuch(right.peer.writer, 4); // the other direction goes on after the first one has ended
      const backDigest = digestOf(left.client.reader);
      assert.equal(typeof (await back), "string");
      right.peer.writer.writeEof();
      assert.equal(await backDigest, await back);
      assert.deepEqual(await relaying, [MUCH_BYTES, MUCH_BYTES]);
      assert.deepEqual(progress, [MUCH_BYTES, MUCH_BYTES]);
      assert.ok(left.peer.writer.isClosing() && right.client.writer.isClosing());
    });

    it(`sends what was received before one side broke, and aborts both, over ${kind.name}`, async () => {
      await using left = await openPair(kind);
      await using right = await openPair(kind);
      const relaying = relay(pairOf(left.peer), pairOf(right.client));
      left.client.writer.write("last words");
      assert.equal(String(await right.peer.reader.readexactly(10)), "last words");
      right.peer.writer.write("an answer");
      await right.peer.writer.flush();
      right.peer.writer.abort();
      const writing = (async () => {
        for (;;) {
          left.client.writer.write("to a peer that has gone");
          await left.client.writer.drain();
          await turns();
        }
      })();
      const outcomes = Promise.allSettled([relaying, writing]);
      assert.equal(String(await left.client.reader.readexactly(9)), "an answer");
      assert.deepEqual(
        (await outcomes).map(({ status }) => status),
        ["rejected", "rejected"],
      );
      assert.ok(left.peer.writer.isClosing() && right.client.writer.isClosing());
    });
  }

  it("closes the other side at EOF over TLS, which has no half-close", async () => {
    await using left = await openPair(kinds[0] as (typeof kinds)[number]);
    await using right = await openPair(tcpTls);
    const relaying = relay(pairOf(left.peer), pairOf(right.client));
    left.client.writer.write("secret");
    left.client.writer.writeEof();
    assert.equal(String(await right.peer.reader.read()), "secret");
    right.peer.writer.close();
    assert.deepEqual(await relaying, [6, 0]);
  });

  it("aborts both sides if aborted", async () => {
    const [client, first] = memoryPair();
    const [second, server] = memoryPair();
    const controller = new AbortController();
    const relaying = relay(pairOf(first), pairOf(second), { signal: controller.signal });
    controller.abort(new Error("enough"));
    await assert.rejects(relaying, { message: "enough" });
    assert.ok(first.writer.isClosing() && second.writer.isClosing());
    await Promise.allSettled([client.reader.read(), server.reader.read()]);
  });

  it("aborts both sides if it begins aborted, or the time is over", async () => {
    for (const options of [{ signal: AbortSignal.abort(new Error("never")) }, { timeout: 1 }]) {
      const [, first] = memoryPair();
      const [second] = memoryPair();
      await assert.rejects(relay(pairOf(first), pairOf(second), options), { message: /never|time-out/ });
      assert.ok(first.writer.isClosing() && second.writer.isClosing());
    }
  });

  it("rejects with the error of one side, and aborts both", async () => {
    const [client, first] = memoryPair();
    const [second, server] = memoryPair();
    const relaying = relay(pairOf(first), pairOf(second));
    first.reader.setException(new Error("broken"));
    await assert.rejects(relaying, { message: "broken" });
    await Promise.allSettled([client.reader.read(), server.reader.read(), first.writer.waitClosed(), second.writer.waitClosed()]);
    assert.ok(first.writer.isClosing() && second.writer.isClosing());
  });
});
