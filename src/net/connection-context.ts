/** What is known of a connection before it has a transport, and what makes connections of another kind. */
import type { ProtocolFactory, TransportOwner } from "../contracts/connection.js";
import type { ExtraInfo } from "../contracts/extra-info.js";
import type { ConnectedSocket } from "../transports/socket-info.js";
import type { Wire } from "../transports/wire.js";

/** The facts about a connection before it has a transport. */
export interface ConnectionContext {
  /** The addresses. Read before the TLS handshake, because the system forgets them if the peer resets the connection. */
  readonly info: ConnectedSocket;
  /** When the call was made or the client accepted, by `now()`. */
  readonly begunAt: number;
  /** The server that accepted the connection. */
  readonly owner?: TransportOwner | undefined;
  /** Whether the connection was accepted elsewhere. */
  readonly isAccepted?: boolean | undefined;
  /** The host that the connection was opened to. */
  readonly host?: string | undefined;
  /** The extra info that a proxy has sent. */
  readonly proxyInfo?: Partial<ExtraInfo> | undefined;
}

/** Another kind of connection than that over the wire that was accepted. */
export interface ConnectionKind {
  /** Makes another wire of an accepted one. */
  convert(wire: Wire): Wire;
  /** Starts a connection on such a wire. If the factory throws, the wire is closed. */
  start(wire: Wire, protocolFactory: ProtocolFactory, facts: ConnectionContext): unknown;
}
