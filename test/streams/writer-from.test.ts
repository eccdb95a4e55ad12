import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createReadStream, createWriteStream, readFileSync, rmSync } from "node:fs";
import { PassThrough, Writable } from "node:stream";
import { describe, it } from "node:test";
import { createGunzip, createGzip } from "node:zlib";
import { ConnectionLostError, StreamReader, StreamWriter } from "asyncio-streams";
import { detachedView } from "../support/detached.js";
import { socketPath } from "../support/temporary.js";
import { isSettled, turns, until } from "../support/turns.js";

/** A sink that takes what it is given when it is told to. */
interface SlowSink {
  readonly stream: Writable | WritableStream<Uint8Array>;
  readonly received: () => string;
  readonly ended: () => boolean;
  readonly aborted: () => unknown;
  /** Takes what waits, and all that comes. */
  open(): void;
  /** Fails at what waits. */
  fail(error: Error): void;
}

const sinks: Readonly<Record<string, () => SlowSink>> = {
  "a Writable"() {
    const chunks: Buffer[] = [];
    let next: ((error?: Error) => void) | null = null;
    let isOpen = false;
    let hasEnded = false;
    let abortedWith: unknown;
    const stream = new Writable({
      write(chunk: Buffer, _encoding, done) {
        chunks.push(chunk);
        if (isOpen) done();
        else next = done;
      },
      final(done) {
        hasEnded = true;
        done();
      },
      destroy(error, done) {
        abortedWith = error;
        done(error);
      },
    });
    const go = (error?: Error): void => {
      const done = next;
      next = null;
      done?.(error);
    };
    return {
      stream,
      received: () => Buffer.concat(chunks).toString(),
      ended: () => hasEnded,
      aborted: () => abortedWith,
      open() {
        isOpen = true;
        go();
      },
      fail: go,
    };
  },
  "a WritableStream"() {
    const chunks: Uint8Array[] = [];
    let next: { resolve(): void; reject(error: Error): void } | null = null;
    let isOpen = false;
    let hasEnded = false;
    let abortedWith: unknown;
    const stream = new WritableStream<Uint8Array>({
      write(chunk) {
        chunks.push(chunk);
        if (isOpen) return undefined;
        return new Promise<void>((resolve, reject) => {
          next = { resolve, reject };
        });
      },
      close() {
        hasEnded = true;
      },
      abort(reason) {
        abortedWith = reason;
      },
    });
    return {
      stream,
      received: () => Buffer.concat(chunks).toString(),
      ended: () => hasEnded,
      aborted: () => abortedWith,
      open() {
        isOpen = true;
        next?.resolve();
      },
      fail: (error) => next?.reject(error),
    };
  },
};

for (const [name, make] of Object.entries(sinks)) {
  describe(`StreamWriter.from ${name}`, () => {
    it("writes bytes and text in order, and ends the sink when it is closed", async () => {
      const sink = make();
      sink.open();
      const writer = StreamWriter.from(sink.stream);
      writer.write("one ");
      writer.writelines([Buffer.from("two "), "grün"]);
      await writer.flush();
      assert.equal(sink.received(), "one two grün");
      assert.equal(writer.bytesWritten, 13);
      assert.equal(sink.ended(), false);
      writer.close();
      await writer.waitClosed();
      assert.equal(sink.ended(), true);
    });

    it("drain() waits for a slow sink above the high-water mark, flush() for all of it", async () => {
      const sink = make();
      const writer = StreamWriter.from(sink.stream);
      writer.write("a");
      await writer.drain();
      const flushed = writer.flush();
      writer.write(Buffer.alloc(65_536));
      const drained = writer.drain();
      await turns(3);
      assert.deepEqual([await isSettled(flushed), await isSettled(drained)], [false, false]);
      assert.equal(writer.transport.getWriteBufferSize(), 65_537);
      sink.open();
      await Promise.all([flushed, drained]);
      assert.equal(writer.transport.getWriteBufferSize(), 0);
      writer.close();
      await writer.waitClosed();
    });

    it("an aborted wait ends nothing else", async () => {
      const sink = make();
      const writer = StreamWriter.from(sink.stream);
      writer.write("abc");
      await assert.rejects(writer.flush({ timeout: 1 }), { name: "TimeoutError" });
      sink.open();
      await writer.flush();
      assert.equal(sink.received(), "abc");
      writer.close();
      await writer.waitClosed();
    });

    it("writeEof() ends the sink; the connection stands until it is closed", async () => {
      const sink = make();
      sink.open();
      const writer = StreamWriter.from(sink.stream);
      assert.equal(writer.canWriteEof(), true);
      writer.write("abc");
      writer.writeEof();
      await until(() => sink.ended());
      await turns(3);
      await writer.drain();
      assert.equal(writer.isClosing(), false);
      assert.throws(() => writer.write("more"), { code: "ERR_INVALID_STATE" });
      writer.close();
      await writer.waitClosed();
      assert.equal(sink.received(), "abc");
    });

    it("a sink that fails is a lost connection, with its error", async () => {
      const sink = make();
      const writer = StreamWriter.from(sink.stream);
      const error = new Error("disk full");
      writer.write("abc");
      const flushed = writer.flush();
      await turns(2);
      sink.fail(error);
      await assert.rejects(flushed, (thrown) => thrown instanceof ConnectionLostError && thrown.cause === error);
      await assert.rejects(writer.drain(), (thrown) => thrown instanceof ConnectionLostError && thrown.cause === error);
      await assert.rejects(writer.waitClosed(), (thrown) => thrown === error);
      writer.write("nobody hears this");
      writer.close();
    });

    it("abort() destroys the sink, and rejects all waiting calls with the reason", async () => {
      const sink = make();
      const writer = StreamWriter.from(sink.stream);
      const reason = new Error("enough");
      const closed = writer.waitClosed();
      writer.write("not taken");
      writer.abort(reason);
      await assert.rejects(closed, (thrown) => thrown === reason);
      await until(() => sink.aborted() !== undefined);
      assert.equal(sink.aborted(), reason);
      await assert.rejects(writer.flush(), { code: "ECONNRESET" });
    });
  });
}

