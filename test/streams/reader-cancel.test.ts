/** `StreamReader.from()` with sources that have other users, that never yield, that end in all ways; and how a reader gives its source back. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { createInterface } from "node:readline";
import { Duplex, PassThrough, Readable } from "node:stream";
import { describe, it } from "node:test";
import { type Data, StreamReader, StreamWriter } from "asyncio-streams";
import { frames, netstring } from "asyncio-streams/framing";
import { Child, scriptCommand } from "../support/child.js";
import { connectedStreams, readerOf, text } from "../support/readers.js";
import { isSettled, turns, until } from "../support/turns.js";

/** A Readable that gives nothing by itself. */
function silent(): Readable {
  return new Readable({ read() {} });
}

/** A Duplex whose ends a test holds: what is written to it is collected. */
function duplex(): { readonly stream: Duplex; readonly written: string[] } {
  const written: string[] = [];
  const stream = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      written.push(String(chunk));
      done();
    },
  });
  return { stream, written };
}

describe("StreamReader.from a Duplex", () => {
  it("leaves its writing side alone at the end", async () => {
    const { stream, written } = duplex();
    const reader = StreamReader.from(stream);
    stream.push("question");
    stream.push(null);
    assert.equal(await text(reader.read()), "question");
    await turns(3);
    assert.equal(stream.destroyed, false);
    const writer = StreamWriter.from(stream);
    writer.write("answer");
    writer.close();
    await writer.waitClosed();
    assert.deepEqual(written, ["answer"]);
  });

  it("ignores an error that comes after the end", async () => {
    const { stream } = duplex();
    const reader = StreamReader.from(stream);
    stream.push(null);
    assert.equal(await text(reader.read()), "");
    stream.destroy(new Error("the write failed"));
    await turns(3);
    assert.equal(reader.exception(), null);
  });

  it("gives it back paused and without listeners, and keeps the unread bytes", async () => {
    const { stream } = duplex();
    const reader = StreamReader.from(stream);
    stream.push("one\ntwo");
    assert.equal(await text(reader.readline()), "one\n");
    await reader.cancel();
    assert.equal(stream.destroyed, false);
    assert.equal(stream.isPaused(), true);
    for (const event of ["data", "end", "error", "close"]) assert.equal(stream.listenerCount(event), event === "end" ? ended : 0, event);
    stream.push("later");
    assert.equal(await text(reader.read()), "two");
    assert.equal(reader.atEof(), true);
    assert.equal(String(stream.read()), "later");
    stream.destroy();
  });

  /** Node's own: an `allowHalfOpen` Duplex has none. */
  const ended = duplex().stream.listenerCount("end");
});

describe("StreamReader.from a Readable", () => {
  it("has an error if the stream is closed before its end", async () => {
    const readable = silent();
    const reader = StreamReader.from(readable);
    readable.push("ab");
    assert.equal(await text(reader.readexactly(2)), "ab");
    readable.destroy();
    await assert.rejects(reader.readline(), { code: "ERR_STREAM_PREMATURE_CLOSE" });
  });

  it("has the state of a stream that has ended before", async () => {
    const atEnd = Readable.from([]).resume();
    await until(() => atEnd.readableEnded);
    assert.equal(await text(StreamReader.from(atEnd).read()), "");
    const closed = silent().destroy();
    await assert.rejects(StreamReader.from(closed).read(), { code: "ERR_STREAM_PREMATURE_CLOSE" });
    const failed = silent()
      .on("error", () => {})
      .destroy(new Error("broken"));
    await assert.rejects(StreamReader.from(failed).read(), { message: "broken" });
  });

  it("reads one that was paused, and pauses it at twice the limit", async () => {
    const readable = silent();
    readable.pause();
    const reader = StreamReader.from(readable, { limit: 10 });
    readable.push("a".repeat(21));
    await until(() => reader.bufferedLength === 21);
    assert.equal(readable.isPaused(), true);
    readable.push("b");
    assert.equal(await text(reader.readexactly(22)), `${"a".repeat(21)}b`);
    await reader.cancel();
  });

  it("fails at a piece that is neither bytes nor text, and destroys it", async () => {
    const readable = Readable.from([5]);
    await assert.rejects(StreamReader.from(readable as AsyncIterable<never>).read(), { code: "ERR_INVALID_ARG_TYPE" });
    assert.equal(readable.destroyed, true);
  });

  it("does not treat an emitter with lines as a stream", async () => {
    const lines = createInterface({ input: Readable.from(["a\nb\n"]) });
    assert.equal(await text(StreamReader.from(lines).read()), "ab");
  });

  it("destroys it when it is cancelled, and waits for that", async () => {
    const closing: (() => void)[] = [];
    const readable = new Readable({
      read() {},
      destroy: (_error, done) => void closing.push(() => done(new Error("nobody hears this"))),
    });
    const reader = StreamReader.from(readable);
    const line = reader.readline();
    const cancelled = reader.cancel();
    assert.equal(await text(line), "");
    assert.equal(await isSettled(cancelled), false);
    closing[0]?.();
    await cancelled;
    await reader.cancel();
    assert.equal(reader.exception(), null);
  });
});

