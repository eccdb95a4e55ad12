/** `Listener`: the source of a server's connections: a TCP socket, a Unix socket, or an adopted socket. */
import type { TransportSocket } from "../contracts/extra-info.js";
import type { UnixNames } from "../transports/socket-info.js";
import type { MakeWire } from "./wire-factory.js";

/** Receives a new connection. */
export type AcceptHandler = (makeWire: MakeWire, unixNames: UnixNames | null) => void;

/** A source of connections. */
export interface Listener {
  /** The listening socket, as shown by `server.sockets`. */
  readonly socket: TransportSocket;
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
