import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StreamReader } from "asyncio-streams";
import { connectedStreams, endedReaderOf, readerOf, rest, text } from "../support/readers.js";
import { isSettled, microtasks } from "../support/turns.js";

describe("StreamReader.unread", () => {
  it("puts back bytes that were read, cut at any place", async () => {
    const fed = ["ab", "cdef", "g", "hijklmnop".repeat(300), "q\n"];
    const whole = fed.join("");
    for (const n of [1, 2, 3, 6, 7, 8, 2000]) {
      const reader = readerOf(fed);
      const taken = await reader.readexactly(n);
      reader.unread(taken);
      assert.equal(reader.bufferedLength, whole.length);
      assert.equal(await text(reader.readuntil("\n")), whole);
    }
  });

  it("works after the end, which comes again after the bytes", async () => {
    const reader = endedReaderOf(["ab"]);
    const all = await reader.read();
    assert.equal(reader.atEof(), true);
    reader.unread(all);
    assert.equal(reader.atEof(), false);
    assert.equal(await text(reader.readline()), "ab");
    assert.equal(reader.atEof(), true);
  });

  it("ends the wait of a read for which it is enough", async () => {
    const reader = new StreamReader();
    const exact = reader.readexactly(3);
    reader.unread("bc");
    assert.equal(await isSettled(exact), false);
    reader.unread("a");
    assert.equal(await text(exact), "abc");
  });

  it("pauses and resumes the transport like data that came", async () => {
    const { reader, transport } = connectedStreams({ limit: 4 });
    reader.unread("123456789");
    assert.deepEqual(transport.calls, ["pauseReading"]);
    await reader.read(5);
    assert.deepEqual(transport.calls, ["pauseReading", "resumeReading"]);
  });
});

/** What a call has given by now: a search that overlooks something would wait for ever. */
async function given(call: Promise<Uint8Array>): Promise<string> {
  assert.equal(await isSettled(call), true, "it still waits");
  return text(call);
}

describe("unread() under a search that waits", () => {
  it("is searched, although the search had passed the front", async () => {
    const reader = readerOf(["aaaa"]);
    const line = reader.readuntil("\n");
    await microtasks(3);
    reader.unread("b\n");
    assert.equal(await given(line), "b\n");
    assert.equal(await rest(reader), "aaaa");
  });

  it("finds a separator that lies across the seam", async () => {
    const reader = readerOf(["ND aaaa"]);
    const message = reader.readuntil("END");
    await microtasks(3);
    reader.unread("xE");
    assert.equal(await given(message), "xEND");
    assert.equal(await rest(reader), " aaaa");
  });

  it("finds it after another read took bytes from under the search", async () => {
    const reader = readerOf(["aaaaa"]);
    const line = reader.readuntil("\n");
    await microtasks(3);
    assert.equal(await text(reader.read(3)), "aaa");
    reader.unread("x\n");
    assert.equal(await given(line), "x\n");
    assert.equal(await rest(reader), "aa");
  });

  it("finds it after a read took as many bytes as were put back", async () => {
    const reader = readerOf(["aaaaa"]);
    const line = reader.readuntil(["\n", "END"]);
    await microtasks(3);
    assert.equal(await text(reader.read(2)), "aa");
    reader.unread("b\n");
    assert.equal(await given(line), "b\n");
    assert.equal(await rest(reader), "aaa");
  });

  it("does not make the search find a separator that is gone", async () => {
    const reader = readerOf(["aaEN"]);
    const message = reader.readuntil("END");
    await microtasks(3);
    assert.equal(await text(reader.read(4)), "aaEN");
    reader.unread("D");
    assert.equal(await isSettled(message), false);
    reader.feedData("END");
    assert.equal(await given(message), "DEND");
  });

  it("counts for the limit", async () => {
    const reader = readerOf(["aaa"], { limit: 4 });
    const message = reader.readuntil("\n");
    await microtasks(3);
    reader.unread("bb");
    await assert.rejects(message, { code: "ERR_LIMIT_OVERRUN", consumed: 5 });
    assert.equal(await rest(reader), "bbaaa");
  });
});
