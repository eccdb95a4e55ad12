/**
 * Sockets that were made elsewhere and are handed over by `sock`.
 *
 * Promises: what comes back is connected, or listening, and of the family asked for. Ownership moves with the call, once: whatever fails, also
 * later, the socket is closed by whoever called us (`discardSock`), unless it is another call's.
 */
import { closeSync } from "node:fs";
import net from "node:net";
import { TLSSocket } from "node:tls";
import { invalidType, invalidValue } from "../base/arguments.js";
import { type DescribedSocket, describeDescriptor, isSocket, socketIdentity } from "./descriptor.js";

/** The family that a call is about. */
export type Family = Exclude<DescribedSocket["family"], "unknown">;

const FAMILY_NAME: Readonly<Record<Family, string>> = { unix: "a Unix", tcp: "a TCP" };

/** What belongs to a connection or a server of ours. */
const owned = new WeakSet<object>();

/** Their descriptors, each with which socket it was then: a number is used again, for another. Where the system does not tell, there are none. */
const ownedDescriptors = new Map<number, string>();

/** Notes that it belongs to one from now on. */
export function own(sock: net.Socket | net.Server | number): void {
  if (typeof sock === "object") owned.add(sock);
  // Not documented, but Node's only way from a socket to its number.
  const fd = typeof sock === "number" ? sock : (sock as { _handle?: { fd?: unknown } | null })._handle?.fd;
  const identity = typeof fd === "number" ? socketIdentity(fd) : null;
  if (identity !== null) ownedDescriptors.set(fd as number, identity);
}

/** Takes that back for a descriptor. */
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

/** Adopts a connected socket. */
export async function adoptConnection(sock: net.Socket | number, family: Family): Promise<net.Socket> {
  if (typeof sock === "number") {
    checkNotOwned(sock);
    const described = describeDescriptor(sock);
    if (described?.family === "unknown")
      throw invalidValue(`sock must be a connected Unix or TCP socket: file descriptor ${sock} is neither`);
    checkDescribed(described, family, "connected", `file descriptor ${sock}`);
    // Bun: a socket made from a descriptor is closed at once; one "connected" to it is open at once, and says no more about that.
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
  // Node: ends our side with the peer's unless this is set; it may be changed until the peer's end has come.
  (sock as { allowHalfOpen: boolean }).allowHalfOpen = true;
  own(sock);
  return sock;
}

/** A listening server that was handed over. */
export interface AdoptedServer {
  /** A descriptor is still to be listened on. */
  readonly sock: net.Server | number;
  readonly family: Family;
  /** The name of a Unix socket, where it is known. */
  readonly name: string;
}

/** Adopts a listening server. */
export function adoptServer(sock: net.Server | number, family: Family): AdoptedServer {
  if (typeof sock === "number") {
    checkNotOwned(sock);
    const described = describeDescriptor(sock);
    // What cannot be told now is seen when it is listened on.
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

/** Node: a process whose standard streams are closed under it hangs or aborts when it ends. */
const LAST_STANDARD_STREAM = 2;

/** Closes what was handed over, if it is a socket or a server, and nobody's yet. Any other number is a slip, and may be a file of somebody else. */
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

function ignore(): void {}

function checkDescribed(described: DescribedSocket | null, family: Family, state: DescribedSocket["state"], what: string): void {
  if (described === null) return;
  checkFamily(described.family as Family, family, what);
  if (described.state !== state && described.state !== "unknown")
    throw invalidValue(`sock must be a ${state} socket: ${what} is not ${state}`);
}

function checkFamily(found: Family, wanted: Family, what: string): void {
  if (found !== wanted) throw invalidValue(`sock must be ${FAMILY_NAME[wanted]} stream socket: ${what} is ${FAMILY_NAME[found]} socket`);
}
