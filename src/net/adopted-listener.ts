/**
 * `AdoptedListener`: a listener on a socket that was made elsewhere: a listening `net.Server`, the descriptor of a listening or bound
 * socket, or a `net.BoundSocket`.
 *
 * An adopted server already listens: connections that arrive before `listen()` are kept and accepted then. The socket file belongs to
 * its creator: `close()` leaves it in place unless `cleanupSocket` is true.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { linkSync, renameSync, type Stats } from "node:fs";
import net from "node:net";
import { invalidValue } from "../base/arguments.js";
import { ignore } from "../base/errors.js";
import type { SocketAddress } from "../contracts/extra-info.js";
import { ipAddress, type UnixNames } from "../transports/socket-info.js";
import {
  type AdoptedServer,
  type BoundSocket,
  descriptorOf,
  discardSock,
  disown,
  type Family,
  inUse,
  isBoundSocket,
  own,
} from "./adopt.js";
import { socketIdentity } from "./descriptor.js";
import type { AcceptHandler, Listener } from "./listener.js";
import { closeServer, ListeningSocket, listenOn } from "./listener.js";
import { Directory, type FileName, isSameFile, splitPath } from "./socket-file/directory.js";
import { StagingDirectory, unlinkIfThere } from "./socket-file/staging-directory.js";
import { fileNameOf } from "./socket-file/unix-path.js";
import { lstatOrNull } from "./socket-file/unix-publish.js";
import { codeOf } from "./system-error.js";
import { nodeWireOf } from "./wire-factory.js";

/** The options of an adopted listener. */
export interface AdoptedListenOptions {
  readonly backlog: number;
  /** Whether `close()` removes the socket file. */
  readonly cleanupSocket: boolean;
  /** Whether accepted TCP connections are probed when idle. */
  readonly keepAlive: boolean;
}

export class AdoptedListener implements Listener {
  readonly #server: net.Server;
  /** The bound socket; `undefined` once the server listens on it and owns it. */
  #bound: net.Socket | BoundSocket | number | undefined;
  readonly #options: AdoptedListenOptions;
  readonly #early: net.Socket[] = [];
  readonly #family: Family;
  readonly #unixNames: UnixNames | null;
  /** The socket file; `null` if there is none. */
  readonly #file: { readonly path: FileName; readonly stats: Stats } | null;
  /** Whether Node bound the path, and so unlinks it on close. */
  readonly #boundByNode: boolean;
  #address: SocketAddress | null;
  #accept: AcceptHandler | null = null;
  readonly socket: ListeningSocket;

