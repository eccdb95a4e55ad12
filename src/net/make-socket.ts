/**
 * Making wires (`transports/wire.ts`): from libuv's handles where they are to be had, in the documented way everywhere else.
 *
 * Accepted connections. A listening `net.Server` has a handle whose `onconnection` is called with the handle of each accepted connection, from which Node makes a `net.Socket`. Here it makes a `HandleWire`
 * instead. If the handle or the function is not there, or something unusual is passed, Node's own function does its work. To see it: `server._handle.onconnection`.
 *
 * Opened connections. `OpenedSocket` marks the sockets that were made here: nobody else has them, so that the handle may be taken out of one (`socket._handle`) once it is connected.
 */
import { channel } from "node:diagnostics_channel";
import net from "node:net";
import { HandleWire } from "../transports/handle-wire.js";
import { NodeWire } from "../transports/node-wire.js";
import { isStreamHandle, streamHandles } from "../transports/stream-handle.js";
import type { Wire } from "../transports/wire.js";

/** A socket with what Node does not document. */
interface SocketWithHandle {
  _handle?: unknown;
}

class OpenedSocket extends net.Socket {}

/** Makes a socket that is to be connected. */
export function makeSocket(): net.Socket {
  return new OpenedSocket({ allowHalfOpen: true });
}

/** The wire of a connected socket. */
export function wireOf(socket: net.Socket): Wire {
  const parts = socket instanceof OpenedSocket && !socket.destroyed && socket.readableLength === 0 ? streamHandles() : null;
  const { _handle: handle } = socket as SocketWithHandle;
  if (parts === null || !isStreamHandle(handle)) return new NodeWire(socket);
  (socket as SocketWithHandle)._handle = null; // an empty shell from now on
  handle.readStop();
  return new HandleWire(handle, parts);
}

/** Takes an accepted connection: a socket if it has to be one, otherwise a wire. */
export type WireHandler = (wire: Wire) => void;

type OnConnection = (this: unknown, error: unknown, handle: unknown) => unknown;

/** Tools that look at every accepted socket ask for a `net.Socket` here. */
const acceptedSockets = channel("net.server.socket");

/** Gives every connection that a listening server accepts to `accept`: through the hook if it is there, else by Node's event. */
export function acceptConnections(server: net.Server, accept: WireHandler, keepAlive: boolean = false): void {
  /* c8 ignore next 4 -- Bun and Deno: on Node the hook takes nearly every connection */
  server.on("connection", (socket) => {
    if (keepAlive) socket.setKeepAlive(true); // Deno: does not do it for a server that is told so
    accept(new NodeWire(socket));
  });
  const parts = streamHandles();
  const handle = (server as { _handle?: { onconnection?: OnConnection } })._handle;
  const original = handle?.onconnection;
  if (parts === null || handle === undefined || typeof original !== "function") return;
  handle.onconnection = function onConnection(error, connection) {
    if (error || !isStreamHandle(connection) || acceptedSockets.hasSubscribers) return original.call(this, error, connection);
    connection.setNoDelay?.(true);
    if (keepAlive) connection.setKeepAlive?.(true, 0);
    accept(new HandleWire(connection, parts));
    return undefined;
  };
}
