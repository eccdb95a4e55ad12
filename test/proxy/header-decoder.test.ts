/** The decoder of PROXY headers, without sockets: good headers, bad ones of every kind, and random bytes, in pieces of every size. */
import "../support/leak-guard.js";
import "../property/seed.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ProxyHeader, ProxyProtocolError } from "asyncio-streams";
import * as fc from "fast-check";
import { type DecodedHeader, ProxyHeaderDecoder } from "#src/net/proxy-protocol/header-decoder.js";
import { checkSendProxyHeader } from "#src/net/proxy-protocol/send-header.js";
import { badHeaders, IPV4, IPV6, tlv, unixNames, version2, withChecksum, withTlvs } from "./headers.js";

/** Pushes pieces until the header is complete; the pieces that are left belong to the rest. */
function decode(pieces: readonly Buffer[], maxBytes: number = 16_384): DecodedHeader | null {
  const decoder = new ProxyHeaderDecoder(maxBytes);
  for (const [index, piece] of pieces.entries()) {
    const decoded = decoder.push(Buffer.from(piece));
    if (decoded !== null) return { header: decoded.header, rest: Buffer.concat([decoded.rest, ...pieces.slice(index + 1)]) };
  }
  return null;
}

const bytewise = (bytes: Buffer): Buffer[] => Array.from(bytes, (byte) => Buffer.of(byte));

const v1 = { version: 1, command: "proxy" } as const;
const v2 = { version: 2, command: "proxy" } as const;
const ipv4 = { transport: "stream", source: ["192.0.2.1", 1025], destination: ["198.51.100.7", 443] } as const;
const sslTlv = Buffer.concat([
  Buffer.of(7, 0, 0, 0, 0),
  tlv(0x21, "TLSv1.3"),
  tlv(0x22, "Zoë"),
  tlv(0x99, "?"),
  tlv(0x28, Buffer.of(0x30, 0)),
]);

