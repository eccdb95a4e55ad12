/** Information about a socket: addresses in Python's form, and the `TransportSocket` behind the extra info `"socket"`. */
import { checkBoolean, checkInteger } from "../base/arguments.js";
import type { SocketAddress, TransportSocket } from "../contracts/extra-info.js";
import type { SocketInfo, Wire } from "./wire.js";

/** The addresses of a Unix socket. Node does not know them for a connection, so the code that creates the socket passes them. */
export interface UnixNames {
  readonly sockname: string;
  readonly peername: string;
}

/** Returns an IP address in Python's form. */
export function ipAddress(host: string, port: number): SocketAddress {
  return host.includes(":") ? [host, port, 0, 0] : [host, port];
}

/** The `TransportSocket` of a connected socket. */
export class ConnectedSocket implements TransportSocket {
  /** `null` for a Unix socket, which has no such properties. */
  readonly #facts: SocketInfo | null;
  /** Read immediately: Node forgets the addresses when the socket closes, which is when logs need them most. */
  readonly #names: { readonly sockname: SocketAddress; readonly peername: SocketAddress };

  /** @param unixNames the names of a Unix socket; `null` for TCP */
  constructor(socket: Pick<Wire, "facts">, unixNames: UnixNames | null) {
    this.#facts = unixNames === null ? socket.facts : null;
    this.#names = unixNames ?? {
      sockname: ipAddress(this.#facts?.localAddress ?? "", this.#facts?.localPort ?? 0),
      peername: ipAddress(this.#facts?.remoteAddress ?? "", this.#facts?.remotePort ?? 0),
    };
  }

  get family(): TransportSocket["family"] {
    if (this.#facts === null) return "unix";
    return this.#names.peername[0]?.includes(":") ? "ipv6" : "ipv4";
  }

  getsockname(): SocketAddress {
    return this.#names.sockname;
  }

  getpeername(): SocketAddress {
    return this.#names.peername;
  }

  setNoDelay(noDelay: boolean = true): void {
    checkBoolean("noDelay", noDelay);
    this.#facts?.setNoDelay(noDelay);
  }

  setKeepAlive(enable: boolean = true, initialDelay: number = 0): void {
    checkBoolean("enable", enable);
    checkInteger("initialDelay", initialDelay, 0);
    this.#facts?.setKeepAlive(enable, initialDelay);
  }
}
