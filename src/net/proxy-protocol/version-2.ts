/** Version 2 of the PROXY protocol: a binary header of 16 bytes, addresses of a fixed length, and further fields (`tlv.ts`). */
import type { NonSharedBuffer } from "../../base/bytes.js";
import { ProxyProtocolError } from "../../base/errors.js";
import { constant } from "../../base/memory.js";
import type { ProxyFields, ProxyHeader, SocketAddress } from "../../contracts/extra-info.js";
import { asIpv6, formatIp, parseIp } from "./ip-address.js";
import { decodeTlvs, emptyChecksum, encodeTlvs, textOf } from "./tlv.js";

/** The beginning of every header. */
export const V2_SIGNATURE: NonSharedBuffer = constant("\r\n\r\n\0\r\nQUIT\n");

/** The length of the header before the addresses. */
export const V2_FIXED_BYTES = 16;

/** The positions of the fixed fields. */
const VERSION_AT = 12;
const FAMILY_AT = 13;
const LENGTH_AT = 14;

/** The maximum number of bytes that may follow the fixed part. */
export const V2_MAX_REST_BYTES = 65_535;

/** The length of one name of a Unix socket. */
export const UNIX_NAME_BYTES = 108;

/** The address families and transports, by their numbers in the header. */
const FAMILIES = { unspec: 0, ipv4: 1, ipv6: 2, unix: 3 } as const;
const TRANSPORTS = { unspec: 0, stream: 1, datagram: 2 } as const;

/** The length of an IP address by family. */
const IP_BYTES = { [FAMILIES.ipv4]: 4, [FAMILIES.ipv6]: 16 } as const;

/** Returns the length of a whole header. `fixed` are its first 16 bytes; the signature has been checked. */
export function lengthOfVersion2(fixed: Buffer): number {
  const version = fixed.readUInt8(VERSION_AT) >> 4;
  if (version !== 2) throw new ProxyProtocolError(`the version is ${version} instead of 2`);
  const command = fixed.readUInt8(VERSION_AT) & 0x0f;
  if (command > 1) throw new ProxyProtocolError(`the command ${command} is unknown`);
  return V2_FIXED_BYTES + fixed.readUInt16BE(LENGTH_AT);
}

/** Decodes a whole header. */
export function decodeVersion2(header: Buffer): ProxyHeader {
  // What follows has no meaning then, and the family has none either.
  if ((header.readUInt8(VERSION_AT) & 0x0f) === 0) return { version: 2, command: "local" };
  const family = header.readUInt8(FAMILY_AT) >> 4;
  const transport = header.readUInt8(FAMILY_AT) & 0x0f;
  if (family > FAMILIES.unix) throw new ProxyProtocolError(`the address family ${family} is unknown`);
  if (transport > TRANSPORTS.datagram) throw new ProxyProtocolError(`the transport ${transport} is unknown`);
  const isUnspecified = family === FAMILIES.unspec || transport === TRANSPORTS.unspec;
  // Half of it unspecified: it is not defined whether there are addresses, so the fields behind them cannot be found.
  if (isUnspecified && family + transport > 0) return { version: 2, command: "proxy" };
  const addressBytes = isUnspecified ? 0 : bytesOf(family);
  if (header.length < V2_FIXED_BYTES + addressBytes) {
    throw new ProxyProtocolError(`the addresses have ${header.length - V2_FIXED_BYTES} bytes instead of ${addressBytes}`);
  }
  const { fields, crcAt } = decodeTlvs(header, V2_FIXED_BYTES + addressBytes);
  if (crcAt !== null && header.readUInt32BE(crcAt) !== crc32c(header, crcAt)) throw new ProxyProtocolError("the checksum is wrong");
  return {
    version: 2,
    command: "proxy",
    ...(isUnspecified ? {} : { transport: transport === TRANSPORTS.stream ? "stream" : "datagram", ...addressesOf(header, family) }),
    ...fields,
  };
}

/** Returns the length of both addresses with their ports. */
function bytesOf(family: number): number {
  return family === FAMILIES.unix ? 2 * UNIX_NAME_BYTES : 2 * (IP_BYTES[family as keyof typeof IP_BYTES] + 2);
}

