/** `connectAcceptedSocket()`: a transport and a protocol on a connection that was accepted elsewhere. Python's loop method of this name. */
import type net from "node:net";
import { checkFunction, type SignalOptions } from "../base/arguments.js";
import { checkKnownOptions, type KnownOptions, knownOptions } from "../base/known-options.js";
import { cancellationOf, withOneDeadline } from "../base/waiting.js";
import type { Protocol, ProtocolFactory, Transport } from "../contracts/connection.js";
import { now, publishError } from "../transports/diagnostics.js";
import { ConnectedSocket, unwired } from "../transports/socket-info.js";
import { adoptConnection, familyOf, takingSock } from "./adopt.js";
import { checkServerTls, type ServerTlsOptions } from "./options.js";
import type { OwnedDescriptor } from "./owned-descriptor.js";
import { acceptSecured, startTransport } from "./start-transport.js";
import { nodeWireOf } from "./wire-factory.js";

/** Options of `connectAcceptedSocket()`. */
export interface AcceptedSocketOptions extends ServerTlsOptions, SignalOptions {}

const ACCEPTED_OPTIONS: KnownOptions = knownOptions<AcceptedSocketOptions>({
  ssl: true,
  sslHandshakeTimeout: true,
  sslShutdownTimeout: true,
  signal: true,
  timeout: true,
});

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
  sock: net.Socket | OwnedDescriptor | number,
  options?: AcceptedSocketOptions,
): Promise<[Transport, P]> {
  return await takingSock(sock, async (handOver) => {
    checkFunction("protocolFactory", protocolFactory);
    checkKnownOptions("connectAcceptedSocket", options, ACCEPTED_OPTIONS);
    const tls = checkServerTls(options);
    const end = cancellationOf(options);
    const begunAt = now();
    try {
      const socket = adoptConnection(sock, null);
      handOver();
      const isUnix = familyOf(socket) === "unix";
      if (!isUnix) socket.setNoDelay(true);
      const unixNames = isUnix ? { sockname: "", peername: "" } : null;
      const info = new ConnectedSocket(unwired(socket), unixNames);
      const facts = { info, begunAt, isAccepted: true };
      if (tls === null) return startTransport(nodeWireOf(socket), protocolFactory, facts);
      return await withOneDeadline(end, (signal) => acceptSecured(socket, protocolFactory, facts, tls, signal));
    } catch (error) {
      publishError(null, error, "accept");
      throw error;
    }
  });
}
