/**
 * Describes a file descriptor before it is adopted.
 *
 * Linux lists every socket of the process's network namespace in `/proc/net`. A socket of another namespace is not listed (a service
 * with `PrivateNetwork=yes` may be passed one), and neither is an unconnected TCP socket. On other systems only Node can describe a
 * descriptor, later and in less detail.
 */
import { fstatSync, readFileSync, readlinkSync } from "node:fs";
import { invalidType, invalidValue } from "../base/arguments.js";
import { refuseWithoutDescriptors } from "../base/platform.js";
import { escaped } from "./socket-file/unix-path.js";
import { codeOf, systemError } from "./system-error.js";

/** The description of a socket. */
export interface DescribedSocket {
  readonly family: "unix" | "tcp" | "unknown";
  readonly state: "listening" | "connected" | "other" | "unknown";
  /** The name of a Unix socket; `""` if it is unnamed, or has its name from another process of this library. */
  readonly name: string;
}

/**
 * Describes the socket behind a descriptor.
 *
 * @throws RangeError or the system's `EBADF` if `fd` is not an open descriptor; TypeError if it is not a stream socket
 * @returns `null` if the system does not describe sockets
 */
export function describeDescriptor(fd: number): DescribedSocket | null {
  if (!Number.isSafeInteger(fd) || fd < 0) throw invalidType("sock", "a socket or a file descriptor", fd);
  refuseWithoutDescriptors(fd);
  /* c8 ignore next 4 -- macOS */
  if (process.platform !== "linux") {
    if (!fstatSync(fd).isSocket()) throw notASocket(fd);
    return null;
  }
  const inode = socketInode(fd);
  const unix = find(inode, UNIX_ENTRY, "unix");
  if (unix !== undefined) return describeUnix(fd, unix);
  const tcp = find(inode, INTERNET_ENTRY, "tcp", "tcp6");
  if (tcp !== undefined) return describeTcp(tcp);
  if (find(inode, INTERNET_ENTRY, "udp", "udp6") !== undefined)
    throw invalidValue(`sock must be a stream socket: file descriptor ${fd} is a UDP socket`);
  return { family: isUnixByInfo(fd) ? "unix" : "unknown", state: "unknown", name: "" };
}

/** A socket of this library has this name in the kernel, with a descriptor of the process that created it. See `directory.ts`. */
const STAGED = "/proc/self/fd/";

function describeUnix(fd: number, [, flags = "", type, state, , path = ""]: readonly string[]): DescribedSocket {
  if (type !== "0001") throw invalidValue(`sock must be a stream socket: file descriptor ${fd} is a Unix socket of another type`);
  // The kernel shows the NUL of an abstract name as "@".
  const name = path.startsWith(STAGED) ? "" : escaped(Buffer.from(path, "latin1")).replace(/^@/, "\0");
  if ((Number.parseInt(flags, 16) & LISTENS) !== 0) return { family: "unix", state: "listening", name };
  return { family: "unix", state: state === "03" ? "connected" : "other", name };
}

/** The flag of a listening Unix socket. Linux: `__SO_ACCEPTCON`. */
const LISTENS = 0x10000;

function describeTcp([, , , state]: readonly string[]): DescribedSocket {
  // 01 is ESTABLISHED. 08 is CLOSE_WAIT: the peer has ended its side, and its data can still be read.
  const connected = state === "01" || state === "08";
  return { family: "tcp", state: state === "0A" ? "listening" : connected ? "connected" : "other", name: "" };
}

/** Returns whether a socket is a Unix socket. Linux prints the line for descriptors in transit only for Unix sockets. */
function isUnixByInfo(fd: number): boolean {
  try {
    return readFileSync(`/proc/self/fdinfo/${fd}`, "latin1").includes("scm_fds:");
    /* c8 ignore next 3 -- a /proc without fdinfo */
  } catch {
    return false;
  }
}

function notASocket(fd: number): TypeError {
  return invalidValue(`sock must be a socket: file descriptor ${fd} is not a socket`);
}

/** Returns the identity of a descriptor's socket; `null` if it is not a socket, or the system reports no identity. */
export function socketIdentity(fd: number): string | null {
  try {
    return socketInode(fd);
  } catch {
    return null;
  }
}

/** Returns whether a number is the descriptor of a socket. */
export function isSocket(fd: number): boolean {
  try {
    /* c8 ignore next -- macOS */
    if (process.platform !== "linux") return fstatSync(fd).isSocket();
    return socketInode(fd) !== "";
  } catch {
    return false;
  }
}

/**
 * Returns the inode of a descriptor's socket.
 *
 * Deno: `fstat()` cannot be used, because it takes Deno's own descriptors.
 */
function socketInode(fd: number): string {
  let link: string;
  try {
    link = readlinkSync(`/proc/self/fd/${fd}`);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
    throw systemError("EBADF", "fstat", "bad file descriptor", `file descriptor ${fd}`, error);
  }
  const inode = /^socket:\[(\d+)\]$/.exec(link)?.[1];
  if (inode === undefined) throw notASocket(fd);
  return inode;
}

/** Columns: Num RefCount Protocol Flags Type St Inode Path. The path may contain spaces, also at its ends. */
const UNIX_ENTRY = /^(\S+: \S+ \S+) (\S+) (\S+) (\S+) +(\d+)(?: (.*))?$/s;

/** The column of the inode in all tables. */
const INODE = 4;

/** Columns: sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode, and more. */
const INTERNET_ENTRY = /^ *(\S+) (\S+) (\S+) (\S+) \S+ \S+ \S+ +\d+ +\d+ (\d+) /;

/** Returns the columns of a socket's entry in one of the kernel's tables. */
function find(inode: string, entry: RegExp, ...tables: readonly string[]): readonly string[] | undefined {
  for (const table of tables) {
    for (const line of readTable(table)) {
      const columns = entry.exec(line)?.slice(1);
      if (columns?.[INODE] === inode) return columns;
    }
  }
  return undefined;
}

/** Returns the lines of a table of `/proc/self/net`; empty if it does not exist. */
function readTable(name: string): readonly string[] {
  try {
    return readFileSync(`/proc/self/net/${name}`, "latin1").split("\n");
    /* c8 ignore next 3 -- a kernel without that protocol */
  } catch {
    return [];
  }
}
