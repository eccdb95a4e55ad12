/** What a socket tells of itself: addresses in Python's form, and the `TransportSocket` behind the extra info `"socket"`. */
import type net from "node:net";
import { checkBoolean, checkInteger } from "../base/arguments.js";
import type { SocketAddress, TransportSocket } from "../contracts/extra-info.js";

/** The addresses of a Unix socket, which Node does not know for a connection: whoever made the socket has to tell. */
export interface UnixNames {
  readonly sockname: string;
  readonly peername: string;
}

/** An IP address in Python's form. */
export function ipAddress(host: string, port: number): SocketAddress {
  return host.includes(":") ? [host, port, 0, 0] : [host, port];
}

/** A connected socket's `TransportSocket`. */
export class ConnectedSocket implements TransportSocket {
  readonly #socket: net.Socket;
  readonly #sockname: SocketAddress;
  readonly #peername: SocketAddress;
  readonly family: TransportSocket["family"];

  /** @param unixNames the names of a Unix socket; `null` for TCP */
  constructor(socket: net.Socket, unixNames: UnixNames | null) {
    this.#socket = socket;
    // Read now: Node forgets them when the socket closes, and logs want them most just then.
    this.#sockname = unixNames?.sockname ?? ipAddress(socket.localAddress ?? "", socket.localPort ?? 0);
    this.#peername = unixNames?.peername ?? ipAddress(socket.remoteAddress ?? "", socket.remotePort ?? 0);
    this.family = unixNames !== null ? "unix" : socket.remoteAddress?.includes(":") ? "ipv6" : "ipv4";
  }

  getsockname(): SocketAddress {
    return this.#sockname;
  }

  getpeername(): SocketAddress {
    return this.#peername;
  }

  setNoDelay(noDelay: boolean = true): void {
    checkBoolean("noDelay", noDelay);
    if (this.family !== "unix") this.#socket.setNoDelay(noDelay);
  }

  setKeepAlive(enable: boolean = true, initialDelay: number = 0): void {
    checkBoolean("enable", enable);
    checkInteger("initialDelay", initialDelay, 0);
    if (this.family !== "unix") this.#socket.setKeepAlive(enable, initialDelay);
  }
}
