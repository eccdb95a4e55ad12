/** The extra info of a connection: addresses in Python's form, and the `TransportSocket` behind `"socket"`. See `tls-info.ts` for TLS. */
import type net from "node:net";
import { checkBoolean, checkInteger, invalidValue, outOfRange } from "../base/arguments.js";
import { InvalidStateError } from "../base/errors.js";
import type { PeerCredentials, SocketAddress, TransportSocket } from "../contracts/extra-info.js";
import { scopeIdOf } from "./interface-zones.js";
import { readCredentials } from "./peer-credentials.js";
import { descriptorOf, hasKeepAliveProbes } from "./stream-handle.js";
import type { SocketInfo, Wire } from "./wire.js";

/** The addresses of a Unix socket. Node does not know them for a connection, so the code that creates the socket passes them. */
export interface UnixNames {
  /** `null` if it is not known. */
  readonly sockname: string | null;
  readonly peername: string;
}

/**
 * Returns an IP address in Python's form: the zone of a link-local address is not part of the host but its scope id.
 *
 * @param localHost the local address of the same connection. The peer of a link-local address is on the same interface.
 */
export function ipAddress(host: string, port: number, localHost: string = host): SocketAddress {
  if (!host.includes(":")) return [host, port];
  const [address, zone] = host.split("%", 2) as [string, string | undefined];
  if (zone !== undefined || localHost === host) return [address, port, 0, scopeIdOf(address, zone)];
  const [localAddress, localZone] = localHost.split("%", 2) as [string, string | undefined];
  return [address, port, 0, /^fe[89ab]/i.test(address) ? scopeIdOf(localAddress, localZone) : 0];
}

/** Returns a local address; throws if it is unknown. */
export function knownAddress(address: SocketAddress | null): SocketAddress {
  if (address === null) throw new InvalidStateError("cannot get the local address of the socket: the runtime does not know it");
  return address;
}

/** Returns the properties of a socket that has no wire yet. */
export function unwired(socket: net.Socket): Pick<Wire, "facts" | "fd"> {
  return {
    facts: socket,
    get fd() {
      return descriptorOf(socket);
    },
  };
}

/** The longest delay and interval of keep-alive probes in seconds, and the highest count. Linux: `MAX_TCP_KEEPIDLE`, `MAX_TCP_KEEPCNT`. */
export const MAX_KEEPALIVE_S = 32_767;
const MAX_KEEPALIVE_COUNT = 127;

/** The `TransportSocket` of a connected socket. */
export class ConnectedSocket implements TransportSocket {
  readonly #socket: Pick<Wire, "facts" | "fd">;
  /** `null` for a Unix socket, which has no such properties. */
  readonly #facts: SocketInfo | null;
  /** Read immediately: Node forgets the addresses when the socket closes, which is when logs need them most. */
  readonly #names: { readonly sockname: SocketAddress | null; readonly peername: SocketAddress | null };
  /** Read immediately: the descriptor's number is used again once the socket is closed. */
  readonly #peercred: PeerCredentials | null;

  /** @param unixNames the names of a Unix socket; `null` for TCP */
  constructor(socket: Pick<Wire, "facts" | "fd">, unixNames: UnixNames | null) {
    this.#socket = socket;
    this.#facts = unixNames === null ? socket.facts : null;
    this.#names = unixNames ?? ipNames(this.#facts as SocketInfo);
    this.#peercred = unixNames === null ? null : readCredentials(socket.fd);
  }

  get family(): TransportSocket["family"] {
    if (this.#facts === null) return "unix";
    const { sockname, peername } = this.#names;
    return (sockname ?? peername)?.length === IPV6_PARTS ? "ipv6" : "ipv4";
  }

  /** The credentials of the peer; `null` if they were not read, or are unknown. */
  get peercred(): PeerCredentials | null {
    return this.#peercred;
  }

  /** The descriptor; negative if the socket is closed, or the runtime does not report it. */
  get fd(): number {
    return this.#socket.fd;
  }

  /** The local address; `null` if it is unknown. */
  get sockname(): SocketAddress | null {
    return this.#names.sockname;
  }

  getsockname(): SocketAddress {
    return knownAddress(this.sockname);
  }

  getpeername(): SocketAddress | null {
    return this.#names.peername;
  }

  setNoDelay(noDelay: boolean = true): void {
    checkBoolean("noDelay", noDelay);
    this.#facts?.setNoDelay(noDelay);
  }

  setKeepAlive(enable: boolean = true, initialDelay: number = 0, interval?: number, count?: number): void {
    checkBoolean("enable", enable);
    checkWholeSeconds("initialDelay", initialDelay, 0);
    if (interval !== undefined) checkWholeSeconds("interval", interval, 1_000);
    if (count !== undefined) checkInteger("count", count, 1, MAX_KEEPALIVE_COUNT);
    if (interval === undefined && count === undefined) {
      this.#facts?.setKeepAlive(enable, initialDelay);
      return;
    }
    const name = interval === undefined ? "count" : "interval";
    if (initialDelay === 0) throw invalidValue(`${name} needs an initialDelay: without one, the system's own settings apply`);
    if (!hasKeepAliveProbes) throw invalidValue(`${name} needs a runtime that can set it, such as Node.js 26: this one cannot`);
    this.#facts?.setKeepAlive(enable, initialDelay, interval, count);
  }

  ref(): void {
    (this.#facts ?? this.#socket.facts).ref?.();
  }

  unref(): void {
    (this.#facts ?? this.#socket.facts).unref?.();
  }
}

/** The number of parts of an IPv6 address. */
const IPV6_PARTS = 4;

function ipNames({ localAddress, localPort, remoteAddress, remotePort }: SocketInfo): {
  sockname: SocketAddress | null;
  peername: SocketAddress | null;
} {
  return {
    sockname: localAddress === undefined || localPort === undefined ? null : ipAddress(localAddress, localPort),
    // The system no longer knows the peer of a connection that was reset.
    peername: remoteAddress === undefined || remotePort === undefined ? null : ipAddress(remoteAddress, remotePort, localAddress),
  };
}

/** Checks milliseconds that the system counts in seconds. */
function checkWholeSeconds(name: string, ms: number, min: number): void {
  const max = MAX_KEEPALIVE_S * 1_000;
  checkInteger(name, ms, min, max);
  if (ms % 1_000 !== 0) throw outOfRange(name, `whole seconds (a multiple of 1000) from ${min} to ${max}`, ms);
}
