/**
 * Connects a socket to one address: `beginConnecting()`. A libuv handle is connected directly if the caller can use a wire and the runtime
 * has such handles (`client-handle.ts`), otherwise a `net.Socket`.
 */
import type net from "node:net";
import { ignore } from "../base/errors.js";
import { connectHandle, type HandleTarget, learnHandleOf, newClientHandle } from "../transports/client-handle.js";
import { HandleWire } from "../transports/handle-wire.js";
import type { BoundSocket } from "./adopt.js";
import { makeSocket } from "./wire-factory.js";

/** One address, and how to connect to it. */
export interface Endpoint {
  readonly to: HandleTarget;
  /** The local address to connect from. */
  readonly local?: { readonly address: string; readonly port: number } | undefined;
  /** The socket to connect from. */
  readonly bound?: BoundSocket | undefined;
  /** Whether a wire will do. A handshake needs a `net.Socket`. */
  readonly wireWillDo: boolean;
}

/** A connected socket, or the wire of one. */
export type Opened = net.Socket | HandleWire;

/**
 * Begins to connect.
 *
 * @param whenDone called once, later, unless the attempt is given up before
 * @returns gives up: closes the socket
 */
export function beginConnecting(endpoint: Endpoint, whenDone: (result: Opened | Error) => void): () => void {
  const { wireWillDo, local, bound } = endpoint;
  const direct = wireWillDo && local === undefined && bound === undefined ? beginDirectly(endpoint.to, whenDone) : null;
  return direct ?? beginWithSocket(endpoint, whenDone);
}

/** Begins to connect a handle; `null` if that is not possible, or fails at once: Node's own code then reports the error. */
function beginDirectly(to: HandleTarget, whenDone: (result: Opened | Error) => void): (() => void) | null {
  const made = newClientHandle(to.kind);
  if (made === null) return null;
  const { handle, parts } = made;
  let isOver = false;
  const close = (): void => {
    isOver = true;
    handle.close(ignore);
  };
  const hasBegun = connectHandle(made, to, (error) => {
    if (isOver) return; // given up
    if (error === null) {
      isOver = true;
      handle.setNoDelay?.(true);
      whenDone(new HandleWire(handle, parts));
    } else {
      close();
      whenDone(error);
    }
  });
  if (hasBegun) return close;
  close();
  return null;
}

function beginWithSocket({ to, local, bound }: Endpoint, whenDone: (result: Opened | Error) => void): () => void {
  const socket = makeSocket(bound);
  // Until the transport adds its listener, an 'error' event without a listener would crash the process.
  socket.on("error", ignore).once("error", whenDone);
  socket.once("connect", () => {
    socket.off("error", whenDone);
    if (to.kind === "tcp") socket.setNoDelay(true);
    if (bound === undefined) learnHandleOf(to.kind, (socket as { _handle?: unknown })._handle);
    whenDone(socket);
  });
  socket.connect(to.kind === "unix" ? { path: to.path } : { host: to.address, port: to.port, family: to.family, ...localOptions(local) });
  return () => {
    socket.destroy();
  };
}

function localOptions(local: Endpoint["local"]): { readonly localAddress?: string; readonly localPort?: number } {
  return local === undefined ? {} : { localAddress: local.address, localPort: local.port };
}
