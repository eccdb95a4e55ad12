/** `Listener`: where a server's connections come from. One of TCP, of a Unix socket, or of a socket that was handed over. */
import type { TransportSocket } from "../contracts/extra-info.js";
import type { UnixNames } from "../transports/socket-info.js";
import type { MakeWire } from "./make-socket.js";

/** Takes a new connection. */
export type AcceptHandler = (makeWire: MakeWire, unixNames: UnixNames | null) => void;

/** Where connections come from. */
export interface Listener {
  /** Its socket, as the server's users see it. */
  readonly socket: TransportSocket;
  /** Begins to accept. `accept` is called in the current `AsyncLocalStorage` context, or, where it and that of the constructor are empty, in none. */
  listen(accept: AcceptHandler, onError: (error: unknown) => void): Promise<void>;
  /**
   * Ends for good: nobody can connect any more. Clients that had connected by then may still be accepted for a moment; the promise, if there is one, tells
   * when that is over.
   */
  close(): Promise<void> | void;
}
