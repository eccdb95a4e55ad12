/**
 * The hidden name under which a server's socket is bound before it is published: a directory beside the public name that only we may enter, with room for the
 * socket (`s`) and for a stale one that is moved out of the way (`stale`).
 *
 * Its name tells our process (see `process-mark.ts`). A process that is killed while it starts leaves such a directory behind; the next start in the same
 * directory finds it by that, sees that the process is gone, and removes it.
 *
 * Paths are put together by hand and not by `join()` or `resolve()`: those take `..` for the name before it, which is wrong behind a symbolic link.
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
import { isOfDeadProcess, processMark } from "./process-mark.js";
import { codeOf, systemError } from "./system-error.js";
import { absolutePath, fitsSunPath } from "./unix-path.js";

const LEFTOVER = /^\.as-([0-9a-z]+-[0-9a-z]+)-[0-9a-f]{4}$/;
const MAX_NAME_ATTEMPTS = 20;

export class HiddenName {
  readonly #publicPath: string;
  /** As the public path has it, relative or not. */
  readonly #given: string;
  /** Absolute, so that a later `process.chdir()` changes nothing. */
  readonly #directory: string;
  /** Kept open while a path leads through it. */
  #descriptor: number | null = null;
  /** Where the socket is, for the file system. */
  readonly path: string;

  /** @throws the system's error if the directory cannot be made */
  constructor(publicPath: string) {
    this.#publicPath = publicPath;
    const parent = dirname(publicPath);
    removeLeftovers(parent);
    this.#given = `${parent}/${makeDirectory(parent)}`;
    this.#directory = absolutePath(this.#given);
    this.path = `${this.#directory}/s`;
  }

  /** Where the socket is, for `bind()`: not longer than that allows. To be used at once, and `release()`d when the socket is closed. */
  bindPath(): string {
    const direct = `${this.#given}/s`;
    if (fitsSunPath(direct)) return direct;
    /* c8 ignore next 4 -- macOS */
    if (process.platform !== "linux") {
      const text = `the staging path of the socket has ${Buffer.byteLength(direct)} bytes, too many for sun_path`;
      throw systemError("ENAMETOOLONG", "listen", text, this.#publicPath);
    }
    // Linux: a path of any length is made short by a descriptor of its directory.
    this.#descriptor = openSync(this.#directory, constants.O_RDONLY | constants.O_DIRECTORY);
    return `/proc/self/fd/${this.#descriptor}/s`;
  }

  /** Removes the socket file at `path` if it is still `stale`. If another has taken its place meanwhile, that one gets its name back. */
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
      // A file system may give the inode of a file that is gone to the next, so the time at which it was made counts, too.
      if (!isSameFile(moved, stale) || moved.mtimeMs !== stale.mtimeMs) giveBack(aside, path);
    } finally {
      unlinkIfThere(aside);
    }
  }

  /** Removes everything. */
  remove(): void {
    removeDirectory(this.#directory);
  }

  /** Lets go of the descriptor, when the socket that was bound through it is closed: Node unlinks the path it was bound to. */
  release(): void {
    if (this.#descriptor !== null) closeSync(this.#descriptor);
    this.#descriptor = null;
  }
}

function makeDirectory(parent: string): string {
  for (let attempt = 1; ; attempt += 1) {
    const name = `.as-${processMark()}-${randomBytes(2).toString("hex")}`;
    try {
      mkdirSync(`${parent}/${name}`, { mode: 0o700 });
      return name;
    } catch (error) {
      if (codeOf(error) !== "EEXIST" || attempt === MAX_NAME_ATTEMPTS) throw error;
    }
  }
  /* c8 ignore next -- V8 counts the end of a function that a loop never reaches */
}

/** Removes what processes that are gone have left. Whatever stands in the way of that is left alone: it harms nobody. */
function removeLeftovers(parent: string): void {
  let names: string[];
  try {
    names = readdirSync(parent);
  } catch {
    return; // one may be allowed to make files in a directory, and not to list it
  }
  for (const name of names) {
    const mark = LEFTOVER.exec(name)?.[1];
    const directory = `${parent}/${name}`;
    const stats = mark === undefined ? undefined : lstatSync(directory, { throwIfNoEntry: false });
    // Only a directory of our own: somebody else may have put a link there, to have us remove what it leads to.
    if (mark === undefined || stats?.isDirectory() !== true || stats.uid !== (process.geteuid?.() ?? stats.uid)) continue;
    if (isOfDeadProcess(mark, stats.mtimeMs)) removeDirectory(directory);
  }
}

/** Gives a file its name back, unless another has it by now. */
function giveBack(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    // Otherwise there are no links here.
    if (codeOf(error) !== "EEXIST") renameSync(from, to);
  }
}

function removeDirectory(directory: string): void {
  unlinkIfThere(`${directory}/s`);
  unlinkIfThere(`${directory}/stale`);
  try {
    rmdirSync(directory);
  } catch {
    // gone already, or not ours to remove
  }
}

/** Whether two looks at a file saw the same one. */
export function isSameFile(a: Stats, b: Stats): boolean {
  return a.dev === b.dev && a.ino === b.ino;
}

/** Removes a file, if that is possible. */
export function unlinkIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // gone already, or not ours to remove
  }
}
