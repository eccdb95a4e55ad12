/**
 * A `net.Server` as a `Listener`: over TCP, or one that was handed over.
 *
 * Before `listen()` nobody can connect. Over TCP that means that the port is not taken before, either: Node cannot bind without listening. A
 * server that was handed over listens already; what connects to it before `listen()` is kept, and accepted then.
 */
import net from "node:net";
import { InvalidStateError } from "../base/errors.js";
import type { SocketAddress, TransportSocket } from "../contracts/extra-info.js";
import { ipAddress, type UnixNames } from "../transports/socket-info.js";
import type { AcceptHandler, Listener } from "./server.js";

/** The `TransportSocket` of a listening socket. */
export class ListeningSocket implements TransportSocket {
  readonly #getsockname: () => SocketAddress;
  readonly family: TransportSocket["family"];

  constructor(family: TransportSocket["family"], getsockname: () => SocketAddress) {
    this.family = family;
    this.#getsockname = getsockname;
  }

  getsockname(): SocketAddress {
    return this.#getsockname();
  }

  getpeername(): null {
    return null;
  }

  /** Does nothing: accepted connections have `TCP_NODELAY` on already. */
  setNoDelay(): void {}

  /** Does nothing: see the server's `keepAlive` option. */
  setKeepAlive(): void {}
}

/** Listens with a `net.Server`, and resolves or rejects when that has worked or not. */
export function listenOn(server: net.Server, options: net.ListenOptions & { fd?: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      server.off("error", onError).off("close", onClose).off("listening", onListening);
    };
    const onError = (error: Error): void => {
      settle();
      reject(error);
    };
    const onClose = (): void => {
      settle();
      reject(new InvalidStateError("cannot listen: the server was closed meanwhile"));
    };
    const onListening = (): void => {
      settle();
      resolve();
    };
    server.on("error", onError).on("close", onClose).on("listening", onListening).listen(options);
  });
}

/** What a TCP listener is made from. */
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
  readonly socket: TransportSocket;
  /** Kept, since logs want the address after the server is closed, too. */
  #address: SocketAddress;

  constructor(options: TcpListenOptions) {
    this.#options = options;
    this.#server = net.createServer({ allowHalfOpen: true, noDelay: true, keepAlive: options.keepAlive });
    this.#address = ipAddress(options.host, options.port);
    this.socket = new ListeningSocket(options.host.includes(":") ? "ipv6" : "ipv4", () => this.#address);
  }

  async listen(accept: AcceptHandler, onError: (error: unknown) => void): Promise<void> {
    const { host, port, backlog, reusePort } = this.#options;
    this.#server.on("connection", (socket) => accept(socket, null));
    // Exclusive: a cluster's worker listens by itself. `ipv6Only`: each family has a socket of its own, as in asyncio.
    const options = { host, port, backlog, exclusive: true, ipv6Only: host.includes(":"), ...(reusePort ? { reusePort } : {}) };
    await listenOn(this.#server, options);
    // Node: a close() while the host is looked up does not stop it from listening afterwards.
    if (this.#closed) closeServer(this.#server);
    this.#server.on("error", onError);
    const bound = this.#server.address();
    if (bound !== null && typeof bound === "object") this.#address = ipAddress(bound.address, bound.port);
  }

  close(): void {
    this.#closed = true;
    closeServer(this.#server);
  }
}

/** Accepts from a server that was made elsewhere: a `net.Server` that listens, or the descriptor of a listening socket. */
export class AdoptedListener implements Listener {
  readonly #server: net.Server;
  readonly #fd: number | undefined;
  readonly #backlog: number;
  readonly #early: net.Socket[] = [];
  #accept: AcceptHandler | null = null;
  readonly socket: TransportSocket;

  constructor(sock: net.Server | number, family: "unix" | "tcp", backlog: number) {
    this.#fd = typeof sock === "number" ? sock : undefined;
    this.#server = typeof sock === "number" ? net.createServer({ allowHalfOpen: true, noDelay: true }) : sock;
    this.#backlog = backlog;
    this.#server.on("connection", this.#onConnection);
    let address: SocketAddress = "";
    const getsockname = (): SocketAddress => (address = this.#address() ?? address);
    getsockname();
    this.socket = new ListeningSocket(family === "unix" ? "unix" : String(address[0]).includes(":") ? "ipv6" : "ipv4", getsockname);
  }

  #address(): SocketAddress | null {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? ipAddress(address.address, address.port) : address;
  }

  #unixNames(): UnixNames | null {
    return this.socket.family === "unix" ? { sockname: this.socket.getsockname() as string, peername: "" } : null;
  }

  readonly #onConnection = (socket: net.Socket): void => {
    // Node: ends our side with the peer's unless this is set, and the server that was handed over may not have set it.
    (socket as { allowHalfOpen: boolean }).allowHalfOpen = true;
    if (this.#accept === null) this.#early.push(socket.pause().on("error", ignore));
    else this.#accept(socket, this.#unixNames());
  };

  async listen(accept: AcceptHandler, onError: (error: unknown) => void): Promise<void> {
    if (this.#fd !== undefined) await listenOn(this.#server, { fd: this.#fd, backlog: this.#backlog, exclusive: true });
    this.#server.on("error", onError);
    this.#accept = accept;
    for (const socket of this.#early.splice(0)) accept(socket, this.#unixNames());
  }

  close(): void {
    for (const socket of this.#early.splice(0)) socket.destroy();
    closeServer(this.#server);
  }
}

/** Closes a server whether it listens or not. */
export function closeServer(server: net.Server): void {
  // Not `server.listening`: one that is still on its way has to be closed, too. Closing what is not open calls back with an error, and nothing else.
  server.on("error", ignore);
  server.close(ignore);
}

function ignore(): void {}
