/**
 * `Listener`: the source of a server's connections: a TCP socket, a Unix socket, or an adopted socket. Also contains what the listeners
 * share: `ListeningSocket`, `listenOn()` and `closeServer()`.
 */
import type net from "node:net";
import { InvalidStateError, ignore } from "../base/errors.js";
import type { SocketAddress, TransportSocket } from "../contracts/extra-info.js";
import { knownAddress, type UnixNames } from "../transports/socket-info.js";
import type { MakeWire } from "./wire-factory.js";

/** Receives a new connection. */
export type AcceptHandler = (makeWire: MakeWire, unixNames: UnixNames | null) => void;

/** A source of connections. */
export interface Listener {
  /** The listening socket, as shown by `server.sockets`. */
  readonly socket: ListeningSocket;
  /**
   * Starts accepting. `accept` is called in the current `AsyncLocalStorage` context, or in none if both this context and the
   * constructor's are empty.
   */
  listen(accept: AcceptHandler, onError: (error: unknown) => void): Promise<void>;
  /**
   * Stops listening for good. Clients that have already connected may still be accepted for a moment; the returned promise, if any,
   * resolves when that is over.
   */
  close(): Promise<void> | void;
}

/* `ListeningSocket`: an entry of `server.sockets`. */

/** The `TransportSocket` of a listening socket. */
export class ListeningSocket implements TransportSocket {
  readonly #server: net.Server;
  readonly #getsockname: () => SocketAddress | null;
  readonly #isUnix: boolean;

  /** @param getsockname returns the address; `null` if it is unknown */
  constructor(server: net.Server, isUnix: boolean, getsockname: () => SocketAddress | null) {
    this.#server = server;
    this.#isUnix = isUnix;
    this.#getsockname = getsockname;
  }

  get family(): TransportSocket["family"] {
    if (this.#isUnix) return "unix";
    return this.#getsockname()?.[0]?.includes(":") ? "ipv6" : "ipv4";
  }

  /** The descriptor; negative if the runtime does not report it. */
  get fd(): number {
    const { _handle: handle } = this.#server as { _handle?: { readonly fd?: unknown } | null };
    return typeof handle?.fd === "number" ? handle.fd : -1;
  }

  getsockname(): SocketAddress {
    return knownAddress(this.#getsockname());
  }

  getpeername(): null {
    return null;
  }

  /** Does nothing, because accepted connections already have `TCP_NODELAY` set. */
  setNoDelay(): void {}

  /** Does nothing. See the server's `keepAlive` option. */
  setKeepAlive(): void {}

  ref(): void {
    this.#server.ref();
  }

  /** Node: before the server listens, the call takes effect when it does. */
  unref(): void {
    this.#server.unref();
  }
}

/* Starts and closes a `net.Server`, with promises instead of events. */

/**
 * Listens with a `net.Server`. Resolves when it listens, and rejects if it fails.
 *
 * Node: treats a backlog of 0 as missing, and so uses its longest queue instead of the shortest. The backlog of a descriptor or a handle is
 * an argument, and the option of that name is ignored.
 *
 * @param handle a bound socket to listen on, instead of an address
 */
export function listenOn(server: net.Server, options: net.ListenOptions & { readonly fd?: number }, handle?: object): Promise<void> {
  const backlog = options.backlog === 0 ? 1 : options.backlog;
  const where = handle ?? { ...options, backlog };
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
    server.on("error", onError).on("close", onClose).on("listening", onListening);
    if (handle === undefined && options.fd === undefined) server.listen(where);
    else server.listen(where, backlog as never);
  });
}

/** Closes a server, whether it listens or not. */
export function closeServer(server: net.Server): void {
  // Does not check `server.listening`, because a server that is about to listen must be closed, too. Closing a server that is not open
  // only passes an error to the callback.
  server.on("error", ignore);
  server.close(ignore);
}