describe("cancel()", () => {
  it("cancels a ReadableStream with the reason, and unlocks it", async () => {
    const reasons: unknown[] = [];
    const stream = new ReadableStream<Data>({ cancel: (reason) => void reasons.push(reason) });
    const reader = StreamReader.from(stream);
    const line = reader.readline();
    await reader.cancel("enough");
    assert.equal(await text(line), "");
    assert.deepEqual([reasons, stream.locked], [["enough"], false]);
  });

  it("leaves a ReadableStream unlocked at its end, and after its error", async () => {
    const ended = new ReadableStream<Data>({ start: (controller) => controller.close() });
    assert.equal(await text(StreamReader.from(ended).read()), "");
    const failed = new ReadableStream<Data>({ start: (controller) => controller.error(new Error("broken")) });
    await assert.rejects(StreamReader.from(failed).read(), { message: "broken" });
    assert.deepEqual([ended.locked, failed.locked], [false, false]);
  });

  it("calls return() of an iterator once, and ignores its error", async () => {
    let returned = 0;
    const source: AsyncIterable<Data> = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => {}),
        return() {
          returned += 1;
          throw new Error("nobody hears this");
        },
      }),
    };
    const reader = StreamReader.from(source);
    const rest = reader.read();
    await Promise.all([reader.cancel(), reader.cancel(), reader[Symbol.asyncDispose]()]);
    assert.equal(await text(rest), "");
    assert.equal(returned, 1);
  });

  it("ignores later values and errors of the source", async () => {
    for (const end of ["value", "error"]) {
      const answers: ((result: IteratorResult<Data, unknown> | Promise<never>) => void)[] = [];
      const source: AsyncIterable<Data> = { [Symbol.asyncIterator]: () => ({ next: () => new Promise((answer) => answers.push(answer)) }) };
      const reader = StreamReader.from(source);
      await reader.cancel();
      answers[0]?.(end === "value" ? { done: false, value: "late" } : Promise.reject(new Error("late")));
      await turns(2);
      assert.equal(await text(reader.read()), "");
      assert.equal(reader.exception(), null);
      assert.equal(answers.length, 1);
    }
  });

  it("returns although the source never answers", async () => {
    const stuck: Readonly<Record<string, AsyncIterable<Data>>> = {
      generator: (async function* () {
        yield await new Promise<Data>(() => {});
      })(),
      ReadableStream: new ReadableStream<Data>({ cancel: () => new Promise(() => {}) }),
      Readable: new Readable({ read() {}, destroy() {} }),
    };
    await Promise.all(
      Object.values(stuck).map(async (source) => {
        const reader = StreamReader.from(source);
        const waiting = reader.readline();
        await reader.cancel();
        assert.equal(await text(waiting), "");
      }),
    );
  });

  it("does nothing to a source that has ended", async () => {
    const reader = StreamReader.from(Readable.from([Buffer.from("all")]));
    assert.equal(await text(reader.read()), "all");
    await reader.cancel();
    const pulled = StreamReader.from(new ReadableStream<Data>({ start: (controller) => controller.close() }));
    assert.equal(await text(pulled.read()), "");
    await pulled.cancel();
  });

  it("of a connection ends reading and drops later bytes, and the connection stays open", async () => {
    const { reader, writer, protocol, transport } = connectedStreams({ limit: 4 });
    protocol.dataReceived(Buffer.from("one\ntwo.."));
    assert.deepEqual(transport.calls, ["pauseReading"]);
    const line = reader.readline();
    await reader.cancel();
    assert.equal(await text(line), "one\n");
    assert.equal(transport.calls.at(-1), "resumeReading");
    protocol.dataReceived(Buffer.from("dropped"));
    assert.equal(await text(reader.read()), "two..");
    protocol.eofReceived();
    assert.equal(reader.atEof(), true);
    writer.write("good bye");
    assert.equal(transport.closing, false);
  });

  it("of a reader that is fed by hand ends it", async () => {
    const reader = new StreamReader();
    const read = reader.readexactly(3);
    reader.feedData("ab");
    await reader.cancel();
    await assert.rejects(read, { code: "ERR_INCOMPLETE_READ" });
  });
});

