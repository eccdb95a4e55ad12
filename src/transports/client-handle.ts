/**
 * Connects libuv's handles directly, without the `net.Socket` that Node would make for each attempt. A socket with its two streams costs
 * more than the rest of a short connection together; see docs/performance-notes.md for the figures.
 *
 * None of this is documented. Two parts are needed, and each is observed rather than assumed. The classes of the requests come from a
 * made-up handle (`stream-handle.ts`). The classes of the handles come from the first socket of each kind, TCP and Unix, that this process
 * connects through Node's documented API (`learnHandleOf()`). Until then, if a part is missing, and if a tool observes Node's sockets,
 * `newClientHandle()` returns `null`, and the caller connects the documented way.
 */
import { channel } from "node:diagnostics_channel";
import {
  type ConnectRequest,
  type ConnectRequests,
  findConnectRequests,
  isStreamHandle,
  libuvError,
  type NodeInternals,
  nodeInternals,
  type StreamHandle,
} from "./stream-handle.js";

/** A handle that can connect. */
export interface ClientHandle extends StreamHandle {
  connect(request: ConnectRequest, address: string, port?: number): number;
  /** TCP only. */
  connect6?(request: ConnectRequest, address: string, port: number): number;
  /** The number of the handle's kind, such as a TCP connection or a TCP server. */
  getProviderType(): number;
}

/** The kind of a socket. */
export type SocketKind = "tcp" | "unix";

/** Where a handle connects to. */
export type HandleTarget =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly address: string; readonly family: 4 | 6; readonly port: number };

/** The class of a kind of handles, and the number by which a handle is known to be of that kind. */
interface HandleClass {
  readonly create: new (type: number) => ClientHandle;
  readonly providerType: number;
}

/** The argument that makes a connection; servers have another. */
const CONNECTION = 0;

/** The classes found; `null`: an instance turned out to be something else. */
const classes = new Map<SocketKind, HandleClass | null>();

let requests: ConnectRequests | undefined;

/** Tools that observe opened sockets subscribe here and expect a `net.Socket`. */
const openedSockets = channel("net.client.socket");

function isClientHandle(handle: unknown): handle is ClientHandle {
  if (!isStreamHandle(handle)) return false;
  const { connect, getProviderType } = handle as Partial<ClientHandle>;
  return typeof connect === "function" && typeof getProviderType === "function";
}

/** Notes the class of a handle that Node has created and connected. Other objects than Node's handles are ignored. */
export function learnHandleOf(kind: SocketKind, handle: unknown): void {
  if (classes.has(kind) || nodeInternals() === null || !isClientHandle(handle)) return;
  const { constructor: create } = handle as { readonly constructor: unknown };
  classes.set(kind, { create: create as HandleClass["create"], providerType: handle.getProviderType() });
}

/** A handle that is not connected, with what is needed to connect and drive it. */
export interface NewHandle {
  readonly handle: ClientHandle;
  readonly parts: NodeInternals;
  readonly request: ConnectRequest;
}

/** Creates a handle to connect; `null` if only Node's documented API can be used. */
export function newClientHandle(kind: SocketKind): NewHandle | null {
  const parts = nodeInternals();
  const found = classes.get(kind);
  if (parts === null || found === undefined || found === null || openedSockets.hasSubscribers) return null;
  requests ??= findConnectRequests();
  const Request = requests[kind];
  if (Request === null) return null;
  const handle = new found.create(CONNECTION);
  if (handle.getProviderType() === found.providerType && isClientHandle(handle)) return { handle, parts, request: new Request() };
  /* c8 ignore next 3 -- a Node version with different handles */
  classes.set(kind, null);
  return null;
}

/**
 * Begins to connect.
 *
 * @param whenDone called once, later, with `null` or the error, unless the handle is closed before
 * @returns whether it has begun. Otherwise the system refused it at once, and the handle is of no use.
 */
export function connectHandle({ handle, request }: NewHandle, target: HandleTarget, whenDone: (error: Error | null) => void): boolean {
  request.oncomplete = (status) => whenDone(status === 0 ? null : connectError(status, target));
  try {
    if (target.kind === "unix") return handle.connect(request, target.path) === 0;
    const { address, family, port } = target;
    const error = family === 4 ? handle.connect(request, address, port) : handle.connect6?.(request, address, port);
    return error === 0;
    /* c8 ignore next 3 -- Node 26 without --allow-net */
  } catch {
    return false; // Node's permission model: the documented API reports it
  }
}

/** Creates the error of a failed connect in Node's form. */
function connectError(errno: number, target: HandleTarget): Error {
  if (target.kind === "unix") return Object.assign(libuvError(errno, "connect", target.path), { address: target.path });
  const { address, port } = target;
  if (port === 0) return Object.assign(libuvError(errno, "connect", address), { address });
  return Object.assign(libuvError(errno, "connect", `${address}:${port}`), { address, port });
}
