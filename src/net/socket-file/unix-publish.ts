/**
 * Publishes a socket: either its public name appears when everything is ready, or the call fails and nothing has changed.
 *
 * `link()` decides: it fails if the name is taken. See the header of `unix-listener.ts` for what happens then.
 *
 * This module uses absolute paths for files; `name` is the caller's path, for errors.
 */
import { linkSync, lstatSync, renameSync, type Stats } from "node:fs";
import net from "node:net";
import { codeOf, isSystemCode, type SystemError, systemError } from "../system-error.js";
import { isSameFile, type StagingDirectory } from "./staging-directory.js";
import { withStartLock } from "./start-lock.js";
import { fitsSunPath } from "./unix-path.js";

/** The public name of a server. */
export interface PublicName {
  /** The path as the caller passed it. */
  readonly name: string;
  /** The absolute path, unaffected by `process.chdir()`. */
  readonly file: string;
}

/** How often to retry a name that was taken and then became free. More than a few attempts mean that other processes compete for it. */
const PUBLISH_ATTEMPTS = 10;

/** The errors of `link()` on file systems without hard links. */
const NO_LINKS: ReadonlySet<string> = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"]);

/** Gives the socket at the hidden name its public name. Returns the file's `Stats`, which identify it later. */
export async function publish(hidden: StagingDirectory, to: PublicName, takeover: boolean): Promise<Stats> {
  const ours = lstatSync(hidden.path);
  // A takeover needs the lock, too: it must not replace the file while another process moves a stale one aside.
  if (takeover) await withStartLock(to.file, async () => takeOver(hidden, to));
  else if (!link(hidden, to.file)) await withStartLock(to.file, () => publishOverStale(hidden, to));
  hidden.remove();
  return ours;
}

/** Replaces the socket that has the name, in one step. */
function takeOver(hidden: StagingDirectory, to: PublicName): void {
  const taken = lstatOrNull(to.file);
  if (taken !== null && !taken.isSocket()) throw notASocket(to);
  renameSync(hidden.path, to.file);
}

async function publishOverStale(hidden: StagingDirectory, to: PublicName): Promise<void> {
  for (let attempt = 1; attempt <= PUBLISH_ATTEMPTS; attempt += 1) {
    const taken = lstatOrNull(to.file);
    if (taken !== null) {
      await checkStale(to, taken);
      hidden.removeIfStill(to.file, taken);
    }
    if (link(hidden, to.file)) return;
  }
  /* c8 ignore next 2 -- others have to win the race each time */
  throw addressInUse(to, `another program took the path in each of ${PUBLISH_ATTEMPTS} attempts`);
}

/** Links the hidden name to the public one. Returns false if the name is taken. */
function link(hidden: StagingDirectory, path: string): boolean {
  try {
    linkSync(hidden.path, path);
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    /* c8 ignore next 7 -- a file system without links, such as FAT, which only root can mount */
    if (!NO_LINKS.has(codeOf(error) ?? "")) throw error;
    // Without links, a file that gets the name between the check and the rename is replaced.
    if (lstatOrNull(path) !== null) return false;
    renameSync(hidden.path, path);
    return true;
  }
}

/** Throws EADDRINUSE unless the file is a socket on which no server listens, or has changed since. */
export async function checkStale(at: PublicName, taken: Stats): Promise<void> {
  if (!taken.isSocket()) throw notASocket(at);
  const failure = await probe(fitsSunPath(at.file) ? at.file : at.name);
  if (failure === null) throw addressInUse(at, "a live server listens on this path");
  const code = codeOf(failure);
  if (code === "ECONNREFUSED" || code === "ENOENT") return;
  const now = lstatOrNull(at.file);
  if (now === null || !isSameFile(now, taken)) return; // the file has changed; the next attempt checks it
  throw addressInUse(at, `the path is a socket, and the probe for a live server failed (${failure.message})`, failure);
}

/**
 * Connects and closes at once. Returns the error if connecting failed.
 *
 * Bun: a socket reports every failure as ECONNREFUSED, even if a live server's queue is full (EAGAIN) or the socket is a datagram
 * socket (EPROTOTYPE). Its `fetch()` reports the real error, or none if it connected or timed out on a loaded machine; then connecting
 * is tried again.
 */
async function probe(path: string): Promise<Error | null> {
  for (let attempt = 1; ; attempt += 1) {
    const failure = await connectOnce(path);
    if (process.versions["bun"] === undefined || codeOf(failure) !== "ECONNREFUSED") return failure;
    /* c8 ignore next 3 -- Bun */
    const reason = await refusalInBun(path);
    if (reason !== null || attempt === BUN_PROBES) return reason;
  }
  /* c8 ignore next -- V8 counts the end of a function that a loop never reaches */
}

/* c8 ignore start -- Bun */
/** How long to wait for `fetch()` to be refused. */
const BUN_FETCH_MS = 100;
/** The number of attempts: two seconds in all. */
const BUN_PROBES = 20;

async function refusalInBun(path: string): Promise<Error | null> {
  try {
    await fetch("http://localhost/", { unix: path, signal: AbortSignal.timeout(BUN_FETCH_MS) } as RequestInit);
    return null;
  } catch (error) {
    const code = codeOf(error);
    return code !== undefined && isSystemCode(code) ? systemError(code, "connect", "cannot connect", path, error) : null;
  }
}
/* c8 ignore stop */

function connectOnce(path: string): Promise<Error | null> {
  return new Promise((resolve) => {
    const socket = net.connect({ path });
    socket.once("connect", () => {
      socket.destroy();
      resolve(null);
    });
    socket.on("error", resolve);
  });
}

/** Returns the `Stats` of a path; `null` if nothing has the name. Does not follow a symbolic link. */
export function lstatOrNull(path: string): Stats | null {
  return lstatSync(path, { throwIfNoEntry: false }) ?? null;
}

function notASocket(at: PublicName): SystemError {
  return addressInUse(at, "the path is a file that is not a socket");
}

function addressInUse(at: PublicName, text: string, cause?: unknown): SystemError {
  return systemError("EADDRINUSE", "listen", `address already in use: ${text}`, at.name, cause);
}
