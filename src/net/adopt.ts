/**
 * Adopts sockets that were made elsewhere and are passed as `sock`.
 *
 * An adopted socket is connected or listening, and of the requested family. Ownership moves with the call, and only once: on any
 * failure, the socket is closed (`takingSock()`), unless it belongs to another call.
 */
import { closeSync, readSync, writeSync } from "node:fs";
import net from "node:net";
import { invalidType, invalidValue } from "../base/arguments.js";
import { asError, ignore } from "../base/errors.js";
import { nextTick } from "../base/scheduling.js";
import { nodeTls } from "../transports/lazy-modules.js";
import { type DescribedSocket, describeDescriptor, isSocket, socketIdentity } from "./descriptor.js";
import { OwnedDescriptor } from "./owned-descriptor.js";
import { codeOf } from "./system-error.js";

/** The address family of a call. */
export type Family = Exclude<DescribedSocket["family"], "unknown">;

const FAMILY_NAME: Readonly<Record<Family, string>> = { unix: "a Unix", tcp: "a TCP" };

/** Whatever can be passed as `sock`. */
type Sock = net.Socket | net.Server | BoundSocket | OwnedDescriptor | number;

/** The sockets and servers that already belong to a connection or a server of this library. */
const owned = new WeakSet<object>();

/**
 * Owned descriptors, each with the identity of its socket, because a closed descriptor's number is reused. Empty if the system does not
 * report identities.
 */
const ownedDescriptors = new Map<number, string>();

/** Marks a socket, server or descriptor as owned. */
export function own(sock: Sock): void {
  if (typeof sock === "object") owned.add(sock);
  const fd = descriptorOf(sock);
  const identity = fd === undefined ? null : socketIdentity(fd);
  if (identity !== null) ownedDescriptors.set(fd as number, identity);
}

/** Removes the mark of a socket or a descriptor as owned. */
export function disown(sock: Sock | undefined): void {
  if (typeof sock === "object") owned.delete(sock);
  else if (sock !== undefined) ownedDescriptors.delete(sock);
}

/** Returns the descriptor of a `sock`, if it has one. */
export function descriptorOf(sock: Sock): number | undefined {
  if (typeof sock === "number") return sock;
  /* c8 ignore next -- its number is marked, once it is adopted */
  if (sock instanceof OwnedDescriptor) return undefined;
  /* c8 ignore next -- Node 26 */
  if (isBoundSocket(sock)) return sock.fd();
  // Undocumented, but the only way in Node from a socket to its descriptor.
  const { _handle: handle } = sock as { _handle?: AdoptedHandle | null };
  return typeof handle?.fd === "number" ? handle.fd : undefined;
}

function isOwned(sock: Sock): boolean {
  if (typeof sock === "object") return owned.has(sock);
  const identity = ownedDescriptors.get(sock);
  return identity !== undefined && identity === socketIdentity(sock);
}

function checkNotOwned(sock: Sock): void {
  if (isOwned(sock)) throw invalidValue("sock cannot be given twice: it belongs to an earlier call");
}

/** A socket that is bound and neither listens nor is connected. Node: `net.BoundSocket`, since version 26. */
export interface BoundSocket {
  /** Returns the address of a Unix socket (a path), or an object with the IP address and the port. */
  address(): string | object;
  /** Returns the descriptor. */
  fd(): number;
  /** Closes the socket. */
  close(): void;
}

const BoundSocketClass = (net as unknown as { readonly BoundSocket?: abstract new () => BoundSocket }).BoundSocket;

/** Returns whether a value is a `net.BoundSocket`. */
export function isBoundSocket(sock: unknown): sock is BoundSocket {
  return BoundSocketClass !== undefined && sock instanceof BoundSocketClass;
}

/* The family of a socket is read from its handle, not from its addresses: a reset socket has none, and neither has an unnamed one. */

/** The undocumented members by which the families of handles are distinguished. */
interface AdoptedHandle {
  readonly fd?: unknown;
  /** Node and Deno: TCP only. */
  getpeername?: unknown;
  /** Node and Deno: pipes and Unix sockets only. */
  fchmod?: unknown;
  /** Bun: a connection over TCP, and a server over TCP. */
  readonly localFamily?: unknown;
  readonly hostname?: unknown;
}

