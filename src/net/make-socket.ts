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
import { bindContext } from "./async-context.js";

/** A socket with what Node does not document. */
interface SocketWithHandle {
  _handle?: unknown;
}

class OpenedSocket extends net.Socket {}

/** Makes a socket that is to be connected. */
export function makeSocket(): net.Socket {
  return new OpenedSocket({ allowHalfOpen: true });
}

/** The wire of a connected socket, with its events in the current `AsyncLocalStorage` context. */
export function wireOf(socket: net.Socket): Wire {
  if (!(socket instanceof OpenedSocket)) return nodeWireOf(socket);
  const parts = !socket.destroyed && socket.readableLength === 0 ? streamHandles() : null;
  const { _handle: handle } = socket as SocketWithHandle;
  if (parts === null || !isStreamHandle(handle)) return new NodeWire(socket);
  (socket as SocketWithHandle)._handle = null; // an empty shell from now on
  handle.readStop();
  return new HandleWire(handle, parts);
}

/** The wire of a socket that was made elsewhere, with its events in the current `AsyncLocalStorage` context. */
export function nodeWireOf(socket: net.Socket): NodeWire {
  bindContext((socket as SocketWithHandle)._handle);
  return new NodeWire(socket);
}

/**
 * Makes the wire of an accepted connection.
 *
 * @param inContext whether its events are to have the current `AsyncLocalStorage` context; `false`: there is none that they could have
 */
export type MakeWire = (inContext: boolean) => Wire;

/** Takes an accepted connection. */
export type WireHandler = (makeWire: MakeWire) => void;

type OnConnection = (this: unknown, error: unknown, handle: unknown) => unknown;

/** Tools that look at every accepted socket ask for a `net.Socket` here. */
const acceptedSockets = channel("net.server.socket");

/** Gives every connection that a listening server accepts to `accept`: through the hook if it is there, else by Node's event. */
export function acceptConnections(server: net.Server, accept: WireHandler, keepAlive: boolean = false): void {
  /* c8 ignore next 4 -- Bun and Deno: on Node the hook takes nearly every connection */
  server.on("connection", (socket) => {
    if (keepAlive) socket.setKeepAlive(true); // Deno: does not do it for a server that is told so
    accept(() => nodeWireOf(socket));
  });
  const parts = streamHandles();
  const handle = (server as { _handle?: { onconnection?: OnConnection } })._handle;
  const original = handle?.onconnection;
  if (parts === null || handle === undefined || typeof original !== "function") return;
  handle.onconnection = function onConnection(error, connection) {
    if (error || !isStreamHandle(connection) || acceptedSockets.hasSubscribers) return original.call(this, error, connection);
    connection.setNoDelay?.(true);
    if (keepAlive) connection.setKeepAlive?.(true, 0);
    accept((inContext) => {
      if (inContext) bindContext(connection);
      return new HandleWire(connection, parts);
    });
    return undefined;
  };
}
