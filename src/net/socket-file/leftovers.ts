/**
 * Removes the staging directories of processes that were killed while starting a server.
 *
 * The name of a staging directory identifies the process that made it, unless that process is in another PID namespace, as with two
 * containers that share a directory of sockets. In either case, the socket in the directory is probed first, and nothing is removed if a
 * server answers.
 */
import { lstatSync, readdirSync } from "node:fs";
import { wallClockMs } from "../../base/scheduling.js";
import { codeOf } from "../system-error.js";
import { type Directory, isOwnUid } from "./directory.js";
import { stateOfOwner } from "./owner-tag.js";
import { probe } from "./probe.js";
import { emptyStaging, rmdirIfEmpty } from "./staging-directory.js";

const LEFTOVER = /^\.as-([0-9a-z]+-[0-9a-z]+)-[0-9a-f]{4}$/;

/**
 * The age from which a directory counts as left behind if its process cannot be checked and no server listens in it, well above the
 * duration of any start.
 */
const UNKNOWN_AGE_MS = 60_000;

/** Removes what killed processes have left. What cannot be removed is left, since it does no harm. */
export async function removeLeftovers(parent: Directory): Promise<void> {
  // Without a descriptor, another user could put a link in the way of the removal.
  if (!parent.isPinned && parent.protectedPath() === null) return;
  for (const name of namesIn(parent)) {
    const tag = LEFTOVER.exec(name)?.[1];
    if (tag !== undefined) await removeIfLeft(parent, name, tag);
  }
}

function namesIn(directory: Directory): readonly string[] {
  try {
    return readdirSync(directory.path, "utf8");
    /* c8 ignore next 3 -- root, which runs the tests, may list everything */
  } catch {
    return []; // a process may be allowed to create files in a directory but not to list it
  }
}

async function removeIfLeft(parent: Directory, name: string, tag: string): Promise<void> {
  let directory: Directory | null;
  try {
    directory = parent.openChild(name);
    /* c8 ignore next 3 -- another start has to remove it between two steps */
  } catch {
    return; // already removed
  }
  if (directory === null) return; // a link, which another user may have planted to make this process delete its target
  try {
    if (isOwnUid(directory.stats.uid) && (await isLeft(directory, tag))) {
      emptyStaging(directory);
      rmdirIfEmpty(parent.at(name));
    }
  } finally {
    directory.close();
  }
}

async function isLeft(directory: Directory, tag: string): Promise<boolean> {
  const owner = stateOfOwner(tag);
  if (owner === "alive" || (owner === "unknown" && wallClockMs() - directory.stats.mtimeMs < UNKNOWN_AGE_MS)) return false;
  const code = await probeIn(directory);
  // Others than these say nothing about a server. EACCES is common: the umask may have left the socket without any permission.
  return code === "ECONNREFUSED" || code === "ENOENT" || (owner === "dead" && code === "EACCES");
}

/** Returns how a connection to the socket in a staging directory fails; `undefined` if a server listens. */
async function probeIn(directory: Directory): Promise<string | undefined> {
  const path = directory.at("s");
  try {
    return lstatSync(path).isSocket() ? codeOf(await probe(path)) : "ENOENT";
  } catch (error) {
    return codeOf(error);
  }
}
