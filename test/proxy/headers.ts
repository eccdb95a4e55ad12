/** Headers of the PROXY protocol, put together byte by byte and independently of the library's encoder. */

/** The signature of version 2. */
export const SIGNATURE: Buffer = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");

/** A version 2 header: the 13th and 14th byte and what follows; `length` if it is to be a lie. */
export function version2(versionCommand: number, family: number, rest: Uint8Array, length: number = rest.length): Buffer {
  return Buffer.concat([SIGNATURE, Buffer.of(versionCommand, family, length >> 8, length & 0xff), rest]);
}

/** The addresses 192.0.2.1:1025 and 198.51.100.7:443. */
export const IPV4: Buffer = Buffer.of(192, 0, 2, 1, 198, 51, 100, 7, 4, 1, 1, 0xbb);

/** The addresses [2001:db8::1]:1025 and [::ffff:198.51.100.7]:443. */
export const IPV6: Buffer = Buffer.from("20010db800000000000000000000000100000000000000000000ffffc6336407040101bb", "hex");

/** The names of two Unix sockets in 108 bytes each. */
export function unixNames(source: string, destination: string): Buffer {
  const names = Buffer.alloc(216);
  names.write(source, 0, "latin1");
  names.write(destination, 108, "latin1");
  return names;
}

/** A field: type, length, value; `length` if it is to be a lie. */
export function tlv(type: number, value: Uint8Array | string, length?: number): Buffer {
  const bytes = Buffer.from(value as string);
  const said = length ?? bytes.length;
  return Buffer.concat([Buffer.of(type, said >> 8, said & 0xff), bytes]);
}

/** A header of IPv4 with these fields. */
export function withTlvs(...tlvs: readonly Buffer[]): Buffer {
  return version2(0x21, 0x11, Buffer.concat([IPV4, ...tlvs]));
}

/** The same, with a checksum that HAProxy would compute; bit by bit, as in the definition. */
export function withChecksum(...tlvs: readonly Buffer[]): Buffer {
  const header = withTlvs(...tlvs, tlv(0x03, Buffer.alloc(4)));
  let crc = 0xffffffff;
  for (const byte of header) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  header.writeUInt32BE((crc ^ 0xffffffff) >>> 0, header.length - 4);
  return header;
}

const V1 = "PROXY TCP4 192.0.2.1 198.51.100.7 1025 443\r\n";

