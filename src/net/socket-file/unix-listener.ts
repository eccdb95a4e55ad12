/**
 * `UnixListener`: listens on a Unix socket, and creates and removes the socket file.
 *
 * Theory of operation
 *
 * Binding a Unix socket creates its file, and binding under the public name causes all the known problems of socket files: the file
 * exists before its mode is right, a stale file blocks the bind, and Node's `server.close()` removes whatever file has the name by
 * then. A server is therefore bound under a hidden name, and *published* when it is ready:
 *
 * 1. Create a directory `.as-...` beside the public name, which only this user can enter. Open it and check it. Bind and listen in it.
 * 2. Set the file's owner and mode. No client can have connected yet.
 * 3. `link()` the file to the public name, which fails if the name is taken. Remove the hidden name and its directory.
 *
 * If the name is taken by a socket, a connection attempt decides. If a server answers, the call fails with EADDRINUSE. If none does,
 * the file is stale. Under a lock between starting processes it is moved into the hidden directory and checked again (device and
 * inode). If it is the file that did not answer, it is deleted; if another process has replaced it in the meantime, it gets its name
 * back. Then step 3 is repeated. A file that is not a socket is never touched.
 *
 * A takeover uses `rename()` in step 3, which replaces a live server's socket atomically: there is no moment without a server. The old
 * server continues to serve its clients.
 *
 * `close()` removes the public name if the file is still this server's, by device and inode. Clients already in the accept queue are
 * still accepted. Once the name is gone (or another server's), no more can arrive, so the queue is empty when a full turn of the event
 * loop has accepted none.
 *
 * The alternative, a umask around a bind to the public name, keeps the name that tools show. But a worker thread cannot set the umask,
 * and the stale file and the unlink by path stay unsolved. The cost of the hidden name: tools such as `ss` show it, and so does
 * `getpeername()` of a peer that does not use this library. This library reports the public name.
 */
import type { Stats } from "node:fs";
import net from "node:net";
import { InvalidStateError, ignore } from "../../base/errors.js";
import { delay, turns } from "../../base/scheduling.js";
import type { AcceptHandler, Listener } from "../listener.js";
import { closeServer, ListeningSocket, listenOn } from "../listener.js";
import { codeOf, isSystemCode, systemError } from "../system-error.js";
import { acceptConnections, type MakeWire } from "../wire-factory.js";
import { Directory, isSameFile, splitPath } from "./directory.js";
import { removeLeftovers } from "./leftovers.js";
import { type FileOwner, StagingDirectory, unlinkIfThere } from "./staging-directory.js";
import type { UnixPath } from "./unix-path.js";
import { checkStale, lstatOrNull, type PublicName, publish } from "./unix-publish.js";

/**
 * Waits until a connection in the accept queue would have been accepted. Node accepts once in each turn of the event loop, and the
 * current turn may have passed that point; hence two turns.
 */
async function waitForAcceptTurn(): Promise<void> {
  // Deno: accepts in another thread, which turns do not wait for.
  if (process.versions["deno"] !== undefined) await delay(DENO_ACCEPT_MS);
  await turns(2);
}

/**
 * How long to wait in Deno, which delivers a queued connection within a millisecond when idle. Under load, more than 20 ms have been
 * observed.
 */
const DENO_ACCEPT_MS = 150;

/** The options of a Unix listener. */
export interface UnixListenOptions {
  readonly backlog: number;
  /** File mode; `undefined`: 0o777 minus the process's umask, as set by `bind()`. */
  readonly mode: number | undefined;
  /** File owner; `undefined`: the process's. */
  readonly owner: FileOwner | undefined;
  /** Whether to replace a live server. */
  readonly takeover: boolean;
  /** Whether `close()` removes the file. */
  readonly cleanupSocket: boolean;
}

/** Listens on a path, or on an abstract name. Holds two descriptors of directories until it is closed. */
export class UnixListener implements Listener {
  readonly #server: net.Server = net.createServer({ allowHalfOpen: true });
  readonly #path: UnixPath;
  readonly #options: UnixListenOptions;
  readonly socket: ListeningSocket;
  /** The file, from `bind()` on. */
  #public: PublicName | null = null;
  #hidden: StagingDirectory | null = null;
  #published: Stats | null = null;
  #closed = false;
  /** Whether a step of binding or publishing is under way. */
  #working = false;
  #accepted = 0;