const good: readonly (readonly [what: string, bytes: Buffer | string, header: ProxyHeader])[] = [
  ["TCP4", "PROXY TCP4 192.0.2.1 198.51.100.7 1025 443\r\n", { ...v1, ...ipv4 }],
  [
    "TCP6, in any spelling",
    "PROXY TCP6 2001:DB8:0:0:0:0:0:1 ::ffff:198.51.100.7 0 65535\r\n",
    { ...v1, transport: "stream", source: ["2001:db8::1", 0, 0, 0], destination: ["::ffff:198.51.100.7", 65_535, 0, 0] },
  ],
  [
    "TCP6 with gaps at the ends",
    "PROXY TCP6 :: 1:: 1 2\r\n",
    { ...v1, transport: "stream", source: ["::", 1, 0, 0], destination: ["1::", 2, 0, 0] },
  ],
  [
    "TCP6 with several runs of zeros",
    "PROXY TCP6 1:0:0:2:0:0:0:3 1:0:2:3:4:5:6:7 1 2\r\n",
    { ...v1, transport: "stream", source: ["1:0:0:2::3", 1, 0, 0], destination: ["1:0:2:3:4:5:6:7", 2, 0, 0] },
  ],
  ["UNKNOWN", "PROXY UNKNOWN\r\n", v1],
  ["UNKNOWN with anything behind it", "PROXY UNKNOWN ffff:: \r\0\n 65536 x\r\n", v1],
  ["UNKNOWN of 107 bytes", `PROXY UNKNOWN ${"f".repeat(91)}\r\n`, v1],
  ["TCP over IPv4", version2(0x21, 0x11, IPV4), { ...v2, ...ipv4 }],
  ["UDP over IPv4", version2(0x21, 0x12, IPV4), { ...v2, ...ipv4, transport: "datagram" }],
  [
    "TCP over IPv6, with an IPv4 address in it",
    version2(0x21, 0x21, IPV6),
    { ...v2, transport: "stream", source: ["2001:db8::1", 1025, 0, 0], destination: ["::ffff:198.51.100.7", 443, 0, 0] },
  ],
  [
    "Unix paths",
    version2(0x21, 0x31, unixNames("/a", "/run/b.sock")),
    { ...v2, transport: "stream", source: "/a", destination: "/run/b.sock" },
  ],
  [
    "Unix paths with bytes behind their NUL",
    version2(0x21, 0x32, unixNames("/a\0\xffgarbage", "")),
    { ...v2, transport: "datagram", source: "/a", destination: "" },
  ],
  [
    "Unix names of 108 bytes",
    version2(0x21, 0x31, unixNames(`/${"a".repeat(107)}`, `\0${"b".repeat(107)}`)),
    { ...v2, transport: "stream", source: `/${"a".repeat(107)}`, destination: `\0${"b".repeat(107)}` },
  ],
  [
    "an abstract Unix name",
    version2(0x21, 0x31, unixNames("\0name", "")),
    { ...v2, transport: "stream", source: "\0name", destination: "" },
  ],
  ["LOCAL", version2(0x20, 0x00, Buffer.alloc(0)), { version: 2, command: "local" }],
  ["LOCAL with a family, addresses and fields, all without meaning", version2(0x20, 0xff, IPV6), { version: 2, command: "local" }],
  ["an unspecified family", version2(0x21, 0x00, Buffer.alloc(0)), v2],
  ["an unspecified family with fields", version2(0x21, 0x00, tlv(0x02, "a.example")), { ...v2, authority: "a.example" }],
  ["an unspecified transport", version2(0x21, 0x10, IPV4), v2],
  ["an unspecified family of a known transport", version2(0x21, 0x01, Buffer.of(1, 2)), v2],
  ["an ALPN", withTlvs(tlv(0x01, Buffer.of(0x68, 0xff))), { ...v2, ...ipv4, alpn: "h\xff" }],
  ["an authority", withTlvs(tlv(0x02, "zoë.example")), { ...v2, ...ipv4, authority: "zoë.example" }],
  ["padding", withTlvs(tlv(0x04, "\0\0"), tlv(0x04, ""), tlv(0x02, "")), { ...v2, ...ipv4, authority: "" }],
  ["a unique id", withTlvs(tlv(0x05, Buffer.alloc(128, 7))), { ...v2, ...ipv4, uniqueId: Buffer.alloc(128, 7) }],
  ["a network namespace", withTlvs(tlv(0x30, "blue")), { ...v2, ...ipv4, netns: "blue" }],
  ["a checksum", withChecksum(tlv(0x02, "a.example")), { ...v2, ...ipv4, authority: "a.example" }],
  [
    "other fields, which may repeat",
    withTlvs(tlv(0xe0, "a"), tlv(0xe0, "b"), tlv(0xea, "")),
    {
      ...v2,
      ...ipv4,
      tlvs: [[0xe0, "a"] as const, [0xe0, "b"] as const, [0xea, ""] as const].map(([type, text]) => ({ type, value: Buffer.from(text) })),
    },
  ],
  [
    "an SSL field",
    withTlvs(tlv(0x20, sslTlv)),
    {
      ...v2,
      ...ipv4,
      ssl: {
        secured: true,
        certOnConnection: true,
        certInSession: true,
        verify: 0,
        verified: true,
        version: "TLSv1.3",
        commonName: "Zoë",
        certificate: Buffer.of(0x30, 0),
      },
    },
  ],
  [
    "an SSL field without a certificate, which is not verified although the result is 0",
    withTlvs(tlv(0x20, Buffer.of(1, 0, 0, 0, 0))),
    { ...v2, ...ipv4, ssl: { secured: true, certOnConnection: false, certInSession: false, verify: 0, verified: false } },
  ],
  [
    "an SSL field with a certificate that was not verified",
    withTlvs(tlv(0x20, Buffer.of(3, 0, 0, 0, 18))),
    { ...v2, ...ipv4, ssl: { secured: true, certOnConnection: true, certInSession: false, verify: 18, verified: false } },
  ],
];

describe("a PROXY header", () => {
  for (const [what, bytes, expected] of good) {
    it(`is decoded whole, byte by byte, and with bytes of the protocol behind it: ${what}`, () => {
      const whole = Buffer.from(bytes as string, "latin1");
      const behind = Buffer.from("PROXY \r\n\0behind");
      for (const pieces of [
        [whole],
        bytewise(whole),
        [whole, behind],
        [Buffer.concat([whole, behind])],
        bytewise(Buffer.concat([whole, behind])),
      ]) {
        const decoded = decode(pieces);
        assert.deepEqual(decoded?.header, expected);
        assert.equal(String(decoded?.rest), pieces.includes(behind) || Buffer.concat(pieces).length > whole.length ? String(behind) : "");
      }
    });

    it(`is not taken for whole when it is cut anywhere: ${what}`, () => {
      const whole = Buffer.from(bytes as string, "latin1");
      for (let end = 0; end < whole.length; end += 1) assert.equal(decode([whole.subarray(0, end)]), null);
    });
  }

  for (const [what, bytes, message] of badHeaders) {
    it(`is refused, whole and byte by byte: ${what}`, () => {
      const whole = Buffer.from(bytes as string, "latin1");
      const refused = (error: unknown): boolean => error instanceof ProxyProtocolError && error.code === "ERR_PROXY_PROTOCOL";
      assert.throws(() => decode([whole]), message);
      assert.throws(() => decode([whole]), refused);
      assert.throws(() => decode(bytewise(whole)), refused);
    });
  }

  it("is refused at its first byte that cannot belong to one", () => {
    const decoder = new ProxyHeaderDecoder(16_384);
    assert.equal(decoder.push(Buffer.from("PROX")), null);
    assert.throws(() => decoder.push(Buffer.from("x")), /begins with "PROXx"/);
  });

  it("may have as many bytes as allowed, and no more", () => {
    const [fits, exceeds] = [20, 21].map((length) => version2(0x21, 0x00, tlv(0xe0, Buffer.alloc(length))));
    assert.ok(decode([fits!], 39) !== null);
    assert.throws(() => decode([exceeds!], 39), /the header of 40 bytes exceeds maxHeaderBytes \(39\)/);
    assert.throws(() => decode([exceeds!.subarray(0, 16)], 39), /exceeds maxHeaderBytes/);
  });

  it("gives values whose memory belongs to nobody else", () => {
    const received = withTlvs(tlv(0x05, "id"), tlv(0xe0, "value"));
    const { uniqueId, tlvs } = new ProxyHeaderDecoder(16_384).push(received)!.header;
    received.fill(0);
    assert.equal(String(uniqueId), "id");
    assert.equal(String(tlvs![0]!.value), "value");
  });
});