  constructor({ sock, family, name }: AdoptedServer, options: AdoptedListenOptions) {
    this.#bound = sock instanceof net.Server ? undefined : sock;
    this.#server = sock instanceof net.Server ? sock : net.createServer({ allowHalfOpen: true });
    this.#options = options;
    this.#server.on("connection", this.#onConnection);
    this.#family = family;
    this.#boundByNode = isBoundSocket(sock) || typeof this.#server.address() === "string";
    this.#address = name;
    this.#lookUpAddress();
    this.socket = new ListeningSocket(this.#server, family === "unix", () => this.#address);
    this.#unixNames = family === "unix" ? { sockname: name, peername: "" } : null;
    const path = name === null ? null : fileNameOf(name);
    const stats = path !== null && name !== null && name !== "" && !name.startsWith("\0") ? statsOf(path) : null;
    this.#file = path !== null && stats?.isSocket() === true ? { path, stats } : null;
    own(sock); // last: until here, the caller closes the socket on failure
  }

  /** Reads the TCP address from the server once it listens, and before from the bound socket. */
  #lookUpAddress(): void {
    if (this.#family === "unix") return;
    const bound = this.#bound;
    const { address, port } = addressOf(typeof bound === "object" ? bound : this.#server);
    if (address !== undefined && port !== undefined) this.#address = ipAddress(address, port);
  }

  readonly #onConnection = (socket: net.Socket): void => {
    // Node: ends the writing side at the peer's EOF unless this is set, and the adopted server may not have set it.
    (socket as { allowHalfOpen: boolean }).allowHalfOpen = true;
    if (this.#family === "tcp") socket.setNoDelay(true);
    if (this.#options.keepAlive) socket.setKeepAlive(true);
    if (this.#accept === null) this.#early.push(socket.pause().on("error", ignore));
    else this.#accept(() => nodeWireOf(socket), this.#unixNames);
  };

  async listen(accept: AcceptHandler, onError: (error: unknown) => void): Promise<void> {
    const bound = this.#bound;
    this.#bound = undefined;
    if (bound !== undefined) await this.#listenOn(bound);
    this.#lookUpAddress();
    this.#server.on("error", onError);
    // Binds the context of `listen()`: the adopted server was created in another one.
    this.#accept = AsyncLocalStorage.bind(accept);
    for (const socket of this.#early.splice(0)) accept(() => nodeWireOf(socket), this.#unixNames);
  }

  async #listenOn(bound: net.Socket | BoundSocket | number): Promise<void> {
    const { backlog } = this.#options;
    const identity = typeof bound === "number" ? socketIdentity(bound) : null;
    const fd = descriptorOf(bound);
    try {
      if (typeof bound === "number") await listenOn(this.#server, { fd: bound, backlog, exclusive: true });
      else await listenOn(this.#server, { backlog }, bound);
    } catch (error) {
      disown(fd);
      // Node: in some cases it has closed the descriptor, and the number may belong to another file by now.
      const isStillOpen = typeof bound === "number" && identity !== null && socketIdentity(bound) === identity;
      if (typeof bound !== "number") discardBound(bound);
      /* c8 ignore next -- Bun, Deno and systems other than Linux */
      if (isStillOpen) discardSock(bound);
      if (codeOf(error) === "EEXIST") throw inUse(fd, error);
      if (codeOf(error) !== "EINVAL") throw error;
      throw Object.assign(invalidValue("sock must be a listening or a bound stream socket: the system cannot listen on it"), {
        cause: error,
      });
    }
    this.#checkFamily(bound);
  }

  /** Checks the family of a descriptor that could not be described before. */
  #checkFamily(bound: net.Socket | BoundSocket | number): void {
    const { port } = addressOf(this.#server);
    /* c8 ignore next 4 -- Bun, Deno and systems without /proc: otherwise, the family is known before */
    if ((port !== undefined) !== (this.#family === "tcp")) {
      const wanted = this.#family === "tcp" ? "TCP" : "Unix";
      throw invalidValue(`sock must be a ${wanted} stream socket: file descriptor ${String(descriptorOf(bound))} is of another family`);
    }
  }

  close(): void {
    for (const socket of this.#early.splice(0)) socket.destroy();
    const bound = this.#bound;
    this.#bound = undefined;
    const now = this.#file === null ? null : statsOf(this.#file.path);
    const remove = this.#file !== null && now !== null && this.#options.cleanupSocket && isSameFile(now, this.#file.stats);
    const closeNow = (): void => {
      if (bound === undefined) closeServer(this.#server);
      else discardBound(bound);
    };
    if (this.#file === null || now === null || !this.#boundByNode) closeNow();
    else closeBesideFile(this.#file.path, closeNow);
    if (this.#file !== null && remove) unlinkIfThere(this.#file.path);
  }
}

/** Returns the `Stats` of the file; `null` if this process does not see it, such as in a directory that it may not search. */
function statsOf(path: FileName): Stats | null {
  try {
    return lstatOrNull(path);
  } catch {
    return null;
  }
}

/**
 * Closes a server and keeps its file.
 *
 * Node: unlinks the path that a server was bound to, whatever file is there. A second link preserves the file, and is renamed back
 * afterwards.
 */
function closeBesideFile(path: FileName, close: () => void): void {
  let directory: Directory | null = null;
  let hidden: StagingDirectory | null = null;
  try {
    directory = Directory.open(splitPath(path).directory);
    hidden = new StagingDirectory(directory, path.toString());
    linkSync(path, hidden.path);
    /* c8 ignore next 3 -- root, which runs the tests, may write everywhere */
  } catch {
    // The directory is not writable, so Node cannot unlink in it either; or the file has just been removed.
  }
  close();
  try {
    if (hidden !== null && lstatOrNull(path) === null) renameSync(hidden.path, path);
    /* c8 ignore next 3 -- the directory has to be removed between two steps */
  } catch {
    // The directory has been removed.
  } finally {
    hidden?.remove();
    hidden?.release();
    directory?.close();
  }
}

/** Closes a bound socket that this listener owns. */
function discardBound(bound: net.Socket | BoundSocket | number): void {
  disown(descriptorOf(bound));
  disown(bound);
  discardSock(bound);
}

function addressOf(source: net.Server | net.Socket | BoundSocket): { readonly address?: string; readonly port?: number } {
  if (source instanceof net.Socket) return { address: source.localAddress, port: source.localPort } as { address: string; port: number };
  const address = source.address();
  return typeof address === "object" && address !== null ? address : {};
}
