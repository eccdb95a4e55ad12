/**
 * `AdoptedListener`: a listener on a socket that was made elsewhere, either a listening `net.Server` or the descriptor of a listening
 * socket.
 *
 * An adopted server already listens: connections that arrive before `listen()` are kept and accepted then. The socket file belongs to
 * its creator: `close()` leaves it in place unless `cleanupSocket` is true.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { linkSync, renameSync, type Stats } from "node:fs";
import net from "node:net";
import { invalidValue } from "../base/arguments.js";
import { ignore } from "../base/errors.js";
import type { SocketAddress, TransportSocket } from "../contracts/extra-info.js";
import { ipAddress, type UnixNames } from "../transports/socket-info.js";
import { type AdoptedServer, discardSock, disown, type Family, own } from "./adopt.js";
import { socketIdentity } from "./descriptor.js";
import type { AcceptHandler, Listener } from "./listener.js";
import { closeServer, ListeningSocket, listenOn } from "./listener.js";
import { Directory, type FileName, isSameFile, splitPath } from "./socket-file/directory.js";
import { StagingDirectory, unlinkIfThere } from "./socket-file/staging-directory.js";
import { fileNameOf } from "./socket-file/unix-path.js";
import { lstatOrNull } from "./socket-file/unix-publish.js";
import { nodeWireOf } from "./wire-factory.js";

export class AdoptedListener implements Listener {
  readonly #server: net.Server;
  /** The descriptor; `undefined` once the server listens on it and owns it. */
  #fd: number | undefined;
  readonly #backlog: number;
  readonly #cleanupSocket: boolean;
  readonly #early: net.Socket[] = [];
  readonly #family: Family;
  readonly #unixNames: UnixNames | null;
  /** The socket file; `null` if there is none. */
  readonly #file: { readonly path: FileName; readonly stats: Stats } | null;
  /** Whether Node bound the path, and so unlinks it on close. */
  readonly #boundByNode: boolean;
  #address: SocketAddress;
  #accept: AcceptHandler | null = null;
  readonly socket: TransportSocket;

  constructor({ sock, family, name }: AdoptedServer, backlog: number, cleanupSocket: boolean) {
    this.#fd = typeof sock === "number" ? sock : undefined;
    this.#server = typeof sock === "number" ? net.createServer({ allowHalfOpen: true, noDelay: true }) : sock;
    this.#backlog = backlog;
    this.#cleanupSocket = cleanupSocket;
    this.#server.on("connection", this.#onConnection);
    this.#family = family;
    this.#boundByNode = typeof sock !== "number";
    this.#address = family === "unix" ? name : ipAddress("", 0);
    this.#lookUpAddress();
    this.socket = new ListeningSocket(() => this.#address);
    this.#unixNames = family === "unix" ? { sockname: name, peername: "" } : null;
    const path = fileNameOf(name);
    const stats = family === "unix" && name !== "" && !name.startsWith("\0") ? lstatOrNull(path) : null;
    this.#file = stats?.isSocket() === true ? { path, stats } : null;
    own(sock); // last: until here, the caller closes the socket on failure
  }

  /** Node reports a TCP address only while the server listens. */
  #lookUpAddress(): void {
    const address = this.#server.address();
    if (typeof address === "object" && address?.address !== undefined) this.#address = ipAddress(address.address, address.port);
  }

  readonly #onConnection = (socket: net.Socket): void => {
    // Node: ends the writing side at the peer's EOF unless this is set, and the adopted server may not have set it.
    (socket as { allowHalfOpen: boolean }).allowHalfOpen = true;
    if (this.#accept === null) this.#early.push(socket.pause().on("error", ignore));
    else this.#accept(() => nodeWireOf(socket), this.#unixNames);
  };

  async listen(accept: AcceptHandler, onError: (error: unknown) => void): Promise<void> {
    const fd = this.#fd;
    this.#fd = undefined;
    if (fd !== undefined) await this.#listenOnDescriptor(fd);
    this.#lookUpAddress();
    this.#server.on("error", onError);
    // Binds the context of `listen()`: the adopted server was created in another one.
    this.#accept = AsyncLocalStorage.bind(accept);
    for (const socket of this.#early.splice(0)) accept(() => nodeWireOf(socket), this.#unixNames);
  }

  async #listenOnDescriptor(fd: number): Promise<void> {
    const identity = socketIdentity(fd);
    try {
      await listenOn(this.#server, { fd, backlog: this.#backlog, exclusive: true });
    } catch (error) {
      disown(fd);
      // Node: has already closed the descriptor in some cases.
      if (identity !== null && socketIdentity(fd) === identity) discardSock(fd);
      throw error;
    }
    // Already checked before if the system describes sockets.
    const { port } = (this.#server.address() ?? {}) as { readonly port?: number };
    /* c8 ignore next 5 -- without /proc, the family is not known before */
    if ((port !== undefined) !== (this.#family === "tcp")) {
      throw invalidValue(
        `sock must be a ${this.#family === "tcp" ? "TCP" : "Unix"} stream socket: file descriptor ${fd} is of another family`,
      );
    }
  }

  close(): void {
    for (const socket of this.#early.splice(0)) socket.destroy();
    disown(this.#fd);
    discardSock(this.#fd);
    this.#fd = undefined;
    const now = this.#file === null ? null : lstatOrNull(this.#file.path);
    const remove = this.#file !== null && now !== null && this.#cleanupSocket && isSameFile(now, this.#file.stats);
    if (this.#file === null || now === null || !this.#boundByNode) closeServer(this.#server);
    else this.#closeBesideFile(this.#file.path);
    if (this.#file !== null && remove) unlinkIfThere(this.#file.path);
  }

  /**
   * Closes the server and keeps its file.
   *
   * Node: unlinks the path that a server was bound to, whatever file is there. A second link preserves the file, and is renamed back
   * afterwards.
   */
  #closeBesideFile(path: FileName): void {
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
    closeServer(this.#server);
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
}
