/** The parts of the command that work without a connection: addresses, errors in words, hex dumps, text for a terminal, line ends. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseAddress } from "#src/command/address.js";
import { codeOf, Failure, reasonOf } from "#src/command/failure.js";
import { hexDump } from "#src/command/hex-dump.js";
import { LineEnds } from "#src/command/line-ends.js";
import { size } from "#src/command/progress.js";
import { textLines, textOf } from "#src/command/text-view.js";

describe("parseAddress()", () => {
  const unix: readonly (readonly [string, string])[] = [
    ["/run/app.sock", "/run/app.sock"],
    ["app.sock", "app.sock"],
    ["a b/c d", "a b/c d"],
    ["/run/x:80", "/run/x:80"],
    ["unix:app.sock", "app.sock"],
    ["unix:///run/app.sock", "/run/app.sock"],
    ["unix:host:80", "host:80"],
    ["localhost:http", "localhost:http"],
    ["@name", "\0name"],
    ["unix:@name", "@name"],
  ];
  for (const [text, path] of unix) {
    it(`reads a Unix socket: ${text}`, () => {
      const address = parseAddress(text);
      assert.deepEqual([address.kind, address.kind === "unix" && address.path], ["unix", path]);
    });
  }

  const tcp: readonly (readonly [string, string | null, number, boolean])[] = [
    ["localhost:80", "localhost", 80, false],
    ["[::1]:8080", "::1", 8080, false],
    [":0", "localhost", 0, false],
    ["*:65535", null, 65_535, false],
    ["tcp://host:1", "host", 1, false],
    ["tls://host:443", "host", 443, true],
    ["tls://[fe80::1%eth0]:443", "fe80::1%eth0", 443, true],
    ["tls:443", "tls", 443, false],
  ];
  for (const [text, host, port, tls] of tcp) {
    it(`reads TCP: ${text}`, () => assert.deepEqual(parseAddress(text), { kind: "tcp", host, port, tls, text }));
  }

  const refused: readonly (readonly [string, RegExp])[] = [
    ["", /the address is empty/],
    ["unix:", /has no path/],
    ["/run/", /is a directory/],
    ["host:65536", /the highest is 65535/],
    ["::1:80", /ambiguous: write \[::1\]:80/],
    ["[]:80", /no host in its brackets/],
    ["tls://host", /write HOST:PORT/],
    ["http://host:80", /the schemes are unix:, tcp:\/\/ and tls:\/\//],
  ];
  for (const [text, message] of refused) it(`refuses ${JSON.stringify(text)}`, () => assert.throws(() => parseAddress(text), message));
});

describe("reasonOf()", () => {
  it("puts the codes of the system into words, also those of a cause or of one of several errors", () => {
    const cause = Object.assign(new Error("write EPIPE"), { code: "EPIPE" });
    assert.equal(reasonOf(cause), "the peer has closed the connection (EPIPE)");
    assert.equal(reasonOf(new Error("lost", { cause })), "the peer has closed the connection (EPIPE)");
    assert.equal(reasonOf(new Error("lost", { cause: new Error("again", { cause }) })), "the peer has closed the connection (EPIPE)");
    assert.equal(reasonOf(new AggregateError([cause, new Error("other")], "all failed")), "the peer has closed the connection (EPIPE)");
  });

  it("keeps one line of another message, with its code", () => {
    assert.equal(reasonOf(Object.assign(new Error("one\ntwo"), { code: "ERR_ONE" })), "one (ERR_ONE)");
    assert.equal(reasonOf(Object.assign(new Error("ERR_ONE: it"), { code: "ERR_ONE" })), "ERR_ONE: it");
    assert.equal(reasonOf(new Failure("as it is")), "as it is");
    assert.equal(reasonOf("text\nmore"), "text");
    assert.equal(reasonOf({}), "unknown error");
  });

  it("keeps the text of an error that explains its code", () => {
    const error = Object.assign(new Error("EADDRINUSE: the path is a file, listen '/x'"), { code: "EADDRINUSE" });
    assert.equal(reasonOf(error), "the path is a file (EADDRINUSE)");
  });

  it("says how to trust a certificate", () => {
    const error = Object.assign(new Error("self-signed certificate"), { code: "DEPTH_ZERO_SELF_SIGNED_CERT" });
    assert.match(reasonOf(error), /^self-signed certificate \(DEPTH_ZERO_SELF_SIGNED_CERT\); --ca FILE/);
  });

  it("has no code for what is no object", () =>
    assert.deepEqual([codeOf("x"), codeOf(null), codeOf({})], [undefined, undefined, undefined]));
});

describe("hexDump()", () => {
  it("looks like that of hexdump -C", () => {
    const bytes = Buffer.from("0123456789abcdef\r\n\0\xff", "latin1");
    assert.equal(
      hexDump(bytes, 16),
      "00000010  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  |0123456789abcdef|\n" +
        "00000020  0d 0a 00 ff                                       |....|\n",
    );
    assert.equal(hexDump(Buffer.alloc(0)), "");
  });
});

describe("textLines()", () => {
  const lines = (bytes: string | Buffer, always = false): string[] | null => textLines(Buffer.from(bytes as string), always);

  it("shows each line with its end", () => {
    assert.deepEqual(lines("GET / HTTP/1.1\r\nHost: x\r\n\r\nbody"), ["GET / HTTP/1.1\\r\\n", "Host: x\\r\\n", "\\r\\n", "body"]);
    assert.deepEqual(lines("grüße\tan 日本\n"), ["grüße\\tan 日本\\n"]);
  });

  it("does not take a backslash before an n for the end of a line", () => {
    assert.deepEqual(lines("a\\nb\n"), ["a\\\\nb\\n"]);
    assert.deepEqual(lines("a\\\nb"), ["a\\\\\\n", "b"]);
  });

  it("escapes what a terminal would obey, and what changes the direction of text", () => {
    assert.deepEqual(lines("a long line with \x1b]0;title\x07 and \u202e and \u009b in it"), [
      "a long line with \\u{1b}]0;title\\u{7} and \\u{202e} and \\u{9b} in it",
    ]);
  });

  it("shows single bytes of a cut character, and returns null for what is not text", () => {
    const cut = Buffer.from("twenty characters of text \u20ac").subarray(0, -1);
    assert.deepEqual(lines(cut), ["twenty characters of text \\xe2\\x82"]);
    assert.deepEqual(lines(Buffer.from("long enough text \xff with \xe9 in it, long enough", "latin1")), [
      "long enough text \\xff with \\xe9 in it, long enough",
    ]);
    assert.equal(lines(Buffer.from([0, 1, 2, 3])), null);
    assert.deepEqual(lines(Buffer.from([0xf0, 0xc0]), true), ["\\xf0\\xc0"]);
    assert.deepEqual(lines(Buffer.from("\u{1f600}\xff", "latin1"), true)?.length, 1);
    assert.deepEqual(lines(Buffer.concat([Buffer.from("é日😀"), Buffer.from([0xf9])]), true), ["é日😀\\xf9"]);
  });

  it("has its text only if all of it is UTF-8", () =>
    assert.deepEqual([textOf(Buffer.from("é")), textOf(Buffer.from([0xff]))], ["é", null]));
});

describe("LineEnds", () => {
  const convert = (...parts: readonly string[]): string => {
    const ends = new LineEnds();
    return parts.map((part) => Buffer.from(ends.convert(Buffer.from(part))).toString()).join("|");
  };

  it("inserts a carriage return before a line feed that has none", () => {
    assert.equal(convert("a\nb\r\nc\n\n"), "a\r\nb\r\nc\r\n\r\n");
    assert.equal(convert("none"), "none");
  });

  it("remembers a carriage return at the end of a piece", () => {
    assert.equal(convert("a\r", "\nb", "\n"), "a\r|\nb|\r\n");
    assert.equal(convert("a\r", "\n\n"), "a\r|\n\r\n");
  });
});

describe("size()", () => {
  it("uses the unit that suits", () => {
    assert.deepEqual([0, 1, 1023, 1024, 1.5 * 2 ** 20, 3 * 2 ** 30, 2 ** 52].map(size), [
      "0 bytes",
      "1 byte",
      "1023 bytes",
      "1.0 KiB",
      "1.5 MiB",
      "3.0 GiB",
      "4096.0 TiB",
    ]);
  });
});
