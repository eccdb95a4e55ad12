/**
 * The socket file of a server: how its name comes and goes.
 *
 * Theory of operation
 *
 * Binding a Unix socket creates its file, and everything that is wrong with socket files comes from binding under the public name: the name is taken
 * before its mode is right, a stale file is in the way, and Node's `server.close()` removes whatever has the name by then. So a server is bound under a
 * hidden name, and *published* when it is ready:
 *
 *   1. Make a directory `.as-XXXXXXXX` beside the public name, which only we may enter; bind and listen in there.
 *   2. Give the file its mode. Nobody else can have connected yet.
 *   3. `link()` it to the public name: that fails if the name is taken. The hidden name and its directory are removed.
 *
 * If the name is taken, by a socket: somebody who answers there is alive, and that is EADDRINUSE. Nobody who answers means a stale file. It is moved
 * away into the hidden directory, looked at again (device and inode), and dropped if it is the one that did not answer; if another server was quicker and
 * it is that one's, it gets its name back. Then step 3 again. A name that is not a socket's is never touched.
 *
 * `close()` removes the public name if it is still ours, by device and inode.
 *
 * The price: tools such as `ss` show the hidden name, and a connecting peer's own `getpeername()` gives it. What this library reports is the public one.
 */

import { randomBytes } from "node:crypto";
import { chmodSync, linkSync, lstatSync, mkdirSync, renameSync, rmdirSync, type Stats, unlinkSync } from "node:fs";
import net from "node:net";
import { dirname, join } from "node:path";
import type { TransportSocket } from "../contracts/extra-info.js";
import { closeServer, ListeningSocket, listenOn } from "./listener.js";
import type { AcceptHandler, Listener } from "./server.js";
import { codeOf, type SystemError, systemError } from "./system-error.js";
import { checkLength, type UnixPath } from "./unix-path.js";

/** How often a name that is taken and then free again is tried for. More than a handful means that others are fighting over it. */
const PUBLISH_ATTEMPTS = 10;

/** What a Unix listener is made from. */
export interface UnixListenOptions {
  readonly backlog: number;
  /** File mode; `undefined`: what the process's umask leaves of 0o777, as `bind()` has it. */
  readonly mode: number | undefined;
  /** Whether `close()` removes the file. */
  readonly cleanupSocket: boolean;
}

/** Listens on a path, or on an abstract name. */
export class UnixListener implements Listener {
  readonly #server: net.Server = net.createServer({ allowHalfOpen: true });
  readonly #path: UnixPath;
  readonly #options: UnixListenOptions;
  readonly socket: TransportSocket;
  #hidden: HiddenName | null = null;
  #published: Stats | null = null;
  #closed = false;

  constructor(path: UnixPath, options: UnixListenOptions) {
    this.#path = path;
    this.#options = options;
    this.socket = new ListeningSocket("unix", () => path.name);
  }

