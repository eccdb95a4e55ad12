/**
 * What a file descriptor is, before it is adopted.
 *
 * Linux tells of every socket of the process's network namespace in `/proc/net`. A socket of another one (a service with `PrivateNetwork=yes` is passed such)
 * is not found there, nor is a TCP socket that has no connection or no more. Elsewhere than on Linux only Node can say, later and less clearly.
 */
import { fstatSync, readFileSync, readlinkSync } from "node:fs";
import { invalidType, invalidValue } from "../base/arguments.js";
import { codeOf, systemError } from "./system-error.js";

/** What a socket is; `null` where the system does not tell. */
export interface DescribedSocket {
  readonly family: "unix" | "tcp" | "unknown";
  readonly state: "listening" | "connected" | "other" | "unknown";
  /** The name of a Unix socket, `""` if it has none. */
  readonly name: string;
}

/**
 * Describes the socket behind a descriptor.
 *
 * @throws RangeError or the system's `EBADF` if `fd` is no open descriptor, TypeError if it is no stream socket
 * @returns `null` where the system does not tell
 */
export function describeDescriptor(fd: number): DescribedSocket | null {
  if (!Number.isSafeInteger(fd) || fd < 0) throw invalidType("sock", "a socket or a file descriptor", fd);
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

function describeUnix(fd: number, [, flags = "", type, state, , path = ""]: readonly string[]): DescribedSocket {
  if (type !== "0001") throw invalidValue(`sock must be a stream socket: file descriptor ${fd} is a Unix socket of another type`);
  // An abstract name is shown with "@" for its NUL.
  const name = Buffer.from(path, "latin1").toString().replace(/^@/, "\0");
  if ((Number.parseInt(flags, 16) & LISTENS) !== 0) return { family: "unix", state: "listening", name };
  return { family: "unix", state: state === "03" ? "connected" : "other", name };
}

/** Among the flags of a Unix socket. Linux: `__SO_ACCEPTCON`. */
const LISTENS = 0x10000;

function describeTcp([, , , state]: readonly string[]): DescribedSocket {
  // 01 is ESTABLISHED, 08 CLOSE_WAIT: the peer has ended, and what it sent can still be read.
  const connected = state === "01" || state === "08";
  return { family: "tcp", state: state === "0A" ? "listening" : connected ? "connected" : "other", name: "" };
}

/** Linux has a line for descriptors on their way through a Unix socket, and only there. */
function isUnixByInfo(fd: number): boolean {
  try {
    return readFileSync(`/proc/self/fdinfo/${fd}`, "latin1").includes("scm_fds:");
    /* c8 ignore next 3 -- a /proc that does not tell of descriptors */
  } catch {
    return false;
  }
}

function notASocket(fd: number): TypeError {
  return invalidValue(`sock must be a socket: file descriptor ${fd} is not a socket`);
}

/** Which socket a descriptor is, to be known again; `null`: it is none, or the system does not tell. */
export function socketIdentity(fd: number): string | null {
  try {
    return socketInode(fd);
  } catch {
    return null;
  }
}

/** Whether a number is the descriptor of a socket. */
export function isSocket(fd: number): boolean {
  try {
    /* c8 ignore next -- macOS */
    if (process.platform !== "linux") return fstatSync(fd).isSocket();
    return socketInode(fd) !== "";
  } catch {
    return false;
  }
}

/** Not by `fstat()`: Deno has descriptors of its own for that. */
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

/** Num RefCount Protocol Flags Type St Inode Path; the path may have spaces, also at its ends. */
const UNIX_ENTRY = /^(\S+: \S+ \S+) (\S+) (\S+) (\S+) +(\d+)(?: (.*))?$/s;

/** The column of the inode, in all tables. */
const INODE = 4;

/** sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode, and more. */
const INTERNET_ENTRY = /^ *(\S+) (\S+) (\S+) (\S+) \S+ \S+ \S+ +\d+ +\d+ (\d+) /;

/** The columns of a socket's entry in one of the system's tables. */
function find(inode: string, entry: RegExp, ...tables: readonly string[]): readonly string[] | undefined {
  for (const table of tables) {
    for (const line of readTable(table)) {
      const columns = entry.exec(line)?.slice(1);
      if (columns?.[INODE] === inode) return columns;
    }
  }
  return undefined;
}

/** None where the system does not tell. */
function readTable(name: string): readonly string[] {
  try {
    return readFileSync(`/proc/self/net/${name}`, "latin1").split("\n");
    /* c8 ignore next 3 -- a kernel without that protocol */
  } catch {
    return [];
  }
}
