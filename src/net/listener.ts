/** `Listener`: where a server's connections come from. One of TCP, of a Unix socket, or of a socket that was handed over. */
import type { TransportSocket } from "../contracts/extra-info.js";
import type { UnixNames } from "../transports/socket-info.js";
import type { Wire } from "../transports/wire.js";

/** Takes a new connection. `makeWire` is to be called in the `AsyncLocalStorage` context that its events shall have. */
export type AcceptHandler = (makeWire: () => Wire, unixNames: UnixNames | null) => void;

/** Where connections come from. */
export interface Listener {
  /** Its socket, as the server's users see it. */
  readonly socket: TransportSocket;
  /** Begins to accept. */
  listen(accept: AcceptHandler, onError: (error: unknown) => void): Promise<void>;
  /**
   * Ends for good: nobody can connect any more. Clients that had connected by then may still be accepted for a moment; the promise, if there is one, tells
   * when that is over.
   */
  close(): Promise<void> | void;
}
