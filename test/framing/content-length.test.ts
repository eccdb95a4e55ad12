import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { contentLength } from "asyncio-streams/framing";
import { countWork } from "../streams/count-work.js";
import { withoutMemory } from "../support/memory.js";
import { endedReaderOf, readerOf } from "../support/readers.js";
import { isSettled, turns } from "../support/turns.js";
import { encode } from "./written.js";

const bytes = contentLength({ body: "bytes" });

describe("contentLength", () => {
  it("writes what the Language Server Protocol shows", () => {
    assert.equal(encode(contentLength(), { id: 1 }).toString(), 'Content-Length: 8\r\n\r\n{"id":1}');
    assert.equal(encode(contentLength(), "€").toString("latin1"), 'Content-Length: 5\r\n\r\n"\xe2\x82\xac"');
    assert.equal(encode(bytes, "").toString(), "Content-Length: 0\r\n\r\n");
    assert.equal(encode(contentLength({ body: "base64" }), Uint8Array.of(255, 0)).toString(), "Content-Length: 4\r\n\r\n/wA=");
  });

  for (const header of [
    "content-length: 2",
    "CONTENT-LENGTH:2",
    "Content-Length: \t2 ",
    "Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: 2",
    "Content-Length: 2\r\nX-Other:\r\nX-Other: a: b",
  ]) {
    it(`reads the header ${JSON.stringify(header)}`, async () => {
      const reader = endedReaderOf([`${header}\r\n\r\n{}`]);
      assert.deepEqual(await contentLength().readFrame(reader), {});
      assert.equal(await contentLength().readFrame(reader), null);
    });
  }

  for (const [header, why] of [
    ["Content-Type: text/plain", "has no Content-Length"],
    ["Content-Length: 2\r\nContent-Length: 2", "has two Content-Lengths"],
    ["Content-Length: 2\r\ncontent-length: 3", "has two Content-Lengths"],
    ["Content-Length: ", "not a decimal number"],
    ["Content-Length: +2", "not a decimal number"],
    ["Content-Length: -2", "not a decimal number"],
    ["Content-Length: 02", "not a decimal number"],
    ["Content-Length: 0x2", "not a decimal number"],
    ["Content-Length: 2, 2", "not a decimal number"],
    ["Content-Length: 2e0", "not a decimal number"],
    ["Content-Length : 2", "a line that is not a field"],
    [" Content-Length: 2", "a line that is not a field"],
    ["Content-Length: 2\r\n folded", "a line that is not a field"],
    ["Content-Length: 2\nX: 3", "a line that is not a field"],
    ["Content-Length: 2\n", "a line that is not a field"],
    ["Content-Length: \u000b2", "not a decimal number"],
    ["", "a line that is not a field"],
    ["nonsense", "a line that is not a field"],
  ] as const) {
    it(`refuses the header ${JSON.stringify(header)}, and consumes nothing`, async () => {
      const wire = `${header}\r\n\r\n{}`;
      const reader = readerOf(["--", wire]);
      await reader.skip(2);
      const refused = { name: "InvalidFrameError", code: "ERR_INVALID_FRAME", offset: 2, line: null, message: new RegExp(why) };
      await assert.rejects(contentLength().readFrame(reader), refused);
      await assert.rejects(contentLength().readFrame(reader), refused);
      assert.equal(reader.bufferedLength, wire.length);
    });
  }

  it("refuses a header of more than 4,096 bytes, ended or not", async () => {
    const field = (size: number): string => `X: ${"x".repeat(size - 3)}`;
    const fits = `${field(4096 - 23)}\r\nContent-Length: 1\r\n\r\n`;
    assert.equal(fits.length, 4096);
    assert.equal(String(await bytes.readFrame(readerOf([fits, "a"]))), "a");
    const refused = { code: "ERR_INVALID_FRAME", message: /is longer than 4096 bytes/ };
    await assert.rejects(bytes.readFrame(readerOf([`x${fits}`, "a"])), refused);
    const reader = readerOf([field(4095)]);
    const frame = bytes.readFrame(reader);
    assert.equal(await isSettled(frame), false);
    reader.feedData("x");
    await assert.rejects(frame, refused);
  });

  it("parses a header that is made to be slow in linear time", async () => {
    const header = `Content-Length: 1\r\nX: a${" ".repeat(4000)}b\r\n\r\na`;
    const before = process.cpuUsage();
    for (let count = 0; count < 100; count += 1) assert.equal(String(await bytes.readFrame(readerOf([header]))), "a");
    assert.ok(process.cpuUsage(before).user < 1_000_000, "a hundred headers took more than a second"); // each once took 18 ms
  });

  it("parses a long header once, however many pieces the body comes in", async () => {
    const reader = readerOf([`X: ${"x".repeat(4000)}\r\nContent-Length: 1000\r\n\r\n`]);
    const frame = bytes.readFrame(reader);
    const { copied } = await countWork(async () => {
      for (let count = 0; count < 1000; count += 1) {
        reader.feedData("x");
        await turns(1);
      }
      assert.equal((await frame)?.length, 1000);
    });
    assert.ok(copied < 100_000, `${copied} bytes were copied`);
  });

  it("parses another header that comes to the front while a read waits", async () => {
    const reader = readerOf(["Content-Length: 5\r\n\r\nhe"]);
    const frame = bytes.readFrame(reader);
    assert.equal(await isSettled(frame), false);
    reader.unread("Content-Length: 2\r\n\r\nab");
    assert.equal(String(await frame), "ab");
    const next = bytes.readFrame(reader);
    reader.feedData("llo");
    assert.equal(String(await next), "hello");
  });

  it("names the size of a body that is too large, before it comes", async () => {
    const small = contentLength({ maxFrameSize: 10 });
    await assert.rejects(small.readFrame(readerOf(["Content-Length: 11\r\n\r\n"])), { code: "ERR_FRAME_TOO_LARGE", size: 11, maximum: 10 });
    const digits = "9".repeat(400);
    await assert.rejects(small.readFrame(readerOf([`Content-Length: ${digits}\r\n\r\n`])), {
      code: "ERR_FRAME_TOO_LARGE",
      message: /2 \*\* 53 or more/,
    });
  });

  for (const [kind, body] of [
    ["json", "{"],
    ["json", "null"],
    ["json", ""],
    ["json", "\xff\xfe"],
    ["base64", "AAA"],
    ["base64", "A==="],
    ["base64", "===="],
    ["base64", "AAA=="],
    ["base64", "AAAA===="],
    ["base64", "AA=A"],
    ["base64", "AA A"],
    ["base64", "AA\r\n"],
    ["base64", "_-AA"],
  ] as const) {
    it(`refuses ${JSON.stringify(body)} for ${kind}, and reads on behind it`, async () => {
      const codec = kind === "json" ? contentLength({ body: kind }) : contentLength({ body: kind });
      const reader = endedReaderOf([
        Buffer.from(`Content-Length: ${body.length}\r\n\r\n${body}`, "latin1"),
        encode(bytes, kind === "json" ? "5" : "AAAA"),
      ]);
      const error = await codec.readFrame(reader).then(
        () => assert.fail(),
        (thrown: Error) => thrown,
      );
      assert.deepEqual({ ...error }, { code: "ERR_INVALID_FRAME", offset: 0, line: null });
      assert.match(error.message, new RegExp(`^the frame at byte 0 is not ${kind}: `));
      assert.ok(error.cause instanceof Error);
      assert.deepEqual(await codec.readFrame(reader), kind === "json" ? 5 : Buffer.alloc(3));
    });
  }

  it("reads base64 of the maximum size, and refuses it if only the last character is wrong", async () => {
    const codec = contentLength({ body: "base64" });
    const body = Buffer.alloc(16 * 1024 * 1024, "QUJD");
    const header = `Content-Length: ${body.length}\r\n\r\n`;
    const frame = await codec.readFrame(readerOf([header, body]));
    assert.equal(frame?.length, (body.length / 4) * 3);
    assert.equal(frame.toString("latin1", frame.length - 6), "ABCABC");
    const wrong = Buffer.from(body);
    wrong.write("-", wrong.length - 1);
    await assert.rejects(codec.readFrame(readerOf([header, wrong])), { code: "ERR_INVALID_FRAME", message: /the padding is wrong$/ });
  });

  it("returns decoded base64 in memory of its own, which the program may transfer", async () => {
    const codec = contentLength({ body: "base64" });
    const frame = await codec.readFrame(readerOf([encode(codec, "short")]));
    assert.equal(String(frame), "short");
    assert.equal(frame?.buffer.byteLength, frame?.length);
  });

  for (const kind of ["bytes", "base64"] as const) {
    it(`takes nothing of a ${kind} frame if there is no memory for it, and reads it later`, async () => {
      const codec = contentLength({ body: kind });
      const wire = encode(codec, Buffer.alloc(3000, "ab"));
      const reader = readerOf([wire.subarray(0, 1500), wire.subarray(1500)]);
      {
        using _lack = withoutMemory();
        await assert.rejects(codec.readFrame(reader), { code: "ENOMEM" });
      }
      assert.equal(String(await codec.readFrame(reader)), "ab".repeat(1500));
    });
  }

  it("refuses to write what it would refuse to read, and a base64 that becomes too long", () => {
    for (const value of [null, undefined, 1n, () => {}]) {
      assert.throws(() => encode(contentLength(), value), { code: "ERR_INVALID_ARG_TYPE" });
    }
    const small = contentLength({ body: "base64", maxFrameSize: 8 });
    assert.equal(encode(small, "123456").length, "Content-Length: 8\r\n\r\n".length + 8);
    assert.throws(() => encode(small, "1234567"), { code: "ERR_FRAME_TOO_LARGE", size: 12, maximum: 8 });
  });

  for (const body of ["text", "toString", null, 5]) {
    it(`refuses a body of ${String(body)}`, () => {
      assert.throws(() => contentLength({ body: body as "json" }), {
        name: "TypeError",
        code: "ERR_INVALID_ARG_VALUE",
        message: /^body must/,
      });
    });
  }
});
