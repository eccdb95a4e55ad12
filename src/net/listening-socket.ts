/** `ListeningSocket`: an entry of `server.sockets`. */
import type { SocketAddress, TransportSocket } from "../contracts/extra-info.js";

/** The `TransportSocket` of a listening socket. */
export class ListeningSocket implements TransportSocket {
  readonly #getsockname: () => SocketAddress;

  constructor(getsockname: () => SocketAddress) {
    this.#getsockname = getsockname;
  }

  get family(): TransportSocket["family"] {
    const address = this.#getsockname();
    if (typeof address === "string") return "unix";
    return address[0].includes(":") ? "ipv6" : "ipv4";
  }

  getsockname(): SocketAddress {
    return this.#getsockname();
  }

  getpeername(): null {
    return null;
  }

  /** Does nothing, because accepted connections already have `TCP_NODELAY` set. */
  setNoDelay(): void {}

  /** Does nothing. See the server's `keepAlive` option. */
  setKeepAlive(): void {}
}
