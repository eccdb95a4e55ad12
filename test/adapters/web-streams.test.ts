import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ConnectionLostError } from "asyncio-streams";
import { MUCH } from "../support/much.js";
import { kinds, openPair } from "../support/pairs.js";
import { connectedStreams, endedReaderOf, readerOf, rest, text } from "../support/readers.js";
import { isSettled, turns } from "../support/turns.js";
import { gather } from "./ended.js";

/** A read that is under way, and what cancels it; into four bytes of memory of its own, or of ours. */
function readOnce(
  stream: ReadableStream<Uint8Array>,
  mode: "of its own" | "byob",
): { readonly read: Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>; readonly cancel: () => Promise<void> } {
  if (mode === "byob") {
    const reader = stream.getReader({ mode });
    return { read: reader.read(new Uint8Array(4)), cancel: () => reader.cancel() };
  }
  const reader = stream.getReader();
  return { read: reader.read(), cancel: () => reader.cancel() };
}

describe("StreamReader.toWeb", () => {
  it("gives what the reader receives, and its end", async () => {
    const reader = readerOf(["one"]);
    const all = new Response(reader.toWeb()).text();
    await turns(3);
    reader.feedData("two");
    await turns(3);
    reader.feedEof();
    assert.equal(await all, "onetwo");
  });

  it("can be iterated, and piped through", async () => {
    assert.equal(await gather(endedReaderOf(["abc"]).toWeb()), "abc");
    const upper = new TransformStream<Uint8Array, Uint8Array>({
      transform: (chunk, controller) => controller.enqueue(Buffer.from(Buffer.from(chunk).toString().toUpperCase())),
    });
    assert.equal(await gather(endedReaderOf(["abc"]).toWeb().pipeThrough(upper)), "ABC");
  });

  it("reads nothing ahead", async () => {
    const reader = readerOf(["abc"]);
    const stream = reader.toWeb();
    await turns(3);
    assert.equal(reader.bufferedLength, 3);
    await stream.cancel();
    assert.equal(await text(reader.read(3)), "abc");
  });

  it("fills the memory that a byob reader brings, and no more of it than there is", async () => {
    const reader = readerOf(["abcdef"]);
    const byob = reader.toWeb().getReader({ mode: "byob" });
    const first = await byob.read(new Uint8Array(4));
    assert.equal(Buffer.from(first.value as Uint8Array).toString(), "abcd");
    const second = await byob.read(new Uint8Array(new ArrayBuffer(10), 3, 5));
    assert.equal(Buffer.from(second.value as Uint8Array).toString(), "ef");
    assert.equal((second.value as Uint8Array).byteOffset, 3);
    reader.feedEof();
    assert.equal((await byob.read(new Uint8Array(4))).done, true);
  });

  it("gives chunks with memory of their own, which may be transferred", async () => {
    const reader = readerOf([Buffer.from("abcdef")]);
    const first = await reader.readexactly(2);
    const stream = reader.toWeb().getReader();
    const { value } = await stream.read();
    structuredClone((value as Uint8Array).buffer, { transfer: [(value as Uint8Array).buffer as ArrayBuffer] });
    assert.equal(first.toString(), "ab");
    await stream.cancel();
  });

  it("has the reader's error, after the data that came before", async () => {
    const { reader, protocol } = connectedStreams();
    const lost = new Error("lost");
    protocol.dataReceived(Buffer.from("abc"));
    protocol.connectionLost(lost);
    const stream = reader.toWeb().getReader();
    assert.equal(Buffer.from((await stream.read()).value as Uint8Array).toString(), "abc");
    await assert.rejects(stream.read(), (error) => error === lost);
    await assert.rejects(stream.closed, (error) => error === lost);
  });

  for (const mode of ["of its own", "byob"] as const) {
    it(`gives the reader back when it is cancelled while it waits, and no bytes are lost: memory ${mode}`, async () => {
      const reader = readerOf([]);
      const { read, cancel } = readOnce(reader.toWeb(), mode);
      assert.equal(await isSettled(read), false);
      await cancel();
      assert.equal((await read).done, true);
      reader.feedData("abc");
      assert.equal(await rest(reader), "abc");
    });

    it(`loses no data of the turn in which it is cancelled: memory ${mode}`, async () => {
      const reader = readerOf([]);
      const { read, cancel } = readOnce(reader.toWeb(), mode);
      await turns(2);
      reader.feedData("abc");
      await Promise.resolve(); // the read has its data, and has not told
      await cancel();
      const given = (await read).value ?? new Uint8Array(0);
      assert.equal(Buffer.from(given).toString() + (await rest(reader)), "abc");
    });
  }
});

/** Reads of mode "byob" that a byte does not satisfy. */
const demanding: Readonly<Record<string, (byob: ReadableStreamBYOBReader) => Promise<unknown>>> = {
  "elements of two bytes": (byob) => byob.read(new Uint16Array(4)),
  "elements of four bytes": (byob) => byob.read(new Uint32Array(1)),
  "a part of a longer memory": (byob) => byob.read(new Uint16Array(new ArrayBuffer(32), 4, 8)),
  "a DataView with a minimum": (byob) => byob.read(new DataView(new ArrayBuffer(8)), { min: 4 } as never),
};

