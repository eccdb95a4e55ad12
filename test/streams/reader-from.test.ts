import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { describe, it } from "node:test";
import { type Data, StreamReader } from "asyncio-streams";
import { text } from "../support/readers.js";
import { isSettled, turns, until } from "../support/turns.js";

async function* generate<T>(...pieces: readonly T[]): AsyncGenerator<T, void> {
  yield* pieces;
}

/** A source that counts how often it was asked, and whether it was let go. */
class CountingSource implements AsyncIterable<Uint8Array> {
  asked = 0;
  returned = 0;
  readonly #size: number;

  constructor(size: number) {
    this.#size = size;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return {
      next: async () => {
        this.asked += 1;
        return { done: false, value: new Uint8Array(this.#size) };
      },
      return: async () => {
        this.returned += 1;
        return { done: true, value: undefined };
      },
    };
  }
}

const sources: Readonly<Record<string, (pieces: readonly Data[]) => AsyncIterable<Data>>> = {
  "an async generator": (pieces) => generate(...pieces),
  "a Readable": (pieces) => Readable.from(pieces, { objectMode: false }),
  "a Readable of objects that are bytes": (pieces) => Readable.from(pieces),
  "a Readable with an encoding": (pieces) => Readable.from(pieces, { objectMode: false }).setEncoding("utf8"),
  "a ReadableStream": (pieces) =>
    new ReadableStream<Data>({
      start(controller) {
        for (const piece of pieces) controller.enqueue(piece);
        controller.close();
      },
    }),
};

for (const [name, make] of Object.entries(sources)) {
  describe(`StreamReader.from ${name}`, () => {
    it("reads the bytes of the source, and its end", async () => {
      const reader = StreamReader.from(make([Buffer.from("one\ntw"), Buffer.from("o\nthree")]));
      assert.equal(await text(reader.readline()), "one\n");
      assert.equal(await text(reader.readexactly(4)), "two\n");
      assert.equal(await text(reader.read()), "three");
      assert.equal(reader.atEof(), true);
    });

    it("ends at once if it is empty", async () => {
      assert.equal((await StreamReader.from(make([])).read()).length, 0);
    });
  });
}

describe("StreamReader.from", () => {
  it("takes text for UTF-8", async () => assert.equal(String(await StreamReader.from(generate("grün")).read()), "grün"));

  it("asks for at most twice the limit and a piece while no read comes", async () => {
    const source = new CountingSource(10);
    const reader = StreamReader.from(source, { limit: 100 });
    await turns(20);
    assert.equal(reader.bufferedLength, 210);
    assert.equal(source.asked, 21);
  });

  it("asks for more when the limit or less is left, or a read waits for more", async () => {
    const source = new CountingSource(10);
    const reader = StreamReader.from(source, { limit: 100 });
    await turns(5);
    await reader.read(100);
    await turns(5);
    assert.equal(source.asked, 21);
    await reader.read(10);
    await turns(5);
    assert.equal(reader.bufferedLength, 210);
    assert.equal((await reader.readexactly(10_000)).length, 10_000);
    await turns(5);
    assert.equal(reader.bufferedLength % 10, 0);
    assert.ok(reader.bufferedLength <= 210);
  });

  it("never asks twice at a time, though the reader pauses and resumes while an answer is awaited", async () => {
    let asking = 0;
    let most = 0;
    const slow: AsyncIterable<Data> = {
      [Symbol.asyncIterator]: () => ({
        async next() {
          asking += 1;
          most = Math.max(most, asking);
          await turns(1);
          asking -= 1;
          return { done: false, value: "abcdefghij" };
        },
      }),
    };
    const reader = StreamReader.from(slow, { limit: 1 });
    for (let index = 0; index < 20; index += 1) await reader.readexactly(5);
    assert.equal(most, 1);
  });

  it("throws the source's error after the bytes before it, and has it as the exception", async () => {
    const error = new Error("broken");
    const reader = StreamReader.from(
      (async function* () {
        yield "one\ntwo";
        throw error;
      })(),
    );
    await until(() => reader.exception() !== null);
    assert.equal(reader.exception(), error);
    assert.equal(await text(reader.readline()), "one\n");
    await assert.rejects(reader.readline(), (thrown) => thrown === error);
    assert.equal(await text(reader.read(3)), "two");
  });

  it("throws the error of a Readable that is destroyed", async () => {
    const readable = new Readable({ read() {} });
    const reader = StreamReader.from(readable);
    readable.push("ab");
    assert.equal(await text(reader.readexactly(2)), "ab");
    const line = reader.readline();
    assert.equal(await isSettled(line), false);
    readable.destroy(new Error("cut"));
    await assert.rejects(line, { message: "cut" });
  });

  it("wraps a value that is not an Error", async () => {
    const reader = StreamReader.from(
      (async function* (): AsyncGenerator<string> {
        // eslint-disable-next-line no-throw-literal
        yield await Promise.reject("just text");
      })(),
    );
    await assert.rejects(reader.read(), {
      code: "ERR_NOT_AN_ERROR",
      message: "the source of a StreamReader threw string 'just text'",
      cause: "just text",
    });
  });

  it("takes arrays of bytes and text, as node:stream/iter has them", async () => {
    const reader = StreamReader.from(generate<Data | readonly Data[]>([Buffer.from("on"), "e\ntw"], [], "o", [["\n"][0] as string]));
    assert.equal(await text(reader.read()), "one\ntwo\n");
    const broken = StreamReader.from(generate<Data | readonly Data[]>(["one"], ["two", 3 as never]));
    assert.equal(await text(broken.readexactly(6)), "onetwo");
    await assert.rejects(broken.read(), { code: "ERR_INVALID_ARG_TYPE" });
  });

  it("is read by node:stream/iter in arrays of chunks, whatever the limit of a line", async () => {
    const reader = StreamReader.from(generate("a".repeat(100), "b"), { limit: 10 });
    const streamable = reader as unknown as Record<symbol, () => AsyncIterableIterator<Uint8Array[]>>;
    const batches = streamable[Symbol.for("Stream.toAsyncStreamable")]?.() as AsyncIterableIterator<Uint8Array[]>;
    let read = "";
    for await (const batch of batches) for (const chunk of batch) read += Buffer.from(chunk).toString();
    assert.equal(read, `${"a".repeat(100)}b`);
    const second = StreamReader.from(generate("more"));
    await turns(2);
    for await (const batch of (second as unknown as typeof streamable)[Symbol.for("Stream.toAsyncStreamable")]?.() ?? []) {
      assert.deepEqual(batch, [Buffer.from("more")]);
    }
  });

  it("fails at a piece that is neither bytes nor text, and releases the source", async () => {
    let released = false;
    const reader = StreamReader.from(
      (async function* () {
        try {
          yield "ab";
          yield 5 as unknown as string;
        } finally {
          released = true;
        }
      })(),
    );
    await until(() => released);
    assert.equal(await text(reader.readexactly(2)), "ab");
    await assert.rejects(reader.read(1), { name: "TypeError", code: "ERR_INVALID_ARG_TYPE" });
  });

  it("pauses a Readable again that other code resumes while too much is unread", async () => {
    const source = new Readable({
      read() {
        this.push(Buffer.alloc(100));
      },
      highWaterMark: 100,
    });
    const reader = StreamReader.from(source, { limit: 100 });
    await turns(5);
    assert.equal(source.isPaused(), true);
    for (let count = 0; count < 10; count += 1) {
      source.resume();
      await turns(2);
    }
    assert.ok(reader.bufferedLength <= 2 * 100 + 100 * 12, String(reader.bufferedLength));
    assert.equal(source.isPaused(), true);
    await reader.cancel();
  });

  it("leaves later bytes for the next read after an abort", async () => {
    const reader = StreamReader.from(generate("a", "b", "c"));
    await assert.rejects(reader.read(-1, { signal: AbortSignal.abort() }), { name: "AbortError" });
    assert.equal(await text(reader.read()), "abc");
  });

  it("refuses a value that is not async iterable, and wrong options", () => {
    for (const source of [undefined, null, 5, "text", new Uint8Array(3), ["a"], {}]) {
      assert.throws(() => StreamReader.from(source as AsyncIterable<Data>), { name: "TypeError", code: "ERR_INVALID_ARG_TYPE" });
    }
    assert.throws(() => StreamReader.from(generate("a"), { limit: 0 }), { code: "ERR_OUT_OF_RANGE" });
  });
});
