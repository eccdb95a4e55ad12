/** `resolve()`: resolves host names to addresses. */
import { lookup } from "node:dns/promises";
import net from "node:net";
import type { IpFamily } from "./options.js";

/** An IP address. */
export interface IpAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

/** Returns every address of a host, in the system's order. An IP address resolves to itself. */
export async function resolve(host: string, family: IpFamily): Promise<IpAddress[]> {
  const literal = net.isIP(host.split("%", 1)[0] as string);
  if (literal === 4 || literal === 6) {
    if (family === 0 || family === literal) return [{ address: host, family: literal }];
    // Node: would accept the address nevertheless.
    // CPython: `getaddrinfo()` fails with this code.
    const error = new Error(`EAI_ADDRFAMILY: not an IPv${family} address, getaddrinfo '${host}'`);
    throw Object.assign(error, { code: "EAI_ADDRFAMILY", syscall: "getaddrinfo", hostname: host });
  }
  const found = await lookup(host, { all: true, family, verbatim: true });
  return found.map(({ address, family: foundFamily }) => ({ address, family: foundFamily === 6 ? 6 : 4 }));
}
