/** `connectAcceptedSocket()`: a transport and a protocol on a connection that was accepted elsewhere. Python's loop method of this name. */
import type net from "node:net";
import { checkFunction, checkOptions, type SignalOptions } from "../base/arguments.js";
import { cancellationOf, withOneDeadline } from "../base/waiting.js";
import type { Protocol, ProtocolFactory, Transport } from "../contracts/connection.js";
import { now, publishError } from "../transports/diagnostics.js";
import { adoptConnection, discardSock } from "./adopt.js";
import { checkServerTls, type ServerTlsOptions } from "./options.js";
import { acceptSecured, startTransport } from "./start-transport.js";
import { nodeWireOf } from "./wire-factory.js";

/** Options of `connectAcceptedSocket()`. */
export interface AcceptedSocketOptions extends ServerTlsOptions, SignalOptions {}

/**
 * Puts a transport and a protocol on a connection that was accepted elsewhere, by a `net.Server` or by another process. Python's
 * `loop.connect_accepted_socket()`. With `ssl`, this end takes the server's role.
 *
 * **If aborted**, or at a time-out, during the TLS handshake, the socket is closed and the call rejects with the signal's reason or a
 * `TimeoutError`. Once the connection is made, an abort has no effect.
 *
 * @param protocolFactory creates the protocol
 * @param sock the connected Unix or TCP socket, or its file descriptor. The call takes ownership, even if it fails.
 * @param options `ssl`, `sslHandshakeTimeout`, `sslShutdownTimeout`: TLS from the start, as on a server; `signal`; `timeout`
 * @returns the transport and the protocol
 * @throws TypeError or RangeError for a wrong argument; the TLS error or ConnectionTimeoutError if the handshake fails
 *
 * @example
 * ```ts
 * const onConnection = async (socket: Socket): Promise<void> => {
 *   const [transport] = await connectAcceptedSocket(() => new MyProtocol(), socket);
 *   transport.write("welcome\n");
 * };
 * ```
 */
export async function connectAcceptedSocket<P extends Protocol>(
  protocolFactory: ProtocolFactory<P>,
  sock: net.Socket | number,
  options?: AcceptedSocketOptions,
): Promise<[Transport, P]> {
  // Closed if anything fails before the socket has another owner.
  let orphan: unknown = sock;
  let begunAt: number | null = null;
  try {
    checkFunction("protocolFactory", protocolFactory);
    checkOptions("options", options);
    const tls = checkServerTls(options);
    const end = cancellationOf(options);
    begunAt = now();
    const socket = await adoptConnection(sock, null);
    orphan = undefined;
    const isUnix = socket.remoteAddress === undefined;
    if (!isUnix) socket.setNoDelay(true);
    const unixNames = isUnix ? { sockname: "", peername: "" } : null;
    const facts = { unixNames, begunAt, isAccepted: true };
    if (tls === null) return startTransport(nodeWireOf(socket), protocolFactory, facts);
    let made: [Transport, P] | null = null;
    await withOneDeadline(end, async (signal) => {
      made = await acceptSecured(socket, protocolFactory, { ...facts, tls, signal });
    });
    return made as unknown as [Transport, P];
  } catch (error) {
    if (begunAt !== null) publishError(null, error, "accept");
    discardSock(orphan);
    throw error;
  }
}