function addressesOf(header: Buffer, family: number): { readonly source: SocketAddress; readonly destination: SocketAddress } {
  const addresses = header.subarray(V2_FIXED_BYTES);
  if (family === FAMILIES.unix) {
    const name = (at: number): string => unixName(addresses.subarray(at, at + UNIX_NAME_BYTES));
    return { source: name(0), destination: name(UNIX_NAME_BYTES) };
  }
  const size = IP_BYTES[family as keyof typeof IP_BYTES];
  const address = (index: 0 | 1): SocketAddress => {
    const host = formatIp(addresses.subarray(index * size, (index + 1) * size));
    const port = addresses.readUInt16BE(2 * (size + index));
    return size === 4 ? [host, port] : [host, port, 0, 0];
  };
  return { source: address(0), destination: address(1) };
}

/** Decodes the name of a Unix socket. A path ends at its first NUL. An abstract name begins with one, and is padded with NULs. */
function unixName(bytes: Buffer): string {
  const isAbstract = bytes[0] === 0;
  let end = bytes.length;
  if (isAbstract) while (end > 0 && bytes[end - 1] === 0) end -= 1;
  else if (bytes.includes(0)) end = bytes.indexOf(0);
  return isAbstract && end > 0 ? `\0${textOf(bytes.subarray(1, end))}` : textOf(bytes.subarray(0, end));
}

/* Encoding. */

/** What to encode. All fields have been checked. */
export interface Version2Fields extends ProxyFields {
  readonly command: "proxy" | "local";
  /** Whether to add a checksum. */
  readonly crc32c: boolean;
}

/** Encodes a header. */
export function encodeVersion2(fields: Version2Fields): Buffer {
  const { family, bytes } = encodeAddresses(fields.source, fields.destination);
  const transport = family === FAMILIES.unspec ? TRANSPORTS.unspec : TRANSPORTS[fields.transport ?? "stream"];
  const checksum = fields.crc32c ? emptyChecksum() : Buffer.alloc(0);
  const rest = Buffer.concat([bytes, encodeTlvs(fields), checksum]);
  const fixed = Buffer.alloc(V2_FIXED_BYTES);
  V2_SIGNATURE.copy(fixed);
  fixed.writeUInt8((2 << 4) | (fields.command === "proxy" ? 1 : 0), VERSION_AT);
  fixed.writeUInt8((family << 4) | transport, FAMILY_AT);
  fixed.writeUInt16BE(Math.min(rest.length, V2_MAX_REST_BYTES), LENGTH_AT); // a longer header is refused by the caller
  const header = Buffer.concat([fixed, rest]);
  if (fields.crc32c) header.writeUInt32BE(crc32c(header, header.length - 4), header.length - 4);
  return header;
}

function encodeAddresses(source: SocketAddress | undefined, destination: SocketAddress | undefined): { family: number; bytes: Buffer } {
  if (source === undefined || destination === undefined) return { family: FAMILIES.unspec, bytes: Buffer.alloc(0) };
  if (typeof source === "string" || typeof destination === "string") {
    const bytes = Buffer.alloc(2 * UNIX_NAME_BYTES);
    bytes.write(source as string, 0);
    bytes.write(destination as string, UNIX_NAME_BYTES);
    return { family: FAMILIES.unix, bytes };
  }
  let from = parseIp(source[0]) as readonly number[];
  let to = parseIp(destination[0]) as readonly number[];
  if (from.length !== to.length) [from, to] = [asIpv6(from), asIpv6(to)];
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(source[1], 0);
  ports.writeUInt16BE(destination[1], 2);
  return { family: from.length === 4 ? FAMILIES.ipv4 : FAMILIES.ipv6, bytes: Buffer.concat([Buffer.of(...from, ...to), ports]) };
}

/* `crc32c()`: the checksum CRC-32C of RFC 9260, appendix A, with the polynomial 0x1EDC6F41, reflected. */

const REFLECTED_POLYNOMIAL = 0x82f63b78;

const TABLE: Uint32Array = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte;
  for (let bit = 0; bit < 8; bit += 1) rest = rest & 1 ? (rest >>> 1) ^ REFLECTED_POLYNOMIAL : rest >>> 1;
  return rest;
});

/** Returns the checksum of all bytes, as if the four bytes at `zeroedAt` were zero. */
function crc32c(bytes: Uint8Array, zeroedAt: number): number {
  let rest = 0xffffffff;
  for (const [index, byte] of bytes.entries()) {
    const counted = index >= zeroedAt && index < zeroedAt + 4 ? 0 : byte;
    rest = (rest >>> 8) ^ (TABLE[(rest ^ counted) & 0xff] as number);
  }
  return (rest ^ 0xffffffff) >>> 0;
}
