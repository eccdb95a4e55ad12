/** Decides which peers may send a header: by address and network, or by a function of the program. */
import { invalidValue } from "../../base/arguments.js";
import { asError } from "../../base/errors.js";
import type { TransportSocket } from "../../contracts/extra-info.js";
import { MAPPED_PREFIX_BITS, parseIp, unmapped } from "./ip-address.js";

/** A network: the first `bits` bits of an address. */
interface Network {
  readonly bytes: readonly number[];
  readonly bits: number;
}

/** Returns whether a peer is trusted. */
export type IsTrusted = (socket: TransportSocket) => boolean;

/** Makes a check of the peer's address. An IPv4 address that is written as IPv6 counts as IPv4. */
export function trustNetworks(entries: readonly string[]): IsTrusted {
  const networks = entries.map((entry, index) => parseNetwork(`proxyProtocol.trusted[${index}]`, entry));
  return (socket) => {
    const peer = socket.getpeername();
    if (!Array.isArray(peer)) return false;
    const bytes = parseIp((peer[0] as string).split("%", 1)[0] as string);
    return bytes !== null && networks.some((network) => contains(network, unmapped(bytes)));
  };
}

function parseNetwork(name: string, entry: string): Network {
  const [address, length, ...more] = entry.split("/");
  const given = parseIp(address as string);
  if (given === null || more.length > 0)
    throw invalidValue(`${name} must be an IP address or a network such as "10.0.0.0/8", not ${JSON.stringify(entry)}`);
  const maxBits = given.length * 8;
  if (length !== undefined && (!/^(?:0|[1-9]\d{0,2})$/.test(length) || Number(length) > maxBits)) {
    throw invalidValue(`${name} must have a prefix length from 0 to ${maxBits}, not ${JSON.stringify(entry)}`);
  }
  const bits = length === undefined ? maxBits : Number(length);
  const bytes = unmapped(given);
  if (bytes.length === given.length) return { bytes, bits };
  // A part of the prefix of all mapped addresses: a network of IPv6, which contains no IPv4 address.
  if (bits < MAPPED_PREFIX_BITS) return { bytes: given, bits };
  return { bytes, bits: bits - MAPPED_PREFIX_BITS };
}

function contains({ bytes, bits }: Network, address: readonly number[]): boolean {
  if (bytes.length !== address.length) return false;
  return bytes.every((byte, index) => {
    const shift = 8 - Math.min(8, Math.max(0, bits - index * 8)); // the bits of this byte that do not count
    return byte >> shift === (address[index] as number) >> shift;
  });
}

/** Makes a check of a function of the program. The peer is trusted only if it returns `true`. */
export function trustByFunction(decide: (socket: TransportSocket) => boolean): IsTrusted {
  return (socket) => {
    let result: unknown;
    try {
      result = decide(socket);
    } catch (error) {
      throw asError(error, "proxyProtocol.trusted threw");
    }
    if (typeof result !== "boolean") {
      // A promise would otherwise count as true.
      void Promise.resolve(result).catch(() => {});
      throw Object.assign(new TypeError("proxyProtocol.trusted must return true or false"), { code: "ERR_INVALID_RETURN_VALUE" as const });
    }
    return result;
  };
}
