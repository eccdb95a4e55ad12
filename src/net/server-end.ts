/**
 * `ServerEnd`: closes the listeners of a server, and notices when its last client has left. The part of a `Server` that the listening
 * sockets and the clients refer to, so that the debug mode can find a `Server` that the program has dropped (see `base/debug-mode.ts`).
 */
import { showAddress } from "../base/arguments.js";
import type { Resource } from "../base/debug-mode.js";
import { Waiters } from "../base/waiting.js";
import { Clients, type ClientsPolicy } from "./clients.js";
import type { Listener } from "./listener.js";

export class ServerEnd implements Resource {
  readonly listeners: Listener[];
  readonly clients: Clients;
  /** Callers that wait until the server has ended. */
  readonly ended: Waiters = new Waiters();
  /** Callers of `serveForever()`. */
  readonly closed: Waiters = new Waiters();
  isServing = false;
  #isClosed = false;
  /** The number of closed listeners that still accept connections made before they were closed. */
  #draining = 0;

  constructor(listeners: readonly Listener[], policy: ClientsPolicy) {
    this.listeners = [...listeners];
    this.clients = new Clients(policy, () => this.#wakeIfEnded());
  }

  isClosed(): boolean {
    return this.#isClosed;
  }

  /** Whether the server is closed and its last client has disconnected. */
  get hasEnded(): boolean {
    return this.#isClosed && this.#draining === 0 && this.clients.connected === 0;
  }

  close(): void {
    this.#isClosed = true;
    this.isServing = false;
    for (const listener of this.listeners) this.#drain(listener.close());
    this.closed.wake();
    this.#wakeIfEnded();
  }

  /** Keeps the server from ending until a closed listener has accepted the clients that had already connected. */
  #drain(drained: Promise<void> | void): void {
    if (drained === undefined) return;
    this.#draining += 1;
    void drained.finally(() => {
      this.#draining -= 1;
      this.#wakeIfEnded();
    });
  }

  #wakeIfEnded(): void {
    if (this.hasEnded) this.ended.wake();
  }

  // ---- for the debug mode ------------------------------------------------------------------------------------------------------

  describe(): string {
    const addresses = this.listeners.map(({ socket }) => showAddress(socket.getsockname()));
    return `the server on ${addresses.join(" and ")}`;
  }

  isInUse(): boolean {
    return this.ended.isWaitedFor || this.closed.isWaitedFor;
  }
}
