/**
 * Makes wires (`transports/wire.ts`): from libuv's handles if they are available, otherwise through Node's documented API.
 *
 * Accepted connections. The handle of a listening `net.Server` has a function `onconnection`, which is called with the handle of each
 * accepted connection and makes a `net.Socket` of it. This module replaces it with one that makes a `HandleWire`. If the handle or the
 * function is missing, or an argument is unusual, Node's own function runs. To see it: `server._handle.onconnection`.
 *
 * Opened connections. A handle is connected directly if possible (`client-handle.ts`), otherwise by a `net.Socket`. `OpenedSocket` marks
 * the sockets that were created here. No other code has a reference to them, so the handle can be taken out of one (`socket._handle`) once
 * it is connected.
 */
import { channel } from "node:diagnostics_channel";
import net from "node:net";
import { HandleWire } from "../transports/handle-wire.js";
import { NodeWire } from "../transports/node-wire.js";
import { isStreamHandle, nodeInternals } from "../transports/stream-handle.js";
import type { Wire } from "../transports/wire.js";

/** A socket with its undocumented property. */
interface SocketWithHandle {
  _handle?: unknown;
}

class OpenedSocket extends net.Socket {}

/**
 * Creates a socket to be connected.
 *
 * @param bound a `net.BoundSocket` to connect from, which belongs to the socket from now on
 */
export function makeSocket(bound?: object): net.Socket {
  return new OpenedSocket({ allowHalfOpen: true, ...(bound === undefined ? {} : { handle: bound }) });
}

/** Makes the wire of a connected socket. Its events run in the current `AsyncLocalStorage` context. */
export function wireOf(socket: net.Socket): Wire {
  if (!(socket instanceof OpenedSocket)) return nodeWireOf(socket);
  const parts = !socket.destroyed && socket.readableLength === 0 ? nodeInternals() : null;
  const { _handle: handle } = socket as SocketWithHandle;
  if (parts === null || !isStreamHandle(handle)) return new NodeWire(socket);
  (socket as SocketWithHandle)._handle = null; // the socket is an empty shell from now on
  handle.readStop();
  return new HandleWire(handle, parts);
}

/**
 * Binds the current context to a handle. The handle of an accepted connection has no context.
 *
 * Node: its `http.Agent` does the same for reused sockets. The method is undocumented; without it, the runtime decides about the
 * context.
 */
function bindContext(handle: unknown): void {
  const bound = handle as { asyncReset?: (resource: object) => void } | null | undefined;
  if (typeof bound?.asyncReset === "function") bound.asyncReset(bound);
}

/** Makes the wire of a socket that was created elsewhere. Its events run in the current `AsyncLocalStorage` context. */
export function nodeWireOf(socket: net.Socket): NodeWire {
  bindContext((socket as SocketWithHandle)._handle);
  return new NodeWire(socket);
}

/**
 * Makes the wire of an accepted connection.
 *
 * @param inContext whether its events run in the current `AsyncLocalStorage` context; `false` if there is no context to bind
 */
export type MakeWire = (inContext: boolean) => Wire;

/** Receives an accepted connection. */
export type WireHandler = (makeWire: MakeWire) => void;

type OnConnection = (this: unknown, error: unknown, handle: unknown) => unknown;

/** Tools that observe accepted sockets subscribe here and expect a `net.Socket`. */
const acceptedSockets = channel("net.server.socket");

/**
 * Passes every connection that a listening server accepts to `accept`: through the hook if it is available, otherwise through Node's
 * event.
 */
export function acceptConnections(server: net.Server, accept: WireHandler, keepAlive: boolean = false): void {
  /* c8 ignore next 4 -- Bun and Deno: on Node the hook takes nearly every connection */
  server.on("connection", (socket) => {
    if (keepAlive) socket.setKeepAlive(true); // Deno: ignores the server's `keepAlive` option
    accept(() => nodeWireOf(socket));
  });
  const parts = nodeInternals();
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
