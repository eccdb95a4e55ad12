/**
 * A server's Unix socket: how its file comes and goes.
 *
 * Theory of operation
 *
 * Binding a Unix socket creates its file, and everything that is wrong with socket files comes from binding under the public name: the name is taken
 * before its mode is right, a stale file is in the way, and Node's `server.close()` removes whatever has the name by then. So a server is bound under a
 * hidden name, and *published* when it is ready:
 *
 *   1. Make a directory `.as-...` beside the public name, which only we may enter; bind and listen in there.
 *   2. Give the file its owner and mode. Nobody else can have connected yet.
 *   3. `link()` it to the public name, which fails if the name is taken. The hidden name and its directory are removed.
 *
 * If the name is taken, by a socket: somebody who answers there is alive, and that is EADDRINUSE. Nobody who answers means a stale file. Under a lock
 * between starters it is moved aside into the hidden directory, looked at again (device and inode), and dropped if it is the one that did not answer; should
 * it be another's that was quicker, that one gets its name back. Then step 3 again. A name that is not a socket's is never touched.
 *
 * Takeover replaces step 3 by `rename()`, which puts our socket in the place of a live server's in one step: there is no moment without a server. The old server
 * goes on with its clients.
 *
 * `close()` removes the public name if it is still ours, by device and inode. Clients that had reached our queue by then are still accepted: with the name
 * gone (or another's) no more can come, so the queue is empty when the event loop has looked and found none.
 *
 * Why not a umask around a bind to the public name: it keeps the name that tools show, but a worker thread cannot set the umask, and it
 * leaves the stale file and the unlink by path unsolved. The price of the hidden name: tools such as `ss` show it, and so does the `getpeername()` of a
 * peer that does not use this library. What this library reports is the public name.
 */
import { chmodSync, chownSync, type Stats } from "node:fs";
import net from "node:net";
import { InvalidStateError } from "../base/errors.js";
import { delay, nextTurn } from "../base/scheduling.js";
import type { TransportSocket } from "../contracts/extra-info.js";
import { HiddenName, isSameFile, unlinkIfThere } from "./hidden-name.js";
import type { AcceptHandler, Listener } from "./listener.js";
import { ListeningSocket } from "./listening-socket.js";
import { acceptConnections, type MakeWire } from "./make-socket.js";
import { closeServer, listenOn } from "./net-server.js";
import { codeOf, isSystemCode, systemError } from "./system-error.js";
import { absolutePath, type UnixPath } from "./unix-path.js";
import { checkStale, lookAt, type PublicName, publish } from "./unix-publish.js";

/** Waits until a connection that is in the queue has been seen. Node looks for one in each turn of the event loop, and the first may be half over. */
async function oneLook(): Promise<void> {
  // Deno: accepts in a thread of its own, and turns do not wait for it.
  if (process.versions["deno"] !== undefined) await delay(DENO_ACCEPT_MS);
  for (let turn = 0; turn < 2; turn += 1) await nextTurn();
}

/** Deno hands over a connection that is there within a millisecond when it is idle; under load it has taken more than twenty. */
const DENO_ACCEPT_MS = 150;

/** What a Unix listener is made from. */
export interface UnixListenOptions {
  readonly backlog: number;
  /** File mode; `undefined`: what the process's umask leaves of 0o777, as `bind()` has it. */
  readonly mode: number | undefined;
  /** File owner; `undefined`: the process's. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  /** Whether to replace a live server. */
  readonly takeover: boolean;
  /** Whether `close()` removes the file. */
  readonly cleanupSocket: boolean;
}

/** Listens on a path, or on an abstract name. */
export class UnixListener implements Listener {
  readonly #server: net.Server = net.createServer({ allowHalfOpen: true });
  readonly #path: UnixPath;
  readonly #public: PublicName;
  readonly #options: UnixListenOptions;
  readonly socket: TransportSocket;
  #hidden: HiddenName | null = null;
  #published: Stats | null = null;
  #closed = false;
  #accepted = 0;

  constructor(path: UnixPath, options: UnixListenOptions) {
    this.#path = path;
    this.#public = { name: path.name, file: path.abstract ? "" : absolutePath(path.name) };
    this.#options = options;
    this.socket = new ListeningSocket(() => path.name);
  }

  /** Binds under a hidden name, where nobody connects. Fails already if the public name is taken by a live server, or by something that is no socket. */
  async bind(): Promise<void> {
    if (this.#path.abstract) return;
    await this.#onBehalfOfPath(async () => {
      const taken = lookAt(this.#public.file);
      if (taken !== null && !this.#options.takeover) await checkStale(this.#public, taken);
      const hidden = new HiddenName(this.#path.name);
      this.#hidden = hidden;
      await listenOn(this.#server, { path: hidden.bindPath(), backlog: this.#options.backlog, exclusive: true });
      const { owner, mode } = this.#options;
      // The mode first: a process that may give its files away need not be one that may change those of others.
      if (mode !== undefined) chmodSync(hidden.path, mode);
      if (owner !== undefined) chownSync(hidden.path, owner.uid, owner.gid);
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
      // Before it is published: from then on somebody may connect.
      acceptConnections(this.#server, onConnection);
      await this.#onBehalfOfPath(async () => {
        this.#published = await publish(this.#hidden as HiddenName, this.#public, this.#options.takeover);
      });
      // Closed while it was being published: then close() did not know of the file.
      if (this.#closed) this.#unpublish();
    }
    this.#server.on("error", onError);
  }

  /** If it fails, everything is undone, and an error about a step or a hidden name is told as one about listening on the name that the caller knows. */
  async #onBehalfOfPath(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      if (this.#closed) throw new InvalidStateError("cannot listen: the server was closed meanwhile");
      await this.close();
      const code = codeOf(error);
      const { syscall, path } = error as { readonly syscall?: unknown; readonly path?: unknown };
      if (code === undefined || !isSystemCode(code) || (syscall === "listen" && path === this.#path.name)) throw error;
      throw systemError(code, "listen", REASONS[code] ?? "cannot create the socket", this.#path.name, error);
    }
  }

  close(): Promise<void> | void {
    if (this.#closed) return;
    this.#closed = true;
    this.#hidden?.remove();
    if (this.#published === null || !this.#unpublish()) this.#closeServer();
    else return this.#closeWhenQueueIsEmpty();
  }

  /** Removes the public name if it is ours and ours to remove; returns whether it no longer leads to us. */
  #unpublish(): boolean {
    const now = lookAt(this.#public.file);
    const isOurs = now !== null && this.#published !== null && isSameFile(now, this.#published);
    if (!isOurs) return true;
    if (!this.#options.cleanupSocket) return false;
    unlinkIfThere(this.#public.file);
    return true;
  }

  async #closeWhenQueueIsEmpty(): Promise<void> {
    let seen: number;
    do {
      seen = this.#accepted;
      await oneLook();
    } while (this.#accepted > seen);
    this.#closeServer();
  }

  #closeServer(): void {
    closeServer(this.#server);
    this.#hidden?.release();
  }
}

/** What the system's errors mean here. */
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
