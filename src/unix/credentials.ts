/**
 * `getPeerCredentials()`: the kernel's record of the process at the other end of a Unix socket.
 *
 * Linux: `SO_PEERCRED`, `SO_PEERGROUPS` (since 4.13) and `SO_PEERSEC`. The kernel takes the record when a client calls `connect()`, and for
 * the other side when the server calls `listen()`. On a TCP socket the call succeeds, with a user ID of -1.
 */
import { invalidType, invalidValue } from "../base/arguments.js";
import { InvalidStateError } from "../base/errors.js";
import type { ExtraInfoSource, PeerCredentials } from "../contracts/extra-info.js";
import { ConnectedSocket } from "../transports/socket-info.js";
import { errnoError } from "./errors.js";
import { stableMemory } from "./libc.js";
import { type System, systemFor } from "./system.js";

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const SO_PEERSEC = 31;
const SO_PEERGROUPS = 59;

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
  for (let bytes = FIRST_BYTES; ; bytes = system.needed) {
    const value = stableMemory(bytes);
    const length = system.getsockopt(fd, SOL_SOCKET, name, value);
    if (length >= 0) return new DataView(value.buffer, 0, length);
    if (length !== TOO_SHORT || system.needed <= bytes) return null;
  }
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
  /* c8 ignore next 2 -- a kernel with a security module that labels processes */
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
  if (typeof (connection as ExtraInfoSource | null | undefined)?.getExtraInfo !== "function")
    throw invalidType("connection", "a StreamWriter or a Transport", connection);
  const socket = connection.getExtraInfo("socket");
  if (!(socket instanceof ConnectedSocket) || socket.family !== "unix")
    throw invalidValue("cannot get the credentials of the peer: the connection is not over a Unix socket");
  if (socket.peercred !== null) return socket.peercred;
  const { fd } = socket;
  if (fd < 0) throw new InvalidStateError("cannot get the credentials of the peer: the connection is closed, or its descriptor is unknown");
  const credentials = readPeerCredentials(system, fd);
  if (credentials === null) throw errnoError(NO_DATA, "getsockopt", "SO_PEERCRED");
  return credentials;
}

/** -ENODATA */
const NO_DATA = -61;
