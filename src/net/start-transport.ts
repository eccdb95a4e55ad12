/** Puts a transport and a protocol onto a connected socket: where connections and accepted clients begin alike. */
import type net from "node:net";
import { invalidType } from "../base/arguments.js";
import type { ExtraInfo } from "../contracts/extra-info.js";
import type { Protocol, ProtocolFactory } from "../contracts/protocol.js";
import type { Transport } from "../contracts/transport.js";
import type { TransportOwner } from "../contracts/transport-owner.js";
import { SocketTransport } from "../transports/socket.js";
import { ConnectedSocket, type UnixNames } from "../transports/socket-info.js";
import { discardSock } from "./adopt.js";

/**
 * Starts the connection; if the factory throws, the socket is closed.
 *
 * @param unixNames the names of a Unix socket; `null` for TCP
 * @param owner the server that accepted the connection
 */
export function startTransport<P extends Protocol>(
  socket: net.Socket,
  protocolFactory: ProtocolFactory<P>,
  unixNames: UnixNames | null,
  owner?: TransportOwner,
): [Transport, P] {
  try {
    const protocol = protocolFactory();
    if (typeof protocol !== "object" || protocol === null) throw invalidType("the result of protocolFactory", "a Protocol", protocol);
    const info = new ConnectedSocket(socket, unixNames);
    const extraInfo: Partial<ExtraInfo> = { socket: info, peername: info.getpeername(), sockname: info.getsockname() };
    const transport = new SocketTransport(socket, { protocol, extraInfo, owner });
    transport.start();
    return [transport, protocol];
  } catch (error) {
    discardSock(socket);
    throw error;
  }
}