/** Returns the family of a socket or server; `null` if it is neither, such as a terminal or a pipe between processes. */
export function familyOf(sock: net.Socket | net.Server): Family | null {
  const { _handle: handle } = sock as { _handle?: AdoptedHandle | null };
  /* c8 ignore next 2 -- Bun: removes the handle of a Unix socket whose peer has closed */
  if (handle === undefined || handle === null)
    return sock instanceof net.Socket && sock.remoteAddress === undefined && sock.localAddress === undefined ? "unix" : "tcp";
  if (typeof handle.getpeername === "function" || typeof handle.localFamily === "string" || typeof handle.hostname === "string")
    return "tcp";
  // node:cluster: the handle of a worker's server is an object that stands for the handle in the first process. The server knows its
  // address.
  if (sock instanceof net.Server && Object.getPrototypeOf(handle) === Object.prototype)
    return typeof sock.address() === "string" ? "unix" : "tcp";
  if (typeof handle.fd !== "number" || !isSocket(handle.fd)) return null;
  if (typeof handle.fchmod === "function") return "unix";
  /* c8 ignore next 2 -- Bun: a handle on a descriptor does not show the family */
  const family = process.versions["bun"] === undefined ? "unknown" : (describeDescriptor(handle.fd)?.family ?? "unknown");
  return family === "unknown" ? null : family;
}

/**
 * Whether a socket was created with `onread`. Its data goes to that callback, and never to a 'data' listener. Undocumented: Node and Deno
 * call the option's memory `kBuffer`, Bun calls it `kOnreadBuffer`.
 */
function hasOnread(sock: net.Socket): boolean {
  return Object.getOwnPropertySymbols(sock).some(
    (key) => /^(kBuffer|kOnreadBuffer)$/.test(key.description ?? "") && Boolean(Reflect.get(sock, key)),
  );
}

/**
 * Adopts a connected socket.
 *
 * @param family `null` for either
 */
export function adoptConnection(sock: unknown, family: Family | null): net.Socket {
  if (typeof sock === "number") return adoptConnectedDescriptor(sock, family);
  if (sock instanceof OwnedDescriptor) {
    const socket = adoptConnectedDescriptor(sock.fd, family);
    sock.detach();
    return socket;
  }
  if (isBoundSocket(sock)) throw invalidValue("sock must be a connected socket: a BoundSocket needs an address to connect to");
  if (!(sock instanceof net.Socket)) throw invalidType("sock", "a connected net.Socket or its file descriptor", sock);
  checkNotOwned(sock);
  if (sock instanceof nodeTls().TLSSocket) throw invalidValue("sock must be a plain socket, not a TLSSocket: to use TLS, pass ssl");
  if (typeof sock.readableEncoding === "string") throw invalidValue("sock must deliver bytes: setEncoding() was called on this socket");
  if (hasOnread(sock)) throw invalidValue("sock must not have the option onread: its callback would receive the data");
  if (sock.destroyed) throw invalidValue("sock must be a connected socket: it is closed");
  if (sock.connecting || sock.pending || sock.readyState === "closed")
    throw invalidValue("sock must be a connected socket: it is not connected");
  if (sock.readyState !== "open" && sock.readyState !== "writeOnly")
    throw invalidValue(`sock must be a connected socket: it is ${sock.readyState}`);
  checkFamily(familyOf(sock), family, "the socket");
  checkWasConnected(sock, "it");
  // Node: ends the writing side at the peer's EOF unless this is set. It can be changed until that EOF has arrived.
  (sock as { allowHalfOpen: boolean }).allowHalfOpen = true;
  own(sock);
  return sock;
}

function adoptConnectedDescriptor(fd: number, family: Family | null): net.Socket {
  checkNotOwned(fd);
  const what = `file descriptor ${fd}`;
  const described = describeDescriptor(fd);
  if (described?.family === "unknown" && isBunOrDeno)
    throw invalidValue(`sock must be a connected Unix or TCP socket: the system does not list ${what} as one`);
  checkDescribed(described, family, "connected", what);
  const socket = socketOn(fd, true);
  try {
    // Not listed by the system: a socket of another network namespace, or one that was reset or never connected.
    if (described?.family === "unknown") {
      checkFamily(familyOf(socket), family, what);
      checkWasConnected(socket, what);
    }
  } catch (error) {
    socket.on("error", ignore).destroy();
    throw error;
  }
  own(fd);
  return socket;
}

/**
 * Refuses a socket on a descriptor that was never connected. Of such a socket, Node says that it is open.
 *
 * A TCP socket that was reset has no peer either. A read distinguishes the two, and never blocks, because neither can receive any more.
 * What it takes is given back. A Unix socket is distinguished by a write of zero bytes, which sends nothing.
 *
 * Bun, Deno: connect a socket to a descriptor only if the system lists it as connected (see `adoptConnectedDescriptor()`).
 */
