/**
 * The zones of link-local IPv6 addresses. The same address may exist on every network interface, so a zone names the interface:
 * `fe80::1%eth0`. The system calls use the interface's number instead, the scope id.
 */
import { networkInterfaces } from "node:os";

/** A link-local IPv6 address of this machine. */
interface LinkLocal {
  readonly interfaceName: string;
  readonly address: string;
  readonly scopeId: number;
}

/**
 * Returns the scope id of an address without its zone; 0 if the address needs none, or if its interface is unknown.
 *
 * @param zone the name or the number of an interface. Bun: does not report the zone of an address. Without one, an address of this machine
 *   is looked up, and the result is 0 if several interfaces have it.
 */
export function scopeIdOf(address: string, zone: string | undefined): number {
  if (zone !== undefined && /^\d+$/.test(zone)) return Number(zone);
  if (zone === undefined && !isLinkLocal(address)) return 0;
  const ids = linkLocals()
    .filter((one) => (zone === undefined ? one.address === address : one.interfaceName === zone))
    .map(({ scopeId }) => scopeId);
  return new Set(ids).size === 1 ? (ids[0] as number) : 0;
}

/**
 * Returns an IP address whose zone is a number with the name of the interface instead. libuv accepts only names.
 *
 * Returns the address unchanged if it has no numeric zone, or if no interface with that number has a link-local address.
 */
export function withNamedZone(host: string): string {
  const [address, zone] = host.split("%", 2) as [string, string | undefined];
  if (zone === undefined || !/^\d+$/.test(zone)) return host;
  const found = linkLocals().find(({ scopeId }) => scopeId === Number(zone));
  return found === undefined ? host : `${address}%${found.interfaceName}`;
}

/** Returns whether an address is link-local (fe80::/10). */
function isLinkLocal(address: string): boolean {
  return /^fe[89ab][0-9a-f]:/i.test(address);
}

function linkLocals(): LinkLocal[] {
  try {
    return Object.entries(networkInterfaces()).flatMap(([interfaceName, addresses = []]) =>
      addresses.flatMap(({ address, scopeid }) =>
        scopeid !== undefined && scopeid > 0 ? [{ interfaceName, address: address.split("%", 1)[0] as string, scopeId: scopeid }] : [],
      ),
    );
    /* c8 ignore next 3 -- Deno without the permission --allow-sys; a system that does not list its interfaces */
  } catch {
    return [];
  }
}
