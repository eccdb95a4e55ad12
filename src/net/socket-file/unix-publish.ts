/**
 * Publishes a socket: either its public name appears when everything is ready, or the call fails and nothing has changed.
 *
 * `link()` decides: it fails if the name is taken. See the header of `unix-listener.ts` for what happens then.
 *
 * A symbolic link that has the name is treated as asyncio does: it is replaced, like a stale socket, if it leads to a stale socket. Its
 * target is left alone. One that leads to nothing, or to a file that is not a socket, is not replaced.
 */
import { linkSync, lstatSync, renameSync, type Stats, statSync } from "node:fs";
import { codeOf, type SystemError, systemError } from "../system-error.js";
import { type Directory, type FileName, isSameFile } from "./directory.js";
import { probe } from "./probe.js";
import type { StagingDirectory } from "./staging-directory.js";
import { withStartLock } from "./start-lock.js";

/** The public name of a server. */
export interface PublicName {
  /** The path as the caller passed it. */
  readonly name: string;
  readonly directory: Directory;
  /** The name in the directory. */
  readonly base: FileName;
  /** The path of the file for `node:fs`, unaffected by `process.chdir()`. */
  readonly file: FileName;
}

/** How often to retry a name that was taken and then became free. More than a few attempts mean that other processes compete for it. */
const PUBLISH_ATTEMPTS = 10;

/** The errors of `link()` on file systems without hard links. */
const NO_LINKS: ReadonlySet<string> = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"]);

/** Gives the socket at the hidden name its public name. Returns the file's `Stats`, which identify it later. */
export async function publish(hidden: StagingDirectory, to: PublicName, takeover: boolean): Promise<Stats> {
  const ours = lstatSync(hidden.path);
  // A takeover needs the lock, too: it must not replace the file while another process moves a stale one aside.
  if (takeover) await withStartLock(to.directory, to.base, async () => takeOver(hidden, to));
  else if (!link(hidden, to.file)) await withStartLock(to.directory, to.base, () => publishOverStale(hidden, to));
  hidden.remove();
  return ours;
}

/** Replaces the socket that has the name, in one step. */
function takeOver(hidden: StagingDirectory, to: PublicName): void {
  const taken = lstatOrNull(to.file);
  if (taken !== null) checkSocket(to, taken);
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
function link(hidden: StagingDirectory, path: FileName): boolean {
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

/** Throws EADDRINUSE unless the file is a socket on which no server listens, or a link to one, or has changed since. */
export async function checkStale(at: PublicName, taken: Stats): Promise<void> {
  checkSocket(at, taken);
  const failure = await probe(at.file).catch((error: unknown) => error as Error);
  if (failure === null) throw addressInUse(at, "a live server listens on this path");
  const code = codeOf(failure);
  if (code === "ECONNREFUSED" || code === "ENOENT") return;
  const now = lstatOrNull(at.file);
  if (now === null || !isSameFile(now, taken)) return; // the file has changed; the next attempt checks it
  throw addressInUse(at, `the path is a socket, and the probe for a live server failed (${code}: cannot connect)`, failure);
}

/** Throws EADDRINUSE unless the file is a socket, or a symbolic link that leads to one. */
function checkSocket(at: PublicName, taken: Stats): void {
  if (taken.isSocket()) return;
  if (!taken.isSymbolicLink()) throw addressInUse(at, "the path is a file that is not a socket");
  try {
    if (statSync(at.file).isSocket()) return;
  } catch {
    // It leads to nothing, or to itself, or where this process may not look.
  }
  throw addressInUse(at, "the path is a symbolic link that does not lead to a socket");
}

/** Returns the `Stats` of a path; `null` if nothing has the name. Does not follow a symbolic link. */
export function lstatOrNull(path: FileName): Stats | null {
  return lstatSync(path, { throwIfNoEntry: false }) ?? null;
}

function addressInUse(at: PublicName, text: string, cause?: unknown): SystemError {
  return systemError("EADDRINUSE", "listen", `address already in use: ${text}`, at.name, cause);
}