for (const [name, read] of Object.entries(demanding)) {
  describe(`StreamReader.toWeb with a byob read of ${name} that is partly filled`, () => {
    it("puts back the part when the stream is cancelled", async () => {
      const reader = readerOf([]);
      const byob = reader.toWeb().getReader({ mode: "byob" });
      const waiting = read(byob);
      const given = name.includes("four") || name.includes("minimum") ? ["a", "b", "c"] : ["a"];
      for (const byte of given) {
        await turns(3);
        reader.feedData(byte);
      }
      await turns(3);
      await byob.cancel();
      await waiting;
      reader.feedData("z");
      assert.equal(await rest(reader), `${given.join("")}z`);
    });

    it("puts back nothing that was delivered", async () => {
      const reader = readerOf([]);
      const byob = reader.toWeb().getReader({ mode: "byob" });
      const waiting = read(byob);
      for (const piece of ["a", "bcd"]) {
        await turns(3);
        reader.feedData(piece);
      }
      const { value } = (await waiting) as { value: Uint8Array };
      assert.equal(Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString(), "abcd");
      await byob.cancel();
      assert.equal(await rest(reader), "");
    });

    it("puts back the part when the connection is lost", async () => {
      const { reader, protocol } = connectedStreams();
      const byob = reader.toWeb().getReader({ mode: "byob" });
      const waiting = read(byob);
      await turns(3);
      protocol.dataReceived(Buffer.from("a"));
      await turns(3);
      protocol.connectionLost(new Error("lost"));
      await assert.rejects(waiting, { message: "lost" });
      assert.equal(String(await reader.readexactly(1)), "a");
    });
  });
}

for (const kind of kinds) {
  describe(`StreamWriter.toWeb over ${kind.name}`, () => {
    it("sends bytes and text, and our EOF when it is closed; the peer can still be read", async () => {
      await using pair = await openPair(kind);
      const stream = pair.client.writer.toWeb().getWriter();
      await stream.write("one ");
      await stream.write(Buffer.from("two"));
      await stream.close();
      assert.equal(String(await pair.peer.reader.read()), "one two");
      pair.peer.writer.write("answer\n");
      assert.equal(String(await pair.client.reader.readline()), "answer\n");
    });

    it("carries megabytes from stream to stream", async () => {
      await using pair = await openPair(kind);
      const sent = new Response(MUCH).body?.pipeTo(pair.client.writer.toWeb());
      assert.equal((await new Response(pair.peer.reader.toWeb()).arrayBuffer()).byteLength, MUCH.length);
      await sent;
    });

    it("slows the writing program when the peer does not read", async () => {
      await using pair = await openPair(kind);
      const stream = pair.client.writer.toWeb().getWriter();
      const written = stream.write(MUCH);
      assert.equal(stream.desiredSize, 65_536 - MUCH.length);
      assert.equal(await isSettled(stream.ready), false);
      await pair.peer.reader.readexactly(MUCH.length);
      await written;
      await stream.ready;
    });

    it("cuts the connection at once when it is aborted, even while a chunk waits for the peer", async () => {
      await using pair = await openPair(kind);
      const stream = pair.client.writer.toWeb().getWriter();
      const reason = new Error("enough");
      const written = assert.rejects(stream.write(MUCH));
      const streamClosed = assert.rejects(stream.closed);
      await turns(5);
      await stream.abort(reason);
      await Promise.all([written, streamClosed]);
      await assert.rejects(pair.client.writer.waitClosed(), (error) => error === reason);
    });

    it("has an abort reason that is no Error as the cause", async () => {
      await using pair = await openPair(kind);
      await pair.client.writer.toWeb().abort("just text");
      await assert.rejects(pair.client.writer.waitClosed(), {
        code: "ERR_NOT_AN_ERROR",
        message: "the stream was aborted with string 'just text'",
        cause: "just text",
      });
    });

    it("aborts the connection for a chunk that is neither bytes nor text", async () => {
      await using pair = await openPair(kind);
      const stream = pair.client.writer.toWeb().getWriter();
      const streamClosed = assert.rejects(stream.closed, { code: "ERR_INVALID_ARG_TYPE" });
      await assert.rejects(stream.write(5 as unknown as string), { code: "ERR_INVALID_ARG_TYPE" });
      await streamClosed;
      await assert.rejects(pair.client.writer.waitClosed(), { code: "ERR_INVALID_ARG_TYPE" });
    });

    it("has the error of a connection that is cut", async () => {
      await using pair = await openPair(kind);
      const stream = pair.client.writer.toWeb().getWriter();
      const written = stream.write(MUCH);
      await turns(2);
      const error = new Error("cut");
      pair.client.writer.abort(error);
      await assert.rejects(written, (thrown: Error) => thrown instanceof ConnectionLostError && thrown.cause === error);
      await assert.rejects(stream.closed);
    });

    it("fails when the connection is closed", async () => {
      await using pair = await openPair(kind);
      const stream = pair.client.writer.toWeb().getWriter();
      pair.client.writer.close();
      await assert.rejects(stream.closed, { code: "ECONNRESET", message: "the connection was closed before the stream was closed" });
    });
  });
}
