/** Version 1 of the PROXY protocol: one line of text. */
import type { NonSharedBuffer } from "../../base/bytes.js";
import { ProxyProtocolError } from "../../base/errors.js";
import { constant } from "../../base/memory.js";
import type { ProxyHeader, SocketAddress } from "../../contracts/extra-info.js";
import { asIpv6, formatIp, parseIp } from "./ip-address.js";

/** The beginning of every line. */
export const V1_SIGNATURE: NonSharedBuffer = constant("PROXY ");

/** The maximum length of a line, with its CRLF: that of two long IPv6 addresses and a long word for the protocol. */
export const V1_MAX_BYTES = 107;

/** The number of words in a line with addresses. */
const WORDS = 6;

/** Decodes a line, which has no CRLF any more. */
export function decodeVersion1(line: string): ProxyHeader {
  // The protocol defines that anything may follow UNKNOWN, and that it has no meaning.
  if (line === "PROXY UNKNOWN" || line.startsWith("PROXY UNKNOWN ")) return { version: 1, command: "proxy" };
  const words = line.split(" ");
  const [, family, source, destination, sourcePort, destinationPort] = words as [string, string, string, string, string, string];
  if (family !== "TCP4" && family !== "TCP6") throw new ProxyProtocolError("the protocol is not TCP4, TCP6 or UNKNOWN");
  if (words.length !== WORDS) throw new ProxyProtocolError(`the line has ${words.length} words instead of ${WORDS}`);
  return {
    version: 1,
    command: "proxy",
    transport: "stream",
    source: addressOf(family, source, sourcePort),
    destination: addressOf(family, destination, destinationPort),
  };
}

function addressOf(family: "TCP4" | "TCP6", host: string, port: string): SocketAddress {
  const bytes = parseIp(host);
  if (bytes === null || bytes.length !== (family === "TCP4" ? 4 : 16)) {
    throw new ProxyProtocolError(`an address is not valid for ${family}`);
  }
  if (!/^(?:0|[1-9]\d{0,4})$/.test(port) || Number(port) > 65_535) throw new ProxyProtocolError("a port is not a number from 0 to 65535");
  return family === "TCP4" ? [formatIp(bytes), Number(port)] : [formatIp(bytes), Number(port), 0, 0];
}

/** Encodes a line. Addresses of a Unix socket become UNKNOWN, because version 1 cannot express them. */
export function encodeVersion1(source: SocketAddress | undefined, destination: SocketAddress | undefined): Buffer {
  if (!Array.isArray(source) || !Array.isArray(destination)) return Buffer.from("PROXY UNKNOWN\r\n");
  let from = parseIp(source[0]) as readonly number[];
  let to = parseIp(destination[0]) as readonly number[];
  if (from.length !== to.length) [from, to] = [asIpv6(from), asIpv6(to)];
  return Buffer.from(`PROXY TCP${from.length === 4 ? 4 : 6} ${formatIp(from)} ${formatIp(to)} ${source[1]} ${destination[1]}\r\n`);
}
