/**
 * Making sockets that read into shared memory, where the runtime can: for connections of our own by Node's documented `onread` option, for accepted ones by a hook that Node does not
 * document. Everywhere else sockets are made in the ordinary way, and bring their data by events.
 *
 * The hook: a listening `net.Server` has a handle whose `onconnection` is called with the handle of each accepted connection, from which Node makes a `net.Socket`. Here it makes ours
 * instead. If the handle or the function is not there, or something unusual is passed, Node's own function does its work. To see it: `server._handle.onconnection`.
 */
import net from "node:net";
import { SharedReadSocket } from "../transports/shared-read-socket.js";

/** Bun and Deno: have the option, and read in their own way all the same. */
const READS_SHARED: boolean = process.versions["bun"] === undefined && process.versions["deno"] === undefined;

/** Makes a socket that is to be connected. */
export function makeSocket(): net.Socket {
  return READS_SHARED ? new SharedReadSocket({ allowHalfOpen: true }) : new net.Socket({ allowHalfOpen: true });
}

type OnConnection = (this: unknown, error: unknown, handle: unknown) => unknown;

/** Gives every connection that a listening server accepts to `accept`: through the hook if it is there, else by Node's event. */
export function acceptConnections(server: net.Server, accept: (socket: net.Socket) => void, keepAlive: boolean = false): void {
  /* c8 ignore next 4 -- Bun and Deno: on Node the hook takes every connection */
  server.on("connection", (socket) => {
    if (keepAlive) socket.setKeepAlive(true); // Deno: does not do it for a server that is told so
    accept(socket);
  });
  const handle = READS_SHARED ? (server as { _handle?: { onconnection?: OnConnection } })._handle : undefined;
  const original = handle?.onconnection;
  if (handle === undefined || typeof original !== "function") return;
  handle.onconnection = function onConnection(error, connection) {
    if (error || typeof connection !== "object" || connection === null) return original.call(this, error, connection);
    const socket = new SharedReadSocket({ handle: connection, allowHalfOpen: true } as net.SocketConstructorOpts);
    socket.setNoDelay(true);
    if (keepAlive) socket.setKeepAlive(true);
    accept(socket);
    return undefined;
  };
}