  constructor(path: UnixPath, options: UnixListenOptions) {
    this.#path = path;
    this.#options = options;
    this.socket = new ListeningSocket(this.#server, true, () => path.name);
  }

  /**
   * Binds under a hidden name, which clients cannot reach. Fails early if the public name is taken by a live server or by a file that
   * is not a socket.
   */
  async bind(): Promise<void> {
    if (this.#path.abstract) return;
    await this.#onBehalfOfPath(async () => {
      const { directory: parent, base } = splitPath(this.#path.file);
      const directory = Directory.open(parent);
      const name = { name: this.#path.name, directory, base, file: directory.at(base) };
      this.#public = name;
      const taken = lstatOrNull(name.file);
      if (taken !== null && !this.#options.takeover) await checkStale(name, taken);
      await removeLeftovers(directory);
      const hidden = new StagingDirectory(directory, name.name);
      this.#hidden = hidden;
      this.#server.on("connection", hangUp);
      await listenOn(this.#server, { path: hidden.bindPath(), backlog: this.#options.backlog, exclusive: true });
      hidden.setAccess(this.#options.mode, this.#options.owner);
    });
  }

  async listen(accept: AcceptHandler, onError: (error: unknown) => void): Promise<void> {
    const names = { sockname: this.#path.name, peername: "" };
    const onConnection = (makeWire: MakeWire): void => {
      this.#accepted += 1;
      accept(makeWire, names);
    };
    if (this.#path.abstract) {
      await listenOn(this.#server, { path: this.#path.name, backlog: this.#options.backlog, exclusive: true });
      acceptConnections(this.#server, onConnection);
    } else {
      // Before publishing, because clients can connect from then on.
      this.#server.off("connection", hangUp);
      acceptConnections(this.#server, onConnection);
      await this.#onBehalfOfPath(async () => {
        this.#published = await publish(this.#hidden as StagingDirectory, this.#public as PublicName, this.#options.takeover);
        // Closed during publishing, when close() did not know about the file yet.
        if (this.#closed) this.#unpublish();
      });
    }
    this.#server.on("error", onError);
  }

  /**
   * Runs a step of binding or publishing. If it fails, everything is undone, and a system error about the hidden name or a single step
   * is replaced by one about listening on the caller's path.
   */
  async #onBehalfOfPath(action: () => Promise<void>): Promise<void> {
    this.#working = true;
    try {
      await action();
    } catch (error) {
      if (this.#closed) throw new InvalidStateError("cannot listen: the server was closed meanwhile");
      await this.close();
      const code = codeOf(error);
      const { syscall, path } = error as { readonly syscall?: unknown; readonly path?: unknown };
      if (code === undefined || !isSystemCode(code) || (syscall === "listen" && path === this.#path.name)) throw error;
      throw systemError(code, "listen", REASONS[code] ?? "cannot create the socket", this.#path.name, error);
    } finally {
      this.#working = false;
      if (this.#closed) this.#releaseDirectories();
    }
  }

  close(): Promise<void> | void {
    if (this.#closed) return;
    this.#closed = true;
    this.#hidden?.remove();
    if (this.#published === null || !this.#unpublish()) this.#closeServer();
    else return this.#closeWhenQueueIsEmpty();
  }

  /** Removes the public name if it is this server's and `cleanupSocket` is set. Returns whether the name no longer leads to this server. */
  #unpublish(): boolean {
    const { file } = this.#public as PublicName;
    const now = lstatOrNull(file);
    const isOurs = now !== null && this.#published !== null && isSameFile(now, this.#published);
    if (!isOurs) return true;
    if (!this.#options.cleanupSocket) return false;
    unlinkIfThere(file);
    return true;
  }

  async #closeWhenQueueIsEmpty(): Promise<void> {
    let seen: number;
    do {
      seen = this.#accepted;
      await waitForAcceptTurn();
    } while (this.#accepted > seen);
    this.#closeServer();
  }

  #closeServer(): void {
    closeServer(this.#server);
    // A step in progress continues for a moment, and still uses the descriptors. A closed one could be reused for another directory.
    if (!this.#working) this.#releaseDirectories();
  }

  #releaseDirectories(): void {
    this.#hidden?.release();
    this.#public?.directory.close();
  }
}

/** Ends a connection to a server that is not published yet: another start has probed whether its process is alive. See `leftovers.ts`. */
function hangUp(socket: net.Socket): void {
  socket.on("error", ignore).destroy();
}

/** The meaning of the system's errors when a socket is created. */
const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "the directory of the socket does not exist",
  ENOTDIR: "the parent of the socket is not a directory",
  EACCES: "no permission to create a socket in this directory",
  EPERM: "not permitted",
  EROFS: "the file system is read-only",
  ELOOP: "too many symbolic links",
  ENOSPC: "no space is left on the file system",
  ENAMETOOLONG: "a component of the path is too long",
  EMFILE: "the process has too many open files",
};
