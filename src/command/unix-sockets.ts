/** What Linux says about Unix sockets and the processes that hold them: `/proc/net/unix` and `/proc/PID/fd`. */
import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";

/** A line of `/proc/net/unix`. */
export interface UnixSocket {
  readonly isListening: boolean;
  /** 0 for a connection that is not accepted yet. */
  readonly inode: number;
  /** The name under which the socket was bound, which need not be its name today. */
  readonly name: string;
}

/** A process that has a socket open. */
export interface Holder {
  readonly pid: number;
  /** Its command line. */
  readonly command: string;
  readonly uid: number;
}

/** SO_ACCEPTCON in the column "Flags". */
const LISTENING = 0x10000;

/** Returns the sockets that have a name; none where there is no such file. */
export function namedSockets(): UnixSocket[] {
  const text = textOf("/proc/net/unix") ?? "";
  return text.split("\n").flatMap((line) => {
    const [, flags, inode, name] = /^\w+: \w+ \w+ (\w+) \w+ \w+ +(\d+) (.+)$/.exec(line) ?? [];
    if (name === undefined) return [];
    return [{ isListening: (Number.parseInt(flags as string, 16) & LISTENING) !== 0, inode: Number(inode), name }];
  });
}

/**
 * Returns the other processes that have each of these sockets open, as far as this user may see them. Deno: this process may have
 * inherited them.
 */
export function holdersOf(inodes: readonly number[]): ReadonlyMap<number, readonly Holder[]> {
  const holders = new Map<number, Holder[]>(inodes.map((inode) => [inode, []]));
  for (const pid of namesIn("/proc").filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)) {
    for (const inode of new Set(namesIn(`/proc/${pid}/fd`).map((fd) => inodeOf(`/proc/${pid}/fd/${fd}`))))
      holders.get(inode)?.push({ pid: Number(pid), command: commandOf(pid), uid: userOf(pid) });
  }
  return holders;
}

/** The effective user; -1 if the process has ended meanwhile. */
function userOf(pid: string): number {
  return statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid ?? -1;
}

function commandOf(pid: string): string {
  const words = (textOf(`/proc/${pid}/cmdline`) ?? "").split("\0").join(" ").trim();
  return words === "" ? (textOf(`/proc/${pid}/comm`) ?? "").trim() : words;
}

/** Returns the longest queue of clients that the system allows; `null` if it does not say. */
export function longestQueue(): number | null {
  const text = textOf("/proc/sys/net/core/somaxconn");
  return text === null ? null : Number(text);
}

/** Returns the name of a user or a group; its number if it has none. */
export function accountName(file: "passwd" | "group", id: number): string {
  const line = (textOf(`/etc/${file}`) ?? "").split("\n").find((one) => one.split(":")[2] === `${id}`);
  return line?.split(":")[0] ?? `${id}`;
}

function textOf(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
    /* c8 ignore next 3 -- another system than Linux, or a process that has ended meanwhile */
  } catch {
    return null;
  }
}

function namesIn(path: string): string[] {
  try {
    return readdirSync(path);
    /* c8 ignore next 3 -- not as root, unless a process ends at this moment */
  } catch {
    return []; // a process of another user, or one that has ended
  }
}

/** Returns the inode of the socket that a descriptor refers to; -1 if it refers to something else. */
function inodeOf(path: string): number {
  try {
    return Number(/^socket:\[(\d+)\]$/.exec(readlinkSync(path))?.[1] ?? -1);
  } catch {
    return -1; // closed meanwhile
  }
}
