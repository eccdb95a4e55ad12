/**
 * `TcpListener`: listens over TCP.
 *
 * Clients cannot connect before `listen()`. The port is not reserved before either, because Node cannot bind without listening.
 */
import net from "node:net";
import type { SocketAddress } from "../contracts/extra-info.js";
import { ipAddress } from "../transports/socket-info.js";
import type { AcceptHandler, Listener } from "./listener.js";
import { closeServer, ListeningSocket, listenOn } from "./listener.js";
import { acceptConnections } from "./wire-factory.js";

/** The options of a TCP listener. */
export interface TcpListenOptions {
  readonly host: string;
  readonly port: number;
  readonly backlog: number;
  readonly reusePort: boolean;
  readonly keepAlive: boolean;
}

/** Listens on one IP address. */
export class TcpListener implements Listener {
  readonly #server: net.Server;
  readonly #options: TcpListenOptions;
  #closed = false;
  readonly socket: ListeningSocket;
  /** Kept, so that the address is available after the server is closed, for example for logs. */
  #address: SocketAddress;

  constructor(options: TcpListenOptions) {
    this.#options = options;
    this.#server = net.createServer({ allowHalfOpen: true, noDelay: true, keepAlive: options.keepAlive });
    this.#address = ipAddress(options.host, options.port);
    this.socket = new ListeningSocket(this.#server, false, () => this.#address);
  }

  async listen(accept: AcceptHandler, onError: (error: unknown) => void): Promise<void> {
    const { host, port, backlog, reusePort } = this.#options;
    // `exclusive`: a cluster's worker listens itself. `ipv6Only`: each family has its own socket, as in asyncio.
    const options = { host, port, backlog, exclusive: true, ipv6Only: host.includes(":"), ...(reusePort ? { reusePort } : {}) };
    await listenOn(this.#server, options);
    // Node: a close() during the host lookup does not prevent the server from listening afterwards.
    if (this.#closed) closeServer(this.#server);
    acceptConnections(this.#server, (makeWire) => accept(makeWire, null), this.#options.keepAlive);
    this.#server.on("error", onError);
    const bound = this.#server.address();
    if (bound !== null && typeof bound === "object") this.#address = ipAddress(bound.address, bound.port);
  }

  close(): void {
    this.#closed = true;
    closeServer(this.#server);
  }
}