/** A random header to send. */
const anyHost4 = fc.ipV4();
const anyHost6 = fc.ipV6();
const anyPort = fc.integer({ min: 0, max: 65_535 });
const anyName = fc.string({ maxLength: 20 }).map((text) => text.replaceAll("\0", ""));
const anyBytes = fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes));
const addresses = fc.oneof(
  fc.record({ source: fc.tuple(anyHost4, anyPort), destination: fc.tuple(anyHost4, anyPort) }),
  fc.record({ source: fc.tuple(anyHost6, anyPort), destination: fc.tuple(anyHost6, anyPort) }),
  fc.record({ source: anyName, destination: anyName.map((name) => `\0${name}`) }),
);
const fields = fc.record(
  {
    authority: anyName,
    netns: anyName,
    uniqueId: anyBytes,
    crc32c: fc.boolean(),
    tlvs: fc.array(fc.record({ type: fc.integer({ min: 0xe0, max: 0xff }), value: anyBytes }, { noNullPrototype: true })),
  },
  { requiredKeys: [] },
);

describe("any header that sendProxyHeader makes", () => {
  it("is decoded to the same fields, wherever it is cut, and the bytes behind it are kept", () => {
    fc.assert(
      fc.property(addresses, fields, fc.uint8Array({ maxLength: 50 }), fc.nat(), (where, what, behind, cut) => {
        const sent = checkSendProxyHeader({ ...where, ...what }, "openConnection");
        const bytes = Buffer.concat([sent!, behind]);
        const at = cut % (bytes.length + 1);
        const decoded = decode([bytes.subarray(0, at), bytes.subarray(at)]);
        assert.deepEqual(decoded?.rest, Buffer.from(behind));
        const { authority, netns, uniqueId, tlvs } = decoded!.header;
        assert.deepEqual([authority, netns, uniqueId], [what.authority, what.netns, what.uniqueId]);
        assert.deepEqual(tlvs ?? [], what.tlvs ?? []);
        // What was received can be passed on as it is.
        assert.deepEqual(decode([checkSendProxyHeader(decoded!.header, "openConnection")!])?.header, decoded!.header);
      }),
    );
  });
});

describe("random bytes", () => {
  const starts = good.map(([, bytes]) => Buffer.from(bytes as string, "latin1"));

  it("are refused or wait for more, and nothing else happens", () => {
    fc.assert(
      fc.property(fc.constantFrom(...starts), fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 300 }), (start, at, noise) => {
        const bytes = Buffer.concat([start.subarray(0, at % (start.length + 1)), noise]);
        for (const pieces of [[bytes], bytewise(bytes)]) {
          try {
            const decoded = decode(pieces);
            if (decoded !== null) assert.ok(decoded.rest.length < bytes.length);
          } catch (error) {
            assert.ok(error instanceof ProxyProtocolError, String(error));
          }
        }
      }),
    );
  });

  it("in place of one byte of a header with a checksum are always refused", () => {
    const whole = withChecksum(tlv(0x02, "a.example"), tlv(0x05, "id"));
    fc.assert(
      fc.property(fc.integer({ min: 16, max: whole.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const changed = Buffer.from(whole);
        changed[at]! ^= change;
        // A changed type or length of the checksum's own field turns it into another field.
        fc.pre(at < whole.length - 7 || at >= whole.length - 4);
        assert.throws(() => decode([changed]), ProxyProtocolError);
      }),
    );
  });
});
