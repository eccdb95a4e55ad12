/** From a connection to its socket, and to the descriptor of it. */
import { invalidType, invalidValue } from "../base/arguments.js";
import { InvalidStateError, UnsupportedError } from "../base/errors.js";
import type { ExtraInfoSource } from "../contracts/extra-info.js";
import { ConnectedSocket } from "../transports/socket-info.js";

/**
 * Returns the socket of a connection.
 *
 * @param what what the call does, for errors: "get a socket option"
 * @param kind the required socket
 * @throws TypeError if there is none
 */
export function socketOf(connection: ExtraInfoSource, what: string, kind: "socket" | "Unix socket" = "socket"): ConnectedSocket {
  if (typeof (connection as ExtraInfoSource | null | undefined)?.getExtraInfo !== "function")
    throw invalidType("connection", "a StreamWriter or a Transport", connection);
  const socket = connection.getExtraInfo("socket");
  if (socket instanceof ConnectedSocket && (kind === "socket" || socket.family === "unix")) return socket;
  throw invalidValue(`cannot ${what}: the connection is not over a ${kind}`);
}

/**
 * Returns the descriptor of a socket.
 *
 * @throws InvalidStateError if it is closed
 */
export function descriptorOf({ fd, family }: ConnectedSocket, what: string): number {
  if (fd >= 0) return fd;
  /* c8 ignore next 2 -- Deno: does not report the descriptors of TCP sockets */
  if (process.versions["deno"] !== undefined && family !== "unix")
    throw new UnsupportedError(`cannot ${what}: Deno does not report the descriptors of TCP sockets`);
  throw new InvalidStateError(`cannot ${what}: the connection is closed`);
}