  /** Binds under a hidden name, where nobody connects; fails if the public name is taken by a live server or by something that is no socket. */
  async bind(): Promise<void> {
    if (this.#path.abstract) return;
    const { name } = this.#path;
    const taken = statOrNull(name);
    if (taken !== null) await checkStale(name, taken);
    const hidden = new HiddenName(name);
    this.#hidden = hidden;
    try {
      await listenOn(this.#server, { path: hidden.path, backlog: this.#options.backlog, exclusive: true });
      if (this.#options.mode !== undefined) chmodSync(hidden.path, this.#options.mode);
    } catch (error) {
      this.close();
      throw withPublicPath(error, name);
    }
  }

  async listen(accept: AcceptHandler, onError: (error: unknown) => void): Promise<void> {
    const names = { sockname: this.#path.name, peername: "" };
    this.#server.on("connection", (socket) => accept(socket, names));
    if (this.#path.abstract) await listenOn(this.#server, { path: this.#path.name, backlog: this.#options.backlog, exclusive: true });
    else await this.#publish();
    this.#server.on("error", onError);
  }

  async #publish(): Promise<void> {
    const { name } = this.#path;
    const hidden = this.#hidden as HiddenName;
    for (let attempt = 1; ; attempt += 1) {
      if (this.#closed) return;
      try {
        linkSync(hidden.path, name);
        break;
      } catch (error) {
        if (codeOf(error) !== "EEXIST") throw withPublicPath(error, name);
        if (attempt === PUBLISH_ATTEMPTS)
          throw addressInUse(name, "the name was taken again and again while it was being published", error);
      }
      const taken = statOrNull(name);
      if (taken === null) continue;
      await checkStale(name, taken);
      hidden.removeIfStill(name, taken);
    }
    this.#published = lstatSync(hidden.path);
    hidden.remove();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#published !== null && this.#options.cleanupSocket) {
      const now = statOrNull(this.#path.name);
      if (now !== null && isSame(now, this.#published)) unlinkIfThere(this.#path.name);
    }
    closeServer(this.#server);
    this.#hidden?.remove();
  }
}

/** A directory that only we may enter, beside the public name, with room for the socket and for a stale one. */
class HiddenName {
  readonly #directory: string;
  readonly path: string;

  constructor(publicName: string) {
    this.#directory = join(dirname(publicName), `.as-${randomBytes(5).toString("hex").slice(0, 8)}`);
    this.path = join(this.#directory, "s");
    checkLength("listen", this.path, publicName);
    try {
      mkdirSync(this.#directory, { mode: 0o700 });
    } catch (error) {
      throw withPublicPath(error, publicName);
    }
  }

  /** Removes the stale socket at `name`, unless another has taken its place meanwhile, which then keeps it. */
  removeIfStill(name: string, stale: Stats): void {
    const aside = join(this.#directory, "stale");
    try {
      renameSync(name, aside);
    } catch (error) {
      if (codeOf(error) === "ENOENT") return;
      throw withPublicPath(error, name);
    }
    try {
      if (!isSame(lstatSync(aside), stale)) linkSync(aside, name);
    } finally {
      unlinkIfThere(aside);
    }
  }

  remove(): void {
    unlinkIfThere(this.path);
    try {
      rmdirSync(this.#directory);
    } catch {
      // removed already, or no longer ours to remove
    }
  }
}

/** Throws EADDRINUSE unless the file at `name` is a socket on which nobody listens. */
async function checkStale(name: string, taken: Stats): Promise<void> {
  if (!taken.isSocket()) throw addressInUse(name, "a file that is not a socket has this name");
  const failure = await probe(name);
  if (failure === null) throw addressInUse(name, "a live server listens on this path");
  const code = codeOf(failure);
  if (code === "ECONNREFUSED" || code === "ENOENT") return;
  throw addressInUse(name, `a socket has this name, and whether a server listens on it cannot be told (${failure.message})`, failure);
}

/** Connects and closes at once; returns the error if that did not work. */
function probe(name: string): Promise<Error | null> {
  return new Promise((resolve) => {
    const socket = net.connect({ path: name });
    socket.once("connect", () => {
      socket.destroy();
      resolve(null);
    });
    socket.on("error", resolve);
  });
}

function addressInUse(name: string, text: string, cause?: unknown): SystemError {
  return systemError("EADDRINUSE", "listen", `address already in use: ${text}`, name, cause);
}

/** An error about a hidden name, told as one about the name that the caller knows. */
function withPublicPath(error: unknown, name: string): unknown {
  const code = codeOf(error);
  if (code === undefined || !(error instanceof Error) || (error as { path?: unknown }).path === name) return error;
  const text = error.message.replace(/^[A-Z0-9]+: /, "").replace(/,? .*$/s, "");
  try {
    return systemError(code as "EACCES", "listen", describe(code, text), name, error);
  } catch {
    return error;
  }
}

function describe(code: string, fallback: string): string {
  const texts: Readonly<Record<string, string>> = {
    ENOENT: "the directory of the socket does not exist",
    ENOTDIR: "the parent of the socket is not a directory",
    EACCES: "no permission to create a socket in this directory",
    EROFS: "the file system is read-only",
    ELOOP: "too many symbolic links",
    ENOSPC: "no space is left on the file system",
  };
  return texts[code] ?? fallback;
}

function statOrNull(name: string): Stats | null {
  try {
    return lstatSync(name);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return null;
    throw withPublicPath(error, name);
  }
}

function isSame(a: Stats, b: Stats): boolean {
  return a.dev === b.dev && a.ino === b.ino;
}

function unlinkIfThere(name: string): void {
  try {
    unlinkSync(name);
  } catch {
    // gone already, or no longer ours to remove
  }
}
