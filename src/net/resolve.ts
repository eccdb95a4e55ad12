/**
 * `resolve()`: resolves host names to addresses. Checks the answer, because programs replace the resolver: they assign to the `lookup` of
 * `node:dns/promises`. It is therefore read at each call. Bun, Deno: a named import would never see the replacement.
 */
import dns from "node:dns/promises";
import net from "node:net";
import { show } from "../base/arguments.js";
import { asError } from "../base/errors.js";
import { type AbortSource, abortReason, forgetAborted, onceAborted } from "../base/waiting.js";
import { withNamedZone } from "../transports/interface-zones.js";
import type { IpFamily } from "./options.js";
import { systemErrorCodes } from "./system-error.js";

/** An IP address. The zone of a link-local address is the name of an interface. */
export interface IpAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

/**
 * Returns every address of a host, in the system's order; at least one. An IP address resolves to itself.
 *
 * @throws the resolver's error; `ENOTFOUND` if its answer contains no address; `EAI_ADDRFAMILY` for an address of another family
 */
export async function resolve(host: string, family: IpFamily): Promise<IpAddress[]> {
  const literal = literalAddress(host, family);
  if (literal !== null) return [literal];
  const answer = await ask(host, family);
  const found = (Array.isArray(answer) ? answer : [answer]).flatMap(addressIn);
  const wanted = found.filter((one) => family === 0 || one.family === family);
  if (wanted.length > 0) return wanted;
  // CPython: "getaddrinfo() returned empty list"
  const what = Array.isArray(answer) && answer.length === 0 ? "an empty list of addresses" : `no usable address but ${show(answer)}`;
  throw resolverError(`the resolver returned ${what}`, host, { code: "ENOTFOUND" });
}

/** Returns the address that a host is; `null` if it is a name. Throws as `resolve()` does. */
export function literalAddress(host: string, family: IpFamily): IpAddress | null {
  const literal = net.isIP(host.split("%", 1)[0] as string);
  if (literal !== 4 && literal !== 6) return null;
  if (family === 0 || family === literal) return { address: withNamedZone(host), family: literal };
  // Node: would accept the address nevertheless.
  // CPython: `getaddrinfo()` fails with this code.
  throw resolverError(`not an IPv${family} address`, host, { code: "EAI_ADDRFAMILY" });
}

/** Asks the resolver. A replaced one may return any value, throw, or return a promise of another realm. */
async function ask(host: string, family: IpFamily): Promise<unknown> {
  try {
    return await new Promise<unknown>((settle) => settle(dns.lookup(host, { all: true, family, verbatim: true })));
  } catch (thrown) {
    const error = asError(thrown, "the resolver threw");
    const { code, syscall } = systemErrorCodes(error);
    // Bun: the resolver's errors do not name the host.
    if (typeof code !== "string" || syscall !== "getaddrinfo" || error.message.includes(host)) throw error;
    throw Object.assign(resolverError("cannot resolve the name", host, { code }), { cause: error });
  }
}

/** Returns the address of an entry in the resolver's answer, as an array; empty if the entry is not an address. */
function addressIn(entry: unknown): IpAddress[] {
  const address: unknown = typeof entry === "object" && entry !== null && "address" in entry ? entry.address : entry;
  if (typeof address !== "string") return [];
  const family = net.isIP(address);
  return family === 4 || family === 6 ? [{ address: withNamedZone(address), family }] : [];
}

function resolverError(text: string, host: string, { code }: { readonly code: string }): Error {
  return Object.assign(new Error(`${code}: ${text}, getaddrinfo '${host}'`), { code, syscall: "getaddrinfo", hostname: host });
}

/** Waits for a promise, but not longer than until the call is cancelled: then rejects with the reason. */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSource | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolvePromise, reject) => {
    const onAbort = (): void => reject(abortReason(signal));
    promise.then(resolvePromise, reject).finally(() => forgetAborted(signal, onAbort));
    onceAborted(signal, onAbort);
  });
}