function checkWasConnected(sock: net.Socket, what: string): void {
  const fd = descriptorOf(sock);
  if (isBunOrDeno || fd === undefined || fd < 0 || sock.remoteAddress !== undefined || sock.bytesRead > 0) return;
  const byte = Buffer.alloc(1);
  const isUnix = familyOf(sock) === "unix";
  try {
    if (isUnix) writeSync(fd, byte, 0, 0);
    else if (readSync(fd, byte, 0, 1, null) > 0) sock.unshift(byte);
  } catch (error) {
    if (codeOf(error) === "ENOTCONN") throw invalidValue(`sock must be a connected socket: ${what} is not connected`);
    // The system reports the reset only once. Not at once: Node forgets the local address when it destroys the socket.
    if (!isUnix && codeOf(error) !== "EAGAIN") nextTick(() => sock.on("error", ignore).destroy(asError(error, "read threw")));
  }
}

const isBunOrDeno: boolean = process.versions["bun"] !== undefined || process.versions["deno"] !== undefined;

/** Creates a socket on a descriptor. Node: reads from it at once, unless it is not readable. */
function socketOn(fd: number, readable: boolean): net.Socket {
  // Bun: a socket constructed from a descriptor is closed at once. A socket that "connects" to the descriptor is open at once, without a
  // 'connect' event.
  if (process.versions["bun"] !== undefined) return net.connect({ fd, allowHalfOpen: true } as unknown as net.NetConnectOpts);
  try {
    return new net.Socket({ fd, readable, writable: true, allowHalfOpen: true });
  } catch (error) {
    if (codeOf(error) === "EEXIST") throw inUse(fd, error);
    if (codeOf(error) !== "ERR_INVALID_FD_TYPE") throw error;
    throw invalidValue(`sock must be a stream socket: file descriptor ${fd} is a socket of another type`);
  }
}

/** The error for a descriptor that a socket or server of this process uses. libuv reports it as EEXIST. */
export function inUse(fd: number | undefined, cause: unknown): TypeError {
  const text = `sock must not be in use: file descriptor ${String(fd)} belongs to another socket or server of this process`;
  return Object.assign(invalidValue(text), { cause });
}

/** An adopted server: a listening one, or a socket that is bound and does not listen yet. */
export interface AdoptedServer {
  /** A `net.Server` listens already. A `net.Socket` is the bound socket of a descriptor. */
  readonly sock: net.Server | net.Socket | BoundSocket | number;
  readonly family: Family;
  /** The name of a Unix socket; `null` if it is not known. */
  readonly name: string | null;
}

/** Adopts a listening server, or a bound socket that can become one. */
export function adoptServer(sock: net.Server | BoundSocket | OwnedDescriptor | number, family: Family): AdoptedServer {
  if (typeof sock === "number") return adoptServerDescriptor(sock, family);
  if (sock instanceof OwnedDescriptor) {
    const adopted = adoptServerDescriptor(sock.fd, family);
    sock.detach();
    return adopted;
  }
  if (isBoundSocket(sock)) return adoptBound(sock, family);
  if (!(sock instanceof net.Server)) throw invalidType("sock", "a listening net.Server or its file descriptor", sock);
  checkNotOwned(sock);
  if (!sock.listening) throw invalidValue("sock must be a listening server: it is not listening");
  if (sock.listenerCount("connection") > 0) {
    throw invalidValue("sock must not have a 'connection' listener: its connections go to this call's callback");
  }
  checkFamily(familyOf(sock), family, "the server");
  return { sock, family, name: family === "unix" ? nameOf(sock) : null };
}

function adoptServerDescriptor(fd: number, family: Family): AdoptedServer {
  checkNotOwned(fd);
  const described = describeDescriptor(fd);
  // CPython: listens on a socket that is only bound.
  const expected = described?.state === "other" ? "other" : "listening";
  checkDescribed(described, family, expected, `file descriptor ${fd}`);
  if (described?.family === "unix" && described.state === "other" && described.name === "")
    throw invalidValue(`sock must be a listening or a bound socket: file descriptor ${fd} is neither`);
  // The system does not list TCP sockets that are only bound, and UDP sockets that are not. Node distinguishes them when it opens them.
  if (described === null || described.family === "unix" || isBunOrDeno) {
    return { sock: fd, family, name: family === "unix" ? (described?.name ?? null) : null };
  }
  const socket = socketOn(fd, false);
  try {
    checkFamily(familyOf(socket), family, `file descriptor ${fd}`);
  } catch (error) {
    socket.on("error", ignore).destroy();
    throw error;
  }
  return { sock: socket, family, name: null };
}