describe("leaving a loop", () => {
  const loops: Readonly<Record<string, (reader: StreamReader) => AsyncIterable<unknown>>> = {
    reader: (reader) => reader,
    "lines()": (reader) => reader.lines(),
    "chunks()": (reader) => reader.chunks(3),
    "frames()": (reader) => frames(reader, netstring()),
  };
  for (const [name, iterable] of Object.entries(loops)) {
    it(`over a source pauses it until a read waits, and loses nothing: ${name}`, async () => {
      const readable = silent();
      const reader = StreamReader.from(readable);
      readable.push("1:\n,1:\n,");
      for await (const _ of iterable(reader)) break;
      assert.equal(readable.isPaused(), true);
      const left = reader.bufferedLength;
      await reader.read(1);
      assert.equal(readable.isPaused(), true);
      const all = reader.read();
      assert.equal(readable.isPaused(), false);
      readable.push("more");
      readable.push(null);
      assert.equal((await all).length, left - 1 + 4);
    });
  }

  it("over a connection pauses nothing", async () => {
    const { reader, protocol, transport } = connectedStreams();
    protocol.dataReceived(Buffer.from("one\ntwo\n"));
    for await (const _ of reader) break;
    assert.deepEqual(transport.calls, []);
  });

  it("does not affect a waiting read, or a source that is paused", async () => {
    const readable = silent();
    const reader = StreamReader.from(readable, { limit: 7 });
    const iterator = reader[Symbol.asyncIterator]();
    const line = reader.readline();
    assert.deepEqual(await iterator.return?.(), { done: true, value: undefined });
    assert.equal(readable.isPaused(), false);
    readable.push("a line\n");
    assert.equal(String(await line), "a line\n");
    readable.push("a".repeat(15));
    await until(() => readable.isPaused());
    for (let time = 0; time < 2; time += 1) await iterator.return?.();
    assert.equal((await reader.readexactly(15)).length, 15);
    await reader.cancel();
  });
});

describe("a source that never waits", () => {
  const piece = Buffer.alloc(1000);
  const sources: Readonly<Record<string, () => AsyncIterable<Data>>> = {
    generator: async function* () {
      for (;;) yield piece;
    },
    "generator of nothing": async function* () {
      for (;;) yield "";
    },
    Readable: () =>
      new Readable({
        read() {
          this.push(piece);
        },
      }),
    "Readable of short pieces": () =>
      new Readable({
        read() {
          this.push("x");
        },
      }),
    ReadableStream: () => new ReadableStream<Data>({ pull: (controller) => controller.enqueue(new Uint8Array(1000)) }),
    PassThrough: () => {
      const stream = new PassThrough();
      const refill = (): void => void stream.write(piece, refill);
      refill();
      return stream;
    },
  };
  for (const [name, make] of Object.entries(sources)) {
    it(`lets the event loop run: ${name}`, async () => {
      const source = make();
      const reader = StreamReader.from(source);
      let over = false;
      const reading = (async () => {
        while (!over) await reader.read(65_536);
      })();
      await turns(20);
      over = true;
      await reader.cancel();
      await reading;
      if (source instanceof PassThrough) source.destroy();
    });
  }
});

describe("standard input that stays open", () => {
  const expected: Readonly<Record<string, readonly string[]>> = {
    cancel: ["one", "left"],
    dispose: ["one", "left"],
    leave: ["one", "left"],
    "leave lines()": ["one", "left"],
    "leave, and go on": ["one", "two", "three", "four", "left"],
  };
  for (const [way, lines] of Object.entries(expected)) {
    it(`does not keep the process alive: ${way}`, async () => {
      await using child = new Child(scriptCommand("streams/stdin-child", way));
      child.process.stdin?.write("one\ntwo\n");
      const seen: string[] = [];
      for (const expectedLine of lines) {
        if (expectedLine === "three") child.process.stdin?.write("three\nfour\n");
        seen.push(await child.nextLine());
      }
      assert.deepEqual(seen, lines);
      assert.deepEqual(await child.ended, { code: 0, signal: null });
    });
  }
});

describe("a reader that is not from() a source", () => {
  it("does not pause, and has no source to give back", async () => {
    const reader = readerOf(["one\ntwo\n"]);
    for await (const _ of reader) break;
    assert.equal(await text(reader.readline()), "two\n");
    await reader.cancel();
    assert.equal(reader.atEof(), true);
  });
});

describe("StreamReader.from another reader", () => {
  const loops: Readonly<Record<string, (inner: StreamReader) => AsyncIterable<Data>>> = {
    "a reader": (inner) => inner,
    "lines()": (inner) => inner.lines(),
    "chunks()": (inner) => inner.chunks(),
  };
  for (const [name, loopOf] of Object.entries(loops)) {
    it(`ends the read of ${name} that waits when it is cancelled, and takes nothing of what arrives later`, async () => {
      const inner = new StreamReader();
      const outer = StreamReader.from(loopOf(inner));
      await turns(2);
      await outer.cancel();
      const next = inner.readline();
      inner.feedData("for the program\n");
      assert.equal(await text(next), "for the program\n");
    });
  }
});