describe("StreamWriter.from", () => {
  it("notices a sink that its owner destroys or has destroyed", async () => {
    const sink = new PassThrough();
    const writer = StreamWriter.from(sink);
    sink.destroy();
    await assert.rejects(writer.waitClosed(), { code: "ERR_STREAM_PREMATURE_CLOSE" });
    await assert.rejects(StreamWriter.from(sink).waitClosed(), { code: "ERR_STREAM_PREMATURE_CLOSE" });
  });

  it("makes a pair of a child's standard input and output", async () => {
    const child = spawn("sort");
    const exited = new Promise((resolve) => child.once("close", resolve));
    const reader = StreamReader.from(child.stdout);
    const writer = StreamWriter.from(child.stdin);
    for (const line of ["pear", "apple", "fig"]) writer.write(`${line}\n`);
    writer.writeEof();
    assert.equal(String(await reader.read()), "apple\nfig\npear\n");
    writer.close();
    await writer.waitClosed();
    await exited;
  });

  it("carries megabytes through a compressor into a file, and StreamReader.from() back", async () => {
    const path = socketPath();
    const gzip = createGzip();
    const file = gzip.pipe(createWriteStream(path));
    const written = new Promise<void>((resolve) => file.once("close", () => resolve()));
    const writer = StreamWriter.from(gzip);
    const chunk = Buffer.alloc(65_536, "abcdefg");
    for (let index = 0; index < 100; index += 1) {
      writer.write(chunk);
      await writer.drain();
    }
    writer.close();
    await Promise.all([writer.waitClosed(), written]);
    assert.ok(readFileSync(path).length < 1_000_000);
    const reader = StreamReader.from(createReadStream(path).pipe(createGunzip()));
    assert.deepEqual(await reader.read(), Buffer.concat(Array.from({ length: 100 }, () => chunk)));
    rmSync(path);
  });

  it("has no socket in its extra info", async () => {
    const writer = StreamWriter.from(new PassThrough());
    assert.deepEqual([writer.getExtraInfo("peername"), writer.getExtraInfo("socket", 5)], [null, 5]);
    await assert.rejects(writer.startTls(true), { code: "ERR_INVALID_STATE" });
    writer.abort();
    await writer.waitClosed();
  });

  it("refuses a value that is not a sink, and a stream that other code writes to", () => {
    for (const other of [undefined, null, 5, "text", {}, new StreamReader()]) {
      assert.throws(() => StreamWriter.from(other as unknown as Writable), { name: "TypeError", code: "ERR_INVALID_ARG_TYPE" });
    }
    const locked = new WritableStream<Uint8Array>();
    locked.getWriter();
    assert.throws(() => StreamWriter.from(locked), { name: "TypeError" });
  });

  it("refuses a value that is neither bytes nor text", async () => {
    const writer = StreamWriter.from(new PassThrough());
    for (const wrong of [5, null, undefined, {}, detachedView()]) {
      assert.throws(() => writer.write(wrong as unknown as string), { name: "TypeError", code: "ERR_INVALID_ARG_TYPE" });
    }
    assert.equal(writer.bytesWritten, 0);
    writer.abort();
    await writer.waitClosed();
  });
});
