/**
 * What a file descriptor is, before it is adopted.
 *
 * Linux tells of every socket of the process's network namespace in `/proc/net`; elsewhere only Node can say, later and less clearly.
 */
import { fstatSync, readFileSync } from "node:fs";
import { invalidType, invalidValue } from "../base/arguments.js";

/** What a socket is; `null` where the system does not tell. */
export interface DescribedSocket {
  readonly family: "unix" | "tcp";
  readonly state: "listening" | "connected" | "other";
}

/**
 * Describes the socket behind a descriptor.
 *
 * @throws RangeError or the system's `EBADF` if `fd` is no open descriptor, TypeError if it is no stream socket
 * @returns `null` where the system does not tell
 */
export function describeDescriptor(fd: number): DescribedSocket | null {
  if (!Number.isSafeInteger(fd) || fd < 0) throw invalidType("sock", "a socket or a file descriptor", fd);
  const stat = fstatSync(fd);
  if (!stat.isSocket()) throw invalidValue(`sock must be a socket: file descriptor ${fd} is none`);
  if (process.platform !== "linux") return null;
  const unix = readTable("/proc/self/net/unix");
  const tables = [unix, readTable("/proc/self/net/tcp"), readTable("/proc/self/net/tcp6")];
  if (tables.some((table) => table === null)) return null;
  const inode = String(stat.ino);
  const unixEntry = unix?.find((columns) => columns[6] === inode);
  if (unixEntry !== undefined) {
    // Num RefCount Protocol Flags Type St Inode Path
    const [, , , flags = "", type, state] = unixEntry;
    if (type !== "0001") throw invalidValue(`sock must be a stream socket: file descriptor ${fd} is a Unix socket of another type`);
    if ((Number.parseInt(flags, 16) & 0x10000) !== 0) return { family: "unix", state: "listening" };
    return { family: "unix", state: state === "03" ? "connected" : "other" };
  }
  for (const table of tables.slice(1)) {
    // sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode
    const entry = table?.find((columns) => columns[9] === inode);
    if (entry === undefined) continue;
    // 01 is ESTABLISHED, 08 CLOSE_WAIT: the peer has ended, and what it sent can still be read.
    const state = entry[3];
    return { family: "tcp", state: state === "0A" ? "listening" : state === "01" || state === "08" ? "connected" : "other" };
  }
  // A TCP socket that is neither bound nor connected is in no table, nor is one of another family.
  throw invalidValue(`sock must be a connected or listening Unix or TCP socket: file descriptor ${fd} is neither`);
}

function readTable(path: string): string[][] | null {
  try {
    return readFileSync(path, "latin1")
      .split("\n")
      .slice(1)
      .map((line) => line.trim().split(/\s+/));
  } catch {
    return null;
  }
}
