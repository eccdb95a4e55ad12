/**
 * `StagingDirectory`: the hidden directory in which a server's socket is bound before it is published. It lies beside the public name, and
 * only this user can enter it. It holds the socket (`s`) and a stale socket that is moved out of the way (`stale`).
 *
 * The directory's name identifies the process (see `owner-tag.ts`). A process that is killed while starting leaves its directory
 * behind, and the next start in the same parent directory removes it (see `leftovers.ts`).
 *
 * Another user who may write to the parent directory can exchange the staging directory at any time, for a directory of their own or for a
 * symbolic link. So it is opened once and checked: it belongs to this user, others cannot enter it, and it is empty. Everything else goes
 * through the descriptor (see `directory.ts`).
 */
import { chmodSync, lchownSync, linkSync, lstatSync, mkdirSync, readdirSync, renameSync, rmdirSync, type Stats, unlinkSync } from "node:fs";
import { nodeCrypto } from "../../transports/lazy-modules.js";
import { codeOf, systemError } from "../system-error.js";
import { Directory, type FileName, isOwnUid, isSameFile } from "./directory.js";
import { ownerTag } from "./owner-tag.js";
import { fitsSunPath } from "./unix-path.js";

const MAX_NAME_ATTEMPTS = 20;

/** The owner of a socket file. An id of -1 stays as it is. */
export interface FileOwner {
  readonly uid: number;
  readonly gid: number;
}

export class StagingDirectory {
  readonly #parent: Directory;
  /** The caller's path of the socket, for errors. */
  readonly #publicPath: string;
  readonly #name: string;
  readonly #directory: Directory;
  #isRemoved = false;

  /** @throws the system's error if the directory cannot be created, `EACCES` if another user has exchanged it */
  constructor(parent: Directory, publicPath: string) {
    this.#parent = parent;
    this.#publicPath = publicPath;
    this.#name = makeDirectory(parent);
    try {
      this.#directory = this.#open();
    } catch (error) {
      rmdirIfEmpty(parent.at(this.#name));
      throw error;
    }
  }

  #open(): Directory {
    const directory = this.#parent.openChild(this.#name);
    if (directory === null) throw this.#exchanged();
    try {
      const { uid, mode } = directory.stats;
      if (!isOwnUid(uid) || (mode & 0o077) !== 0) throw this.#exchanged();
      if ((mode & 0o700) !== 0o700) {
        // The process's umask has taken away permissions of its own user.
        this.#checkFollowsNoLink("make the directory of the socket under this umask");
        chmodSync(directory.path, (mode & 0o7777) | 0o700);
      }
      if (readdirSync(directory.path).length > 0) throw this.#exchanged();
      return directory;
    } catch (error) {
      directory.close();
      throw error;
    }
  }

  #exchanged(): Error {
    return systemError("EACCES", "listen", "another user has exchanged the directory of the socket", this.#publicPath);
  }

  /** Throws unless a change of a file's mode or owner cannot follow a link that another user has put in its way. */
  #checkFollowsNoLink(what: string): void {
    if (this.#parent.isPinned || this.#parent.protectedPath() !== null) return;
    const reason = `cannot ${what} without /proc/self/fd, because other users may be able to rename files in this directory`;
    throw systemError("EPERM", "listen", reason, this.#publicPath);
  }

  /** The socket's path for file system calls. */
  get path(): FileName {
    return this.#directory.at("s");
  }

  /**
   * Returns the socket's path for `bind()`, short enough for it.
   *
   * The runtime unlinks this path when it closes the socket, so call `release()` only after that. A path through the descriptor is safe
   * then, too: it never leads to a file of another directory.
   */
  bindPath(): string {
    if (this.#parent.isPinned) return this.path.toString();
    const direct = `${this.#parent.given.toString()}/${this.#name}/s`;
    if (fitsSunPath(direct)) return direct;
    const text = `the staging path of the socket has ${Buffer.byteLength(direct)} bytes, too many for sun_path`;
    throw systemError("ENAMETOOLONG", "listen", text, this.#publicPath);
  }

  /** Sets the mode and the owner of the socket. Never changes another file. */
  setAccess(mode: number | undefined, owner: FileOwner | undefined): void {
    if (mode === undefined && owner === undefined) return;
    this.#checkFollowsNoLink("set mode or owner of the socket");
    // The mode first: a process may be allowed to change a file's owner but not the mode of a file that it no longer owns.
    if (mode !== undefined) chmodSync(this.path, mode);
    if (owner !== undefined) lchownSync(this.path, owner.uid, owner.gid);
  }

  /** Removes the file at `path` if it is still `stale`. A file that has replaced it in the meantime gets its name back. */
  removeIfStill(path: FileName, stale: Stats): void {
    const aside = this.#directory.at("stale");
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
    if (this.#isRemoved) return;
    this.#isRemoved = true;
    emptyStaging(this.#directory);
    rmdirIfEmpty(this.#parent.at(this.#name));
  }

  /** Closes the descriptor. */
  release(): void {
    this.#directory.close();
  }
}

function makeDirectory(parent: Directory): string {
  for (let attempt = 1; ; attempt += 1) {
    const name = `.as-${ownerTag()}-${nodeCrypto().randomBytes(2).toString("hex")}`;
    try {
      mkdirSync(parent.at(name), { mode: 0o700 });
      return name;
    } catch (error) {
      if (codeOf(error) !== "EEXIST" || attempt === MAX_NAME_ATTEMPTS) throw error;
    }
  }
  /* c8 ignore next -- V8 counts the end of a function that a loop never reaches */
}

/** Gives a file its name back, unless another file has that name by now. */
function giveBack(from: FileName, to: FileName): void {
  try {
    linkSync(from, to);
  } catch (error) {
    // Any other error means that the file system has no hard links.
    if (codeOf(error) !== "EEXIST") renameSync(from, to);
  }
}

/** Removes the files that a staging directory may hold. */
export function emptyStaging(directory: Directory): void {
  unlinkIfThere(directory.at("s"));
  unlinkIfThere(directory.at("stale"));
}

/** Removes a directory, if possible. */
export function rmdirIfEmpty(path: FileName): void {
  try {
    rmdirSync(path);
  } catch {
    // already removed, or no permission to remove it, or exchanged for another
  }
}

/** Removes a file, if possible. */
export function unlinkIfThere(path: FileName): void {
  try {
    unlinkSync(path);
  } catch {
    // already removed, or no permission to remove it
  }
}
