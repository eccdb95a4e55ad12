import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { PassThrough } from "node:stream";
import { describe, it } from "node:test";
import { ConnectionLostError, copy, relay, StreamReader, StreamWriter } from "asyncio-streams";
import { memoryPair } from "asyncio-streams/testing";
import { expectWarnings } from "../support/leak-guard.js";
import { type End, kinds, openPair } from "../support/pairs.js";
import { tcpTls } from "../support/tls-kinds.js";
import { turns, until } from "../support/turns.js";
import { warningsOf } from "../support/warnings-of.js";

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

expectWarnings("LateError");

/** What a program may throw. */
const failures: readonly (readonly [string, unknown])[] = [
  ["an error", new Error("failed")],
  ["a string", "failed"],
  ["undefined", undefined],
];

async function thrownBy(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => assert.fail("fulfilled"),
    (error: unknown) => error,
  );
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

  for (const [name, thrown] of failures) {
    it(`rejects with ${name} that an async onProgress rejects with, although no more data comes`, async () => {
      const reader = new StreamReader();
      reader.feedData("data");
      const [sink] = memoryPair();
      const onProgress = (async () => {
        await turns();
        throw thrown;
      }) as () => void;
      assert.equal(await thrownBy(copy(reader, sink.writer, { onProgress })), thrown);
      reader.feedData("rest"); // no read waits any more
      assert.equal(String(await reader.readexactly(4)), "rest");
    });
  }

  it("warns of an onProgress that rejects after the call has ended", async () => {
    const reader = new StreamReader();
    reader.feedData("data");
    reader.feedEof();
    const [sink] = memoryPair();
    let reject: (reason: Error) => void = () => {};
    const promise = new Promise<never>((_, rejectPromise) => (reject = rejectPromise));
    const warnings = await warningsOf(async () => {
      assert.equal(await copy(reader, sink.writer, { onProgress: (() => promise) as () => void }), 4);
      reject(Object.assign(new Error("too late"), { name: "LateError" }));
    });
    assert.deepEqual(
      warnings.map(({ message }) => message),
      ["too late"],
    );
  });

  it("rejects with the reason of its signal while it reports", async () => {
    const [, source] = memoryPair();
    const [sink] = memoryPair();
    const reason = new Error("enough");
    const controller = new AbortController();
    const copying = copy(source.reader, sink.writer, { onProgress() {}, signal: controller.signal });
    controller.abort(reason);
    assert.equal(await thrownBy(copying), reason);
  });

  it("leaves the chunk in the reader if the writer refuses to write", async () => {
    const reader = new StreamReader();
    reader.feedData("important");
    const [sink] = memoryPair();
    sink.writer.writeEof();
    await assert.rejects(copy(reader, sink.writer), { code: "ERR_INVALID_STATE" });
    assert.equal(String(await reader.readexactly(9)), "important");
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

  for (const [name, thrown] of failures) {
    it(`rejects with ${name} that onProgress throws or rejects with, or that is the reason of its signal`, async () => {
      const ways = {
        throws: () => {
          throw thrown;
        },
        rejects: async () => {
          await turns();
          throw thrown;
        },
      };
      for (const onProgress of [ways.throws, ways.rejects as () => void]) {
        const [client, first] = memoryPair();
        const [second] = memoryPair();
        const relaying = relay(pairOf(first), pairOf(second), { onProgress });
        client.writer.write("data");
        assert.equal(await thrownBy(relaying), thrown);
        assert.ok(first.writer.isClosing() && second.writer.isClosing());
      }
      if (thrown === undefined) return; // an AbortError then
      const [, first] = memoryPair();
      const [second] = memoryPair();
      const controller = new AbortController();
      const relaying = relay(pairOf(first), pairOf(second), { signal: controller.signal });
      controller.abort(thrown);
      assert.equal(await thrownBy(relaying), thrown);
      assert.ok(first.writer.isClosing() && second.writer.isClosing());
    });
  }

  for (const place of ["first", "second"] as const) {
    it(`rejects when one connection breaks while the ${place} pair is of streams of Node, and releases these`, async () => {
      const [input, output] = [new PassThrough(), new PassThrough()];
      const streams: [StreamReader, StreamWriter] = [
        StreamReader.from(Object.assign(input, { write: undefined })),
        StreamWriter.from(output),
      ];
      const [one] = memoryPair();
      const relaying = place === "first" ? relay(streams, pairOf(one)) : relay(pairOf(one), streams);
      const broken = new Error("broken");
      one.writer.abort(broken);
      assert.equal(await thrownBy(relaying), broken);
      assert.ok(input.destroyed && output.destroyed);
    });
  }

  it("ends at its time-out while it closes a connection whose peer reads nothing", async () => {
    await using left = await openPair(kinds[0] as (typeof kinds)[number]);
    const [second, deaf] = memoryPair({ capacity: 1000 });
    const relaying = relay(pairOf(left.peer), pairOf(second), { timeout: 100 });
    left.client.writer.write(Buffer.alloc(50_000));
    left.client.writer.writeEof();
    deaf.writer.transport.pauseReading();
    deaf.writer.writeEof();
    await assert.rejects(relaying, { name: "TimeoutError" });
    assert.ok(second.writer.isClosing());
    await until(() => left.peer.writer.isClosing());
  });
});
