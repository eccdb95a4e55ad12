/**
 * `getPeerCredentials()`: the kernel's record of the process at the other end of a Unix socket.
 *
 * Linux: `SO_PEERCRED`, `SO_PEERGROUPS` (since 4.13) and `SO_PEERSEC`. The kernel takes the record when a client calls `connect()`, and for
 * the other side when the server calls `listen()`. On a TCP socket the call succeeds, with a user ID of -1.
 */
import type { ExtraInfoSource, PeerCredentials } from "../contracts/extra-info.js";
import { Descriptor } from "./descriptor.js";
import { errnoError } from "./errors.js";
import { stableMemory } from "./libc.js";
import { descriptorOf, socketOf } from "./sockets.js";
import { type System, systemFor } from "./system.js";

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const SO_PEERSEC = 31;
const SO_PEERGROUPS = 59;
const SO_PEERPIDFD = 77;

/** -ERANGE: the value is longer. */
const TOO_SHORT = -34;

/** `struct ucred`: pid, uid and gid. */
const UCRED_BYTES = 12;

/** The user ID of a socket that has no peer. */
const NO_ID = 2 ** 32 - 1;

/** Room for 64 groups and for usual labels; more is asked for if it does not suffice. */
const FIRST_BYTES = 256;

/** Reads an option whose length varies. Returns `null` if the kernel does not have it. */
function readOption(system: System, fd: number, name: number): DataView | null {
  let bytes = FIRST_BYTES;
  let value = stableMemory(bytes);
  let length = system.getsockopt(fd, SOL_SOCKET, name, value);
  while (length === TOO_SHORT && system.needed > bytes) {
    bytes = system.needed;
    value = stableMemory(bytes);
    length = system.getsockopt(fd, SOL_SOCKET, name, value);
  }
  return length < 0 ? null : new DataView(value.buffer, 0, length);
}

/**
 * Reads the credentials of the peer of a Unix socket.
 *
 * @param fd the descriptor of a Unix socket
 * @returns `null` if the kernel does not have them
 */
export function readPeerCredentials(system: System, fd: number): PeerCredentials | null {
  const value = stableMemory(UCRED_BYTES);
  if (system.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, value) !== UCRED_BYTES) return null;
  const ucred = new DataView(value.buffer);
  const pid = ucred.getInt32(0, true);
  const uid = ucred.getUint32(4, true);
  const gid = ucred.getUint32(8, true);
  if (uid === NO_ID) return null;
  return { pid: pid === 0 ? null : pid, uid, gid, groups: readGroups(system, fd), label: readLabel(system, fd) };
}

function readGroups(system: System, fd: number): readonly number[] | null {
  const value = readOption(system, fd, SO_PEERGROUPS);
  if (value === null) return null;
  return Array.from({ length: value.byteLength / 4 }, (_, index) => value.getUint32(4 * index, true));
}

function readLabel(system: System, fd: number): string | null {
  const value = readOption(system, fd, SO_PEERSEC);
  if (value === null) return null;
  /* c8 ignore next 3 -- a kernel with a security module that labels processes */
  const text = Buffer.from(value.buffer, 0, value.byteLength).toString("utf8");
  return text.replace(/\0+$/, "");
}

/**
 * Returns the kernel's record of the process at the other end of a Unix socket: for a server the process that has connected, for a client
 * the one that listens. Python reads `SO_PEERCRED` itself.
 *
 * The record is of the time at which the peer called `connect()` or `listen()`. A process that has passed the socket on, or has changed its
 * user since, is still shown as it was. Process IDs are used again, so do not decide by `pid`.
 *
 * @param connection a writer or a transport over a Unix socket, plain or with TLS
 * @throws TypeError if it is not over a Unix socket; InvalidStateError if `loadUnix()` was not called, or the connection was closed before
 *   its credentials could be read; the system's error if the kernel does not have them
 *
 * @example
 * ```ts
 * const { uid, groups } = getPeerCredentials(writer);
 * if (uid !== 0 && !groups?.includes(4)) writer.close();
 * ```
 */
export function getPeerCredentials(connection: ExtraInfoSource): PeerCredentials {
  const system = systemFor("getPeerCredentials");
  const what = "get the credentials of the peer";
  const socket = socketOf(connection, what, "Unix socket");
  if (socket.peercred !== null) return socket.peercred;
  const credentials = readPeerCredentials(system, descriptorOf(socket, what));
  if (credentials === null) throw errnoError(NO_DATA, "getsockopt", "SO_PEERCRED");
  return credentials;
}

/** -ENODATA */
const NO_DATA = -61;

/**
 * Opens a descriptor of the process at the other end of a Unix socket (a pidfd). It refers to this process only, also after the process has
 * ended and its number is used again. Needs Linux 6.5.
 *
 * `/proc/self/fdinfo/N` of the descriptor has the line `Pid:` with the process ID, or -1 once the process has ended and was waited for.
 *
 * @param connection a writer or a transport over a Unix socket
 * @returns the descriptor, which the caller has to close
 * @throws TypeError if the connection is not over a Unix socket; InvalidStateError if `loadUnix()` was not called, or the connection is
 *   closed; the system's error: `ENOPROTOOPT` before Linux 6.5, `EINVAL` or `ESRCH` if the process has ended
 *
 * @example
 * ```ts
 * using process = openPeerPidfd(writer);
 * const info = readFileSync(`/proc/self/fdinfo/${process.fd}`, "utf8");
 * const isAlive = !/^Pid:\s*-1$/m.test(info);
 * ```
 */
export function openPeerPidfd(connection: ExtraInfoSource): Descriptor {
  const system = systemFor("openPeerPidfd");
  const what = "open a pidfd of the peer";
  const fd = descriptorOf(socketOf(connection, what, "Unix socket"), what);
  const value = stableMemory(4);
  const length = system.getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, value);
  if (length < 0) throw errnoError(length, "getsockopt", "SO_PEERPIDFD");
  return new Descriptor(new DataView(value.buffer).getInt32(0, true));
}
