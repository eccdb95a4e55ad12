/**
 * `Directory`: a directory in which files are made, renamed and removed, also if other users may write to it or to the directories above.
 *
 * The directory is opened once, and names in it go through the descriptor: `/proc/self/fd/N/name`. Such a path leads into the open
 * directory even if the directory is renamed, or its path is replaced by a symbolic link, between two steps.
 *
 * Systems without `/proc`, and runtimes that may not use it, have only the path. There, `protectedPath()` checks whether it can be
 * trusted.
 */
import { isUtf8 } from "node:buffer";
import { closeSync, constants, fstatSync, lstatSync, openSync, realpathSync, type Stats, statSync } from "node:fs";
import { dirname, isAbsolute } from "node:path";
import { ownCopy } from "../../base/memory.js";
import { codeOf } from "../system-error.js";

/** A path or a name for `node:fs`: text, or bytes that are not UTF-8. */
export type FileName = string | Buffer;

/**
 * Linux's `O_PATH`, which `node:fs` has no constant for. Opens a file for use in paths, and needs no permission on the file itself: the
 * mode of the directory may be 0o000, or 0o300.
 */
const O_PATH = 0x200000;

export class Directory {
  readonly #descriptor: number | null;
  #isOpen = true;
  /** The path as the caller gave it, relative or absolute. */
  readonly given: FileName;
  /** The path of the directory for `node:fs`, unaffected by a later `process.chdir()`. */
  readonly path: FileName;
  /** The directory as it was when it was opened. */
  readonly stats: Stats;

  private constructor(given: FileName, descriptor: number | null) {
    this.given = given;
    this.#descriptor = descriptor;
    if (descriptor === null) {
      this.path = typeof given === "string" ? absolutePath(given) : given;
      this.stats = statSync(given);
    } else {
      this.path = `/proc/self/fd/${descriptor}`;
      this.stats = fstatSync(descriptor);
    }
  }

  /**
   * Opens a directory. Follows symbolic links in its path, which the caller chose.
   *
   * @param pinned whether to use a descriptor; default: if the system and the runtime allow it
   * @throws the system's error
   */
  static open(path: FileName, pinned: boolean = hasDescriptorPaths()): Directory {
    return new Directory(path, pinned ? openSync(path, O_PATH | constants.O_DIRECTORY) : null);
  }

  /** Opens a directory in this one; `null` if it is a symbolic link or another file. */
  openChild(name: string): Directory | null {
    const path = this.at(name);
    if (!this.isPinned) return lstatSync(path).isDirectory() ? new Directory(path, null) : null;
    try {
      return new Directory(path, openSync(path, O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW));
    } catch (error) {
      if (codeOf(error) === "ENOTDIR") return null;
      throw error;
    }
  }

  /** Whether names go through the descriptor, so that no symbolic link can redirect them. */
  get isPinned(): boolean {
    return this.#descriptor !== null;
  }

  /** Returns the path of a name in the directory, for `node:fs`. */
  at(name: FileName): FileName {
    return joined(this.path, name);
  }

  /**
   * Returns the directory's real path if no other user can change where it leads: the directory and all above it belong to this user or
   * to root, and others may not write to them, or have no right to rename what is not theirs (the sticky bit). Otherwise `null`.
   */
  protectedPath(): string | null {
    try {
      const real = realpathSync(this.given);
      if (!isSameFile(statSync(real), this.stats)) return null;
      for (let path = real; isProtected(lstatSync(path)); path = dirname(path)) if (path === dirname(path)) return real;
    } catch {
      // A directory that cannot be inspected may belong to any user.
    }
    return null;
  }

  close(): void {
    if (this.#descriptor !== null && this.#isOpen) closeSync(this.#descriptor);
    this.#isOpen = false;
  }
}

function isProtected({ uid, mode }: Stats): boolean {
  return (uid === 0 || uid === ownUid()) && ((mode & 0o022) === 0 || (mode & 0o1000) !== 0);
}

/** Returns whether a user id is this process's; true if the process's own id is unknown. */
export function isOwnUid(uid: number): boolean {
  return (ownUid() ?? uid) === uid;
}

function ownUid(): number | null {
  try {
    return process.geteuid?.() ?? null;
    /* c8 ignore next 3 -- Deno: without --allow-sys */
  } catch {
    return null;
  }
}

/** Returns whether paths can go through descriptors: on Linux, unless `/proc` is missing or the runtime's permissions exclude it. */
export function hasDescriptorPaths(): boolean {
  /* c8 ignore next -- macOS */
  if (process.platform !== "linux") return false;
  try {
    const { permission } = process as { readonly permission?: { has(scope: string, path: string): boolean } };
    return statSync("/proc/self/fd").isDirectory() && (permission?.has("fs.write", "/proc/self/fd/0/s") ?? true);
  } catch {
    return false;
  }
}

/** Runs `use` with a path for `connect()` that leads to a file, whatever bytes are in the file's own path. */
export async function withConnectPath<T>(file: FileName, use: (path: string) => Promise<T>): Promise<T> {
  if (typeof file === "string") return use(file);
  const descriptor = openSync(file, O_PATH);
  try {
    return await use(`/proc/self/fd/${descriptor}`);
  } finally {
    closeSync(descriptor);
  }
}

/* Paths. They are cut and joined without `join()`, `dirname()` and `resolve()`: those work only on text, and let `..` remove the
 * preceding name, which is wrong after a symbolic link. */

/** Cuts a path into the directory and the name in it. */
export function splitPath(path: FileName): { readonly directory: FileName; readonly base: FileName } {
  const slash = path.lastIndexOf("/");
  if (slash === -1) return { directory: ".", base: cut(path, 0) };
  const [directory, base] = [cut(path, 0, Math.max(slash, 1)), cut(path, slash + 1)];
  return { directory, base };
}

function cut(path: FileName, start: number, end?: number): FileName {
  return typeof path === "string" ? path.slice(start, end) : textIfUtf8(path.subarray(start, end));
}

function joined(directory: FileName, name: FileName): FileName {
  if (typeof directory === "string" && typeof name === "string") return `${directory}/${name}`;
  return ownCopy(Buffer.concat([Buffer.from(directory), Buffer.from("/"), Buffer.from(name)]));
}

/** Returns bytes as text if they are UTF-8, and otherwise in memory of their own, because a server keeps them. */
export function textIfUtf8(bytes: Buffer): FileName {
  return isUtf8(bytes) ? bytes.toString() : ownCopy(bytes);
}

function absolutePath(path: string): string {
  return isAbsolute(path) ? path : `${process.cwd()}/${path}`;
}

/** Returns whether two `Stats` are of the same file, by device and inode. */
export function isSameFile(a: Stats, b: Stats): boolean {
  return a.dev === b.dev && a.ino === b.ino;
}