/* c8 ignore start -- Node 26 */
/** Adopts a `BoundSocket`, to listen on it or to connect from it. It belongs to the caller only once it is used or marked. */
export function adoptBound(sock: BoundSocket, family: Family): AdoptedServer & { readonly sock: BoundSocket } {
  checkNotOwned(sock);
  const name = boundName(sock);
  checkFamily(name === null ? "tcp" : "unix", family, "the BoundSocket");
  return { sock, family, name };
}

/** Returns the path of a `BoundSocket`; `null` for TCP. */
function boundName(sock: BoundSocket): string | null {
  try {
    const address = sock.address();
    return typeof address === "string" ? address : null;
  } catch {
    throw invalidValue("sock must be a bound socket: it is closed, or belongs to another call");
  }
}
/* c8 ignore stop */

/** Returns the name of a Unix server; `null` if neither the runtime nor the system knows it. */
function nameOf(server: net.Server): string | null {
  const address = server.address();
  if (typeof address === "string") return address;
  // Node: does not know the name of a server that another process has bound.
  const fd = (server as { _handle?: AdoptedHandle | null })._handle?.fd;
  return typeof fd === "number" ? (describeDescriptor(fd)?.name ?? null) : null;
}

/**
 * Runs a call that is given a `sock`, and closes it if the call fails.
 *
 * @param call must call its argument when the socket belongs to another owner, which closes it from then on
 */
export function takingSock<T>(sock: unknown, call: (handOver: () => void) => Promise<T>): Promise<T> {
  return sock === undefined ? call(ignore) : closingSock(sock, call);
}

async function closingSock<T>(sock: unknown, call: (handOver: () => void) => Promise<T>): Promise<T> {
  // A descriptor's number may be in use again when the call has failed.
  const identity = typeof sock === "number" ? socketIdentity(sock) : null;
  let isOurs = true;
  try {
    return await call(() => {
      isOurs = false;
    });
  } catch (error) {
    if (isOurs && (typeof sock !== "number" || socketIdentity(sock) === identity)) discardSock(sock);
    throw error;
  }
}

/** Node: a process whose standard streams have been closed hangs or aborts at exit. */
const LAST_STANDARD_STREAM = 2;

/**
 * Closes a `sock` argument if it is a socket or a server without an owner. A number that is not a socket's descriptor is a caller's
 * mistake and may be an unrelated open file.
 */
export function discardSock(sock: unknown): void {
  if (sock instanceof OwnedDescriptor) sock.close();
  else if (sock instanceof net.Socket) {
    if (!isOwned(sock)) sock.on("error", ignore).destroy();
  } else if (sock instanceof net.Server) {
    if (sock.listening && !isOwned(sock)) sock.close(ignore);
    /* c8 ignore next 2 -- Node 26 */
  } else if (isBoundSocket(sock)) {
    if (!isOwned(sock)) closeBound(sock);
  } else if (typeof sock === "number" && sock > LAST_STANDARD_STREAM && isSocket(sock) && !isOwned(sock)) {
    closeDescriptor(sock);
  }
}

/* c8 ignore start -- Node 26 */
/** Closes a `BoundSocket` that was not used. */
function closeBound(sock: BoundSocket): void {
  try {
    sock.close();
  } catch {
    // It is closed, or has become part of another socket.
  }
}
/* c8 ignore stop */

/**
 * Closes the descriptor of a socket, unless another socket or server of this process uses it, which closes it itself.
 *
 * Bun: does not report that. Deno: only a socket can close a socket.
 */
function closeDescriptor(fd: number): void {
  let byNumber = process.versions["bun"] !== undefined;
  try {
    if (!byNumber) new net.Socket({ fd, readable: false, writable: false }).on("error", ignore).destroy();
  } catch (error) {
    byNumber = codeOf(error) === "ERR_INVALID_FD_TYPE" && process.versions["deno"] === undefined;
  }
  if (byNumber) closeSync(fd);
}

function checkDescribed(described: DescribedSocket | null, family: Family | null, state: DescribedSocket["state"], what: string): void {
  if (described === null) return;
  if (described.family !== "unknown") checkFamily(described.family, family, what);
  if (described.state !== state && described.state !== "unknown")
    throw invalidValue(`sock must be a ${state} socket: ${what} is not ${state}`);
}

function checkFamily(found: Family | null, wanted: Family | null, what: string): void {
  if (wanted === null ? found !== null : found === wanted) return;
  const kind = found === null ? "neither a Unix nor a TCP" : FAMILY_NAME[found];
  throw invalidValue(`sock must be ${wanted === null ? "a Unix or a TCP" : FAMILY_NAME[wanted]} stream socket: ${what} is ${kind} socket`);
}
