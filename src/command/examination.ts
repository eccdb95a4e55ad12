/**
 * `examine()`: what `doctor` finds out about the path of a Unix socket.
 *
 * Theory of operation
 *
 * `/proc/net/unix` lists sockets by the name under which they were bound. That name may be relative, or another one: a server that binds
 * under a temporary name and renames it, as this library does, or a socket that was taken over. So the listening socket is found by a
 * connection. While it exists, the server's side of it is listed under the same name as the listening socket: the names that have one more
 * entry than before are the candidates. If the kernel names the process of the peer, only its sockets are. A server may have closed the
 * connection before the list is read: then any listening socket of that process is a candidate, or the one that has the name of the path.
 * What is not certain is not reported.
 */
import { lstatSync, realpathSync, type Stats, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { openUnixConnection, type PeerCredentials, type StreamWriter } from "../index.js";
import { codeOf } from "./failure.js";
import { loadCredentials } from "./peer.js";
import { isReset } from "./taken-path.js";
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
    return { ...base, ...nothing, state: stateOf(path, failure), failure };
  }
  const after = namedSockets();
  const peer: PeerCredentials | null = writer.getExtraInfo("peercred");
  writer.close();
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

function stateOf(path: string, failure: unknown): State {
  const code = codeOf(failure);
  // Bun: a full queue and a datagram socket are refused, too. And it fails to connect to a server that accepts and closes at once.
  if (code === "ECONNREFUSED") return process.versions["bun"] !== undefined && isBound(path) ? "unknown" : "stale";
  if (isReset(failure)) return "live";
  // The library waits for a place in the queue until the time-out.
  return code === "EAGAIN" || (failure as Error).name === "TimeoutError" ? "stuck" : "unknown";
}

/* c8 ignore next 3 -- Bun */
function isBound(path: string): boolean {
  return namedSockets().some(({ name }) => name === path);
}

type Listener = Pick<Examination, "holders" | "waiting" | "connections">;

function listenerOf(path: string, before: readonly UnixSocket[], after: readonly UnixSocket[], peer: PeerCredentials | null): Listener {
  const counts = new Map<string, number>();
  for (const { name } of before) counts.set(name, (counts.get(name) ?? 0) - 1);
  for (const { name } of after) counts.set(name, (counts.get(name) ?? 0) + 1);
  const hasGrown = ({ name }: UnixSocket): boolean => (counts.get(name) as number) > 0;
  const holders = holdersOf([...before, ...after].map(({ inode }) => inode));
  const isHeldBy = ({ inode }: UnixSocket, pid: number): boolean => holders.get(inode)?.some((holder) => holder.pid === pid) === true;

  const listening = after.filter(({ isListening }) => isListening);
  const { pid } = peer ?? { pid: null };
  const ofPeer = pid === null ? [] : listening.filter((socket) => isHeldBy(socket, pid));
  const known = ofPeer.length > 0 ? ofPeer : listening;
  const grown = known.filter(hasGrown);
  const candidates = grown.length > 0 ? grown : ofPeer.length > 0 ? ofPeer : known.filter(({ name }) => name === path);
  const [listener, another] = candidates;
  if (listener === undefined) return UNKNOWN_LISTENER;
  const found = holders.get(listener.inode) ?? [];
  // Which socket is not certain, but the process is, if it is that of the peer.
  if (another !== undefined) return { ...UNKNOWN_LISTENER, holders: ofPeer.length > 0 ? found : [] };

  // Several sockets may have one name: that of a path below /proc/self/fd, or of a socket whose file was replaced.
  const isUnique = listening.filter(({ name }) => name === listener.name).length === 1;
  const clients = before.filter(({ name, isListening }) => name === listener.name && !isListening);
  const accepted = clients.filter((socket) => socket.inode !== 0 && (isUnique || found.some((holder) => isHeldBy(socket, holder.pid))));
  const waiting = isUnique ? clients.filter(({ inode }) => inode === 0).length : null;
  return { holders: found, waiting, connections: accepted.length };
}

const UNKNOWN_LISTENER: Listener = { holders: [], waiting: null, connections: null };