/** Bytes that are no valid header, and a part of the message that says why. */
export const badHeaders: readonly (readonly [what: string, bytes: Buffer | string, message: RegExp])[] = [
  ["another protocol", "GET / HTTP/1.0\r\n\r\n", /begins with "GET \/ HTTP\/1.0\\r\\n"$/],
  ["a TLS handshake", Buffer.of(0x16, 3, 1, 0, 5), /begins with 0x1603010005$/],
  ["a space before the line", ` ${V1}`, /begins with/],
  ["a word that only begins like the protocol", "PROXYTCP4 1.1.1.1 2.2.2.2 1 2\r\n", /begins with/],
  ["lower case", V1.toLowerCase(), /begins with/],
  ["a line without a protocol", "PROXY \r\n", /not TCP4, TCP6 or UNKNOWN/],
  ["an unknown protocol", "PROXY UDP4 1.1.1.1 2.2.2.2 1 2\r\n", /not TCP4, TCP6 or UNKNOWN/],
  ["a word that only begins like UNKNOWN", "PROXY UNKNOWNX\r\n", /not TCP4, TCP6 or UNKNOWN/],
  ["too few words", "PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n", /5 words instead of 6/],
  ["too many words", "PROXY TCP4 1.1.1.1 2.2.2.2 1 2 3\r\n", /7 words instead of 6/],
  ["a space at the end", "PROXY TCP4 1.1.1.1 2.2.2.2 1 2 \r\n", /7 words instead of 6/],
  ["two spaces", "PROXY TCP4  1.1.1.1 2.2.2.2 1 2\r\n", /7 words instead of 6/],
  ["a tab", "PROXY TCP4\t1.1.1.1 2.2.2.2 1 2\r\n", /not TCP4, TCP6 or UNKNOWN/],
  ["an address that is none", "PROXY TCP4 1.1.1.256 2.2.2.2 1 2\r\n", /an address is not valid for TCP4/],
  ["an address with a leading zero", "PROXY TCP4 1.1.1.01 2.2.2.2 1 2\r\n", /an address is not valid for TCP4/],
  ["an address of three parts", "PROXY TCP4 1.1.1 2.2.2.2 1 2\r\n", /an address is not valid for TCP4/],
  ["an address in hexadecimal", "PROXY TCP4 0x1.1.1.1 2.2.2.2 1 2\r\n", /an address is not valid for TCP4/],
  ["an IPv6 address as TCP4", "PROXY TCP4 ::1 ::2 1 2\r\n", /an address is not valid for TCP4/],
  ["an IPv4 address as TCP6", "PROXY TCP6 1.1.1.1 2.2.2.2 1 2\r\n", /an address is not valid for TCP6/],
  ["an address with a zone", "PROXY TCP6 fe80::1%2 ::2 1 2\r\n", /an address is not valid for TCP6/],
  ["an address in brackets", "PROXY TCP6 [::1] ::2 1 2\r\n", /an address is not valid for TCP6/],
  ["two gaps in an address", "PROXY TCP6 1::2::3 ::2 1 2\r\n", /an address is not valid for TCP6/],
  ["nine groups in an address", "PROXY TCP6 1:2:3:4:5:6:7:8:9 ::2 1 2\r\n", /an address is not valid for TCP6/],
  ["a gap that stands for nothing", "PROXY TCP6 1:2:3:4::5:6:7:8 ::2 1 2\r\n", /an address is not valid for TCP6/],
  ["three colons", "PROXY TCP6 1:::2 ::2 1 2\r\n", /an address is not valid for TCP6/],
  ["a group of five digits", "PROXY TCP6 ::00001 ::2 1 2\r\n", /an address is not valid for TCP6/],
  ["an IPv4 address in the middle", "PROXY TCP6 ::1.2.3.4:1 ::2 1 2\r\n", /an address is not valid for TCP6/],
  ["a NUL in an address", "PROXY TCP4 1.1.1.1\0 2.2.2.2 1 2\r\n", /an address is not valid for TCP4/],
  ["a port that is too high", "PROXY TCP4 1.1.1.1 2.2.2.2 1 65536\r\n", /a port is not a number/],
  ["a port with a leading zero", "PROXY TCP4 1.1.1.1 2.2.2.2 01 2\r\n", /a port is not a number/],
  ["a port with a sign", "PROXY TCP4 1.1.1.1 2.2.2.2 +1 2\r\n", /a port is not a number/],
  ["a port that is none", "PROXY TCP4 1.1.1.1 2.2.2.2 1 x\r\n", /a port is not a number/],
  ["an empty port", "PROXY TCP4 1.1.1.1 2.2.2.2  2\r\n", /a port is not a number/],
  ["a line that ends in a newline alone", `PROXY TCP4 1.1.1.1 2.2.2.2 1 2\n${"x".repeat(107)}`, /the line exceeds 107 bytes/],
  ["a line that does not end", `PROXY UNKNOWN ${"x".repeat(93)}\r\n`, /the line exceeds 107 bytes/],
  ["a version 1 in version 2", version2(0x11, 0x11, IPV4), /the version is 1 instead of 2/],
  ["a version 3", version2(0x31, 0x11, IPV4), /the version is 3 instead of 2/],
  ["an unknown command", version2(0x22, 0x11, IPV4), /the command 2 is unknown/],
  ["an unknown family", version2(0x21, 0x41, IPV4), /the address family 4 is unknown/],
  ["an unknown transport", version2(0x21, 0x13, IPV4), /the transport 3 is unknown/],
  ["an unspecified family with an unknown transport", version2(0x21, 0x0f, IPV4), /the transport 15 is unknown/],
  ["too little for two IPv4 addresses", version2(0x21, 0x11, IPV4.subarray(0, 11)), /11 bytes instead of 12/],
  ["too little for two IPv6 addresses", version2(0x21, 0x21, IPV6.subarray(0, 35)), /35 bytes instead of 36/],
  ["too little for two Unix names", version2(0x21, 0x31, Buffer.alloc(215)), /215 bytes instead of 216/],
  ["no addresses at all", version2(0x21, 0x12, Buffer.alloc(0)), /0 bytes instead of 12/],
  ["a Unix name that is not UTF-8", version2(0x21, 0x31, unixNames("/\xff", "/b")), /not UTF-8/],
  ["an abstract name with a NUL inside", version2(0x21, 0x31, unixNames("\0a\0b", "/b")), /contains a NUL/],
  ["a header that is too long", version2(0x21, 0x11, Buffer.alloc(20_000)), /20016 bytes exceeds maxHeaderBytes \(16384\)/],
  ["one byte behind the addresses", withTlvs(Buffer.of(1)), /1 bytes follow the last complete field/],
  ["two bytes behind a field", withTlvs(tlv(0xe0, "x"), Buffer.of(1, 0)), /2 bytes follow the last complete field/],
  ["a field that is cut off", withTlvs(tlv(0xe0, "x", 2)), /the field 0xe0 has 2 bytes, but only 1 follow/],
  ["a field that is longer than a header", withTlvs(tlv(0x04, "", 65_535)), /the field 0x04 has 65535 bytes, but only 0 follow/],
  ["an authority that is not UTF-8", withTlvs(tlv(0x02, Buffer.of(0xff))), /not UTF-8/],
  ["an authority with a NUL", withTlvs(tlv(0x02, "a\0b")), /contains a NUL/],
  ["two authorities", withTlvs(tlv(0x02, "a"), tlv(0x02, "b")), /the field 0x02 occurs twice/],
  ["a unique id of 129 bytes", withTlvs(tlv(0x05, Buffer.alloc(129))), /the unique id exceeds 128 bytes/],
  ["a checksum of 3 bytes", withTlvs(tlv(0x03, Buffer.alloc(3))), /the checksum has 3 bytes instead of 4/],
  ["a wrong checksum", withTlvs(tlv(0x03, Buffer.alloc(4))), /the checksum is wrong/],
  ["an SSL field of 4 bytes", withTlvs(tlv(0x20, Buffer.alloc(4))), /the SSL field has 4 bytes instead of at least 5/],
  ["a cut field within SSL", withTlvs(tlv(0x20, Buffer.concat([Buffer.alloc(5), tlv(0x21, "x", 9)]))), /the field 0x21 has 9 bytes/],
  ["two names within SSL", withTlvs(tlv(0x20, Buffer.concat([Buffer.alloc(5), tlv(0x22, "a"), tlv(0x22, "b")]))), /0x22 occurs twice/],
];
