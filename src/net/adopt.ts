/**
 * Adopts sockets that were made elsewhere and are passed as `sock`.
 *
 * An adopted socket is connected or listening, and of the requested family. Ownership moves with the call, and only once: on any
 * failure, now or later, the caller of this module closes the socket (`discardSock`), unless it belongs to another call.
 */
import { closeSync } from "node:fs";
import net from "node:net";
import { TLSSocket } from "node:tls";
import { invalidType, invalidValue } from "../base/arguments.js";
import { ignore } from "../base/errors.js";
import { type DescribedSocket, describeDescriptor, isSocket, socketIdentity } from "./descriptor.js";

/** The address family of a call. */
export type Family = Exclude<DescribedSocket["family"], "unknown">;

const FAMILY_NAME: Readonly<Record<Family, string>> = { unix: "a Unix", tcp: "a TCP" };

/** The sockets and servers that already belong to a connection or a server of this library. */
const owned = new WeakSet<object>();

/**
 * Owned descriptors, each with the identity of its socket, because a closed descriptor's number is reused. Empty if the system does not
 * report identities.
 */
const ownedDescriptors = new Map<number, string>();

/** Marks a socket, server or descriptor as owned. */
export function own(sock: net.Socket | net.Server | number): void {
  if (typeof sock === "object") owned.add(sock);
  // Undocumented, but the only way in Node from a socket to its descriptor.
  const fd = typeof sock === "number" ? sock : (sock as { _handle?: { fd?: unknown } | null })._handle?.fd;
  const identity = typeof fd === "number" ? socketIdentity(fd) : null;
  if (identity !== null) ownedDescriptors.set(fd as number, identity);
}

/** Removes a descriptor's mark as owned. */
export function disown(fd: number | undefined): void {
  if (fd !== undefined) ownedDescriptors.delete(fd);
}

function isOwned(sock: net.Socket | net.Server | number): boolean {
  if (typeof sock === "object") return owned.has(sock);
  const identity = ownedDescriptors.get(sock);
  return identity !== undefined && identity === socketIdentity(sock);
}

function checkNotOwned(sock: net.Socket | net.Server | number): void {
  if (isOwned(sock)) throw invalidValue("sock cannot be given twice: it belongs to an earlier call");
}

/** Adopts a connected socket; `family`: `null` for either. */
export async function adoptConnection(sock: net.Socket | number, family: Family | null): Promise<net.Socket> {
  if (typeof sock === "number") {
    checkNotOwned(sock);
    const described = describeDescriptor(sock);
    if (described?.family === "unknown")
      throw invalidValue(`sock must be a connected Unix or TCP socket: file descriptor ${sock} is neither`);
    checkDescribed(described, family, "connected", `file descriptor ${sock}`);
    // Bun: a socket constructed from a descriptor is closed at once. A socket that "connects" to the descriptor is open at once,
    // without a 'connect' event.
    const socket =
      process.versions["bun"] === undefined
        ? new net.Socket({ fd: sock, readable: true, writable: true, allowHalfOpen: true })
        : net.connect({ fd: sock, allowHalfOpen: true } as unknown as net.NetConnectOpts);
    own(sock);
    return socket;
  }
  if (!(sock instanceof net.Socket)) throw invalidType("sock", "a connected net.Socket or its file descriptor", sock);
  checkNotOwned(sock);
  if (sock instanceof TLSSocket) throw invalidValue("sock must be a plain socket, not a TLSSocket: to use TLS, pass ssl");
  if (typeof sock.readableEncoding === "string") throw invalidValue("sock must deliver bytes: setEncoding() was called on this socket");
  if (sock.destroyed) throw invalidValue("sock must be a connected socket: it is closed");
  if (sock.connecting || sock.pending || sock.readyState === "closed")
    throw invalidValue("sock must be a connected socket: it is not connected");
  if (sock.readyState !== "open" && sock.readyState !== "writeOnly")
    throw invalidValue(`sock must be a connected socket: it is ${sock.readyState}`);
  checkFamily(sock.remoteAddress === undefined ? "unix" : "tcp", family, "the socket");
  // Node: ends the writing side at the peer's EOF unless this is set. It can be changed until that EOF has arrived.
  (sock as { allowHalfOpen: boolean }).allowHalfOpen = true;
  own(sock);
  return sock;
}

/** An adopted listening server. */
export interface AdoptedServer {
  /** A descriptor still needs `listen()`. */
  readonly sock: net.Server | number;
  readonly family: Family;
  /** The name of a Unix socket, if known. */
  readonly name: string;
}

/** Adopts a listening server. */
export function adoptServer(sock: net.Server | number, family: Family): AdoptedServer {
  if (typeof sock === "number") {
    checkNotOwned(sock);
    const described = describeDescriptor(sock);
    // An unknown family is checked after `listen()`.
    if (described?.family !== "unknown") checkDescribed(described, family, "listening", `file descriptor ${sock}`);
    return { sock, family, name: described?.name ?? "" };
  }
  if (!(sock instanceof net.Server)) throw invalidType("sock", "a listening net.Server or its file descriptor", sock);
  checkNotOwned(sock);
  if (!sock.listening) throw invalidValue("sock must be a listening server: it is not listening");
  if (sock.listenerCount("connection") > 0) {
    throw invalidValue("sock must not have a 'connection' listener: its connections go to this call's callback");
  }
  const address = sock.address();
  checkFamily(typeof address === "string" ? "unix" : "tcp", family, "the server");
  return { sock, family, name: typeof address === "string" ? address : "" };
}

/** Node: a process whose standard streams have been closed hangs or aborts at exit. */
const LAST_STANDARD_STREAM = 2;

/**
 * Closes a `sock` argument if it is a socket or a server without an owner. A number that is not a socket's descriptor is a caller's
 * mistake and may be an unrelated open file.
 */
export function discardSock(sock: unknown): void {
  if (sock instanceof net.Socket) {
    if (!isOwned(sock)) sock.on("error", ignore).destroy();
  } else if (sock instanceof net.Server) {
    if (sock.listening && !isOwned(sock)) sock.close(ignore);
  } else if (typeof sock === "number" && sock > LAST_STANDARD_STREAM && isSocket(sock) && !isOwned(sock)) {
    /* c8 ignore next -- Deno */
    if (process.versions["deno"] !== undefined) closeInDeno(sock);
    else closeSync(sock);
  }
}

/* c8 ignore start -- Deno: only a socket closes a socket */
function closeInDeno(fd: number): void {
  try {
    new net.Socket({ fd }).on("error", ignore).destroy();
  } catch {
    // it was not open
  }
}
/* c8 ignore stop */

function checkDescribed(described: DescribedSocket | null, family: Family | null, state: DescribedSocket["state"], what: string): void {
  if (described === null) return;
  checkFamily(described.family as Family, family, what);
  if (described.state !== state && described.state !== "unknown")
    throw invalidValue(`sock must be a ${state} socket: ${what} is not ${state}`);
}

function checkFamily(found: Family, wanted: Family | null, what: string): void {
  if (wanted !== null && found !== wanted)
    throw invalidValue(`sock must be ${FAMILY_NAME[wanted]} stream socket: ${what} is ${FAMILY_NAME[found]} socket`);
}
