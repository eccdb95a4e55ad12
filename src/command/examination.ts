/**
 * `examine()`: what `doctor` finds out about the path of a Unix socket.
 *
 * Theory of operation
 *
 * `/proc/net/unix` lists sockets by the name under which they were bound. That name may be relative, or another one: a server that binds
 * under a temporary name and renames it, as this library does, or a socket that was taken over. So the listening socket is found by a
 * connection. While it exists, the server's side of it is listed under the same name as the listening socket. The names that have one more
 * entry than before are the candidates, and among them those of the process that the kernel names as the peer. A server may have closed the
 * connection before the list is read: then the socket that has the name of the path is taken, or the one of that process.
 */
import { lstatSync, realpathSync, type Stats, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { openUnixConnection, type PeerCredentials, type StreamWriter } from "../index.js";
import { codeOf } from "./failure.js";
import { loadCredentials } from "./peer.js";
import { type Holder, holdersOf, longestQueue, namedSockets, type UnixSocket } from "./unix-sockets.js";

/** How long a server may take to accept, in milliseconds. */
const PROBE_MS = 3_000;

/** Nothing has the name; it is not a socket; a server accepts; none does; its queue is full; this user may not ask. */
export type State = "missing" | "not a socket" | "live" | "stale" | "stuck" | "unknown";

export interface Examination {
  readonly path: string;
  readonly state: State;
  /** The error of the connection attempt. */
  readonly failure: unknown;
  /** Of the socket, after following a symbolic link. */
  readonly stats: Stats | null;
  readonly isLink: boolean;
  /** The directories that lead to the socket, from the root. */
  readonly directories: readonly { readonly path: string; readonly stats: Stats }[];
  readonly holders: readonly Holder[];
  /** Clients that are not accepted yet; `null` if that cannot be found out. */
  readonly waiting: number | null;
  readonly longestQueue: number | null;
  /** Accepted connections; `null` if that cannot be found out. */
  readonly connections: number | null;
  /** The kernel's record of the process that listens. */
  readonly peer: PeerCredentials | null;
}

/** Examines a path. The only change that it makes is a connection, which it closes again. */
export async function examine(given: string): Promise<Examination> {
  const path = resolve(given);
  const [entry, stats] = [statsOf(() => lstatSync(path)), statsOf(() => statSync(path))];
  const nothing = { holders: [], waiting: null, connections: null, peer: null, longestQueue: longestQueue(), failure: null };
  const base = { path, stats: stats ?? null, isLink: entry?.isSymbolicLink() === true, directories: directoriesOf(path) };
  if (stats === undefined) return { ...base, ...nothing, state: "missing" };
  if (!stats.isSocket()) return { ...base, ...nothing, state: "not a socket" };
  await loadCredentials();
  const before = namedSockets();
  let writer: StreamWriter;
  try {
    [, writer] = await openUnixConnection(path, { timeout: PROBE_MS });
  } catch (failure) {
    return { ...base, ...nothing, state: stateOf(failure), failure };
  }
  const after = namedSockets();
  const peer: PeerCredentials | null = writer.getExtraInfo("peercred");
  writer.abort();
  return { ...base, ...nothing, state: "live", peer, ...listenerOf(path, before, after, peer) };
}

/** Returns `undefined` if nothing is there, or this user may not look. */
function statsOf(look: () => Stats): Stats | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}

function directoriesOf(path: string): Examination["directories"] {
  const found: { path: string; stats: Stats }[] = [];
  for (let at = existingDirectory(path); ; at = dirname(at)) {
    const stats = statsOf(() => statSync(at));
    if (stats !== undefined) found.unshift({ path: at, stats });
    if (at === dirname(at)) return found;
  }
}

/** The directory of the socket, without symbolic links; as it is written if it does not exist. */
function existingDirectory(path: string): string {
  for (const candidate of [() => dirname(realpathSync(path)), () => realpathSync(dirname(path))]) {
    try {
      return candidate();
    } catch {
      // The next one asks less.
    }
  }
  return dirname(path);
}

function stateOf(failure: unknown): State {
  const code = codeOf(failure);
  if (code === "ECONNREFUSED") return "stale";
  // The library waits for a place in the queue until the time-out.
  return code === "EAGAIN" || (failure as Error).name === "TimeoutError" ? "stuck" : "unknown";
}

type Listener = Pick<Examination, "holders" | "waiting" | "connections">;

function listenerOf(path: string, before: readonly UnixSocket[], after: readonly UnixSocket[], peer: PeerCredentials | null): Listener {
  const counts = new Map<string, number>();
  for (const { name } of before) counts.set(name, (counts.get(name) ?? 0) - 1);
  for (const { name } of after) counts.set(name, (counts.get(name) ?? 0) + 1);
  const listening = after.filter(({ isListening }) => isListening);
  const grown = listening.filter(({ name }) => (counts.get(name) as number) > 0);
  const named = grown.length > 0 ? grown : listening.filter(({ name }) => name === path);
  const wanted = named.length > 0 ? named : listening;
  const clients = before.filter(({ name, isListening }) => !isListening && wanted.some((one) => one.name === name));
  const holders = holdersOf([...wanted, ...clients].map(({ inode }) => inode));
  const pidsOf = (inode: number): readonly number[] => (holders.get(inode) ?? []).map(({ pid }) => pid);
  // Several sockets may have one name: that of a path below /proc/self/fd, or of a socket whose file was replaced.
  const known = wanted.filter(({ inode }) => peer?.pid !== null && peer !== null && pidsOf(inode).includes(peer.pid));
  const candidates = known.length > 0 ? known : named;
  const [listener, another] = candidates;
  if (listener === undefined || another !== undefined) {
    // Which one is not certain, but which process is, if the kernel names it.
    return { holders: known.length > 0 ? (holders.get((listener as UnixSocket).inode) ?? []) : [], waiting: null, connections: null };
  }
  const pids = pidsOf(listener.inode);
  const own = clients.filter(({ name }) => name === listener.name);
  const isNameUnique = after.filter(({ name, isListening }) => isListening && name === listener.name).length === 1;
  return {
    holders: holders.get(listener.inode) ?? [],
    waiting: isNameUnique ? own.filter(({ inode }) => inode === 0).length : null,
    connections: own.filter(({ inode }) => inode !== 0 && (isNameUnique || pidsOf(inode).some((pid) => pids.includes(pid)))).length,
  };
}
