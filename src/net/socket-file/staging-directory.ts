/**
 * `StagingDirectory`: the hidden directory in which a server's socket is bound before it is published. It lies beside the public name, and
 * only this user can enter it. It holds the socket (`s`) and a stale socket that is moved out of the way (`stale`).
 *
 * The directory's name identifies the process (see `owner-tag.ts`). A process that is killed while starting leaves its directory
 * behind. The next start in the same parent directory sees from the name that the process is gone, and removes the directory.
 *
 * Paths are concatenated without `join()` or `resolve()`: those let `..` remove the preceding name, which is wrong after a symbolic
 * link.
 */
import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmdirSync,
  type Stats,
  unlinkSync,
} from "node:fs";
import { dirname } from "node:path";
import { codeOf, systemError } from "../system-error.js";
import { isOfDeadProcess, ownerTag } from "./owner-tag.js";
import { absolutePath, fitsSunPath } from "./unix-path.js";

const LEFTOVER = /^\.as-([0-9a-z]+-[0-9a-z]+)-[0-9a-f]{4}$/;
const MAX_NAME_ATTEMPTS = 20;

export class StagingDirectory {
  readonly #publicPath: string;
  /** The directory, relative if the public path is. */
  readonly #given: string;
  /** The directory as an absolute path, unaffected by a later `process.chdir()`. */
  readonly #directory: string;
  /** The open directory, while a path goes through its descriptor. */
  #descriptor: number | null = null;
  /** The socket's path for file system calls. */
  readonly path: string;

  /** @throws the system's error if the directory cannot be created */
  constructor(publicPath: string) {
    this.#publicPath = publicPath;
    const parent = dirname(publicPath);
    removeLeftovers(parent);
    this.#given = `${parent}/${makeDirectory(parent)}`;
    this.#directory = absolutePath(this.#given);
    this.path = `${this.#directory}/s`;
  }

  /** Returns the socket's path for `bind()`, short enough for it. Use it at once, and call `release()` when the socket is closed. */
  bindPath(): string {
    const direct = `${this.#given}/s`;
    if (fitsSunPath(direct)) return direct;
    /* c8 ignore next 4 -- macOS */
    if (process.platform !== "linux") {
      const text = `the staging path of the socket has ${Buffer.byteLength(direct)} bytes, too many for sun_path`;
      throw systemError("ENAMETOOLONG", "listen", text, this.#publicPath);
    }
    // Linux: a path through the directory's descriptor is short, however long the real path is.
    this.#descriptor = openSync(this.#directory, constants.O_RDONLY | constants.O_DIRECTORY);
    return `/proc/self/fd/${this.#descriptor}/s`;
  }

  /** Removes the socket file at `path` if it is still `stale`. A file that has replaced it in the meantime gets its name back. */
  removeIfStill(path: string, stale: Stats): void {
    const aside = `${this.#directory}/stale`;
    try {
      renameSync(path, aside);
    } catch (error) {
      if (codeOf(error) === "ENOENT") return;
      throw error;
    }
    try {
      const moved = lstatSync(aside);
      // A file system may reuse the inode of a deleted file for the next one, so the modification time is compared as well.
      if (!isSameFile(moved, stale) || moved.mtimeMs !== stale.mtimeMs) giveBack(aside, path);
    } finally {
      unlinkIfThere(aside);
    }
  }

  /** Removes the directory and its files. */
  remove(): void {
    removeDirectory(this.#directory);
  }

  /** Closes the descriptor. Call it only when the socket is closed, because Node then unlinks the path that it was bound to. */
  release(): void {
    if (this.#descriptor !== null) closeSync(this.#descriptor);
    this.#descriptor = null;
  }
}

function makeDirectory(parent: string): string {
  for (let attempt = 1; ; attempt += 1) {
    const name = `.as-${ownerTag()}-${randomBytes(2).toString("hex")}`;
    try {
      mkdirSync(`${parent}/${name}`, { mode: 0o700 });
      return name;
    } catch (error) {
      if (codeOf(error) !== "EEXIST" || attempt === MAX_NAME_ATTEMPTS) throw error;
    }
  }
  /* c8 ignore next -- V8 counts the end of a function that a loop never reaches */
}

/** Removes the directories of processes that are gone. What cannot be removed is left, since it does no harm. */
function removeLeftovers(parent: string): void {
  let names: string[];
  try {
    names = readdirSync(parent);
  } catch {
    return; // a process may be allowed to create files in a directory but not to list it
  }
  for (const name of names) {
    const tag = LEFTOVER.exec(name)?.[1];
    const directory = `${parent}/${name}`;
    const stats = tag === undefined ? undefined : lstatSync(directory, { throwIfNoEntry: false });
    // Only a real directory of this user: another user may have planted a symbolic link to make this process delete its target.
    if (tag === undefined || stats?.isDirectory() !== true || stats.uid !== (process.geteuid?.() ?? stats.uid)) continue;
    if (isOfDeadProcess(tag, stats.mtimeMs)) removeDirectory(directory);
  }
}

/** Gives a file its name back, unless another file has that name by now. */
function giveBack(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    // Any other error means that the file system has no hard links.
    if (codeOf(error) !== "EEXIST") renameSync(from, to);
  }
}

function removeDirectory(directory: string): void {
  unlinkIfThere(`${directory}/s`);
  unlinkIfThere(`${directory}/stale`);
  try {
    rmdirSync(directory);
  } catch {
    // already removed, or no permission to remove it
  }
}

/** Returns whether two `Stats` are of the same file, by device and inode. */
export function isSameFile(a: Stats, b: Stats): boolean {
  return a.dev === b.dev && a.ino === b.ino;
}

/** Removes a file, if possible. */
export function unlinkIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // already removed, or no permission to remove it
  }
}
