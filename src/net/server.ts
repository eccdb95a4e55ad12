/**
 * `Server`: its listeners, its clients, and how both end. Python's `asyncio.Server`, as of 3.13.
 *
 * The listeners only bring sockets; here they get a transport and a protocol, are counted, and wait where `maxConnections` says so: a client above the
 * maximum has been accepted, but nothing is read from it and it has no protocol until its turn comes.
 */
import type net from "node:net";
import { checkInteger, checkOptions, checkSignal, type SignalOptions } from "../base/arguments.js";
import { InvalidStateError } from "../base/errors.js";
import { liveSignal, Waiters } from "../base/waiting.js";
import type { TransportSocket } from "../contracts/extra-info.js";
import type { ProtocolFactory } from "../contracts/protocol.js";
import type { Transport } from "../contracts/transport.js";
import type { TransportOwner } from "../contracts/transport-owner.js";
import type { UnixNames } from "../transports/socket-info.js";
import { discardSock } from "./adopt.js";
import { startTransport } from "./start-transport.js";
import { codeOf } from "./system-error.js";

/** How long `shutdown()` lets clients finish, in milliseconds: below the 10 s after which service managers commonly start to kill. */
const DEFAULT_GRACE_MS = 5_000;

/** What listening fails with where an address is not this machine's, or its family is switched off. */
const UNAVAILABLE: ReadonlySet<string> = new Set(["EADDRNOTAVAIL", "EAFNOSUPPORT"]);

/** Takes a new connection. */
export type AcceptHandler = (socket: net.Socket, unixNames: UnixNames | null) => void;

/** Where connections come from. */
export interface Listener {
  /** Its socket, as the server's users see it. */
  readonly socket: TransportSocket;
  /** Begins to accept. */
  listen(accept: AcceptHandler, onError: (error: unknown) => void): Promise<void>;
  /** Ends for good, at once. */
  close(): void;
}

/** What the server does with its clients. */
export interface ServerPolicy {
  readonly protocolFactory: ProtocolFactory;
  readonly maxConnections: number;
  /** Accepted clients above the maximum that may wait. */
  readonly maxWaiting: number;
  readonly onError: (error: unknown) => void;
  /** Closes the server. */
  readonly signal: AbortSignal | undefined;
}

/** How a shutdown went. */
export interface ShutdownResult {
  /** Clients that ended by themselves in time. */
  readonly finished: number;
  /** Clients that were cut off. */
  readonly aborted: number;
}

/**
 * A listening server.
 *
 * @example
 * ```ts
 * const server = await startUnixServer(serveClient, "/run/app.sock");
 * process.once("SIGTERM", () => server.close());
 * await server.serveForever();
 * await server.waitClosed();
 * ```
 */
export class Server implements AsyncDisposable {
  readonly #listeners: Listener[];
  readonly #policy: ServerPolicy;
  readonly #clients: Set<Transport> = new Set();
  readonly #waitingClients: { socket: net.Socket; unixNames: UnixNames | null }[] = [];
  readonly #closeWaiters: Waiters = new Waiters();
  readonly #foreverWaiters: Waiters = new Waiters();
  readonly #owner: TransportOwner = { attach: (transport) => this.#clients.add(transport), detach: (transport) => this.#detach(transport) };
  readonly #onAbort = (): void => this.close();
  #starting: Promise<void> | null = null;
  #serving = false;
  #closed = false;
  #servingForever = false;

  /** @internal */
  constructor(listeners: readonly Listener[], policy: ServerPolicy) {
    this.#listeners = [...listeners];
    this.#policy = policy;
    policy.signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  // ---- listening ---------------------------------------------------------------------------------------------------------------

  /** The listening sockets; empty once the server is closed. */
  get sockets(): readonly TransportSocket[] {
    return this.#closed ? [] : this.#listeners.map(({ socket }) => socket);
  }

  /** Whether clients can connect. */
  isServing(): boolean {
    return this.#serving;
  }

  /**
   * Begins to accept clients; does nothing if it does already.
   *
   * @throws InvalidStateError if the server is closed; the system's error if it cannot listen, and the server is closed then
   */
  startServing(): Promise<void> {
    if (this.#closed) return Promise.reject(new InvalidStateError("cannot start serving: the server is closed"));
    return (this.#starting ??= this.#listen());
  }

  async #listen(): Promise<void> {
    try {
      for (const listener of [...this.#listeners]) await this.#listenOn(listener);
      this.#serving = true;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  async #listenOn(listener: Listener): Promise<void> {
    try {
      await listener.listen(this.#accept, this.#policy.onError);
    } catch (error) {
      // CPython: an address that this machine does not have (no IPv6, say) is left out, unless it is the only one.
      if (this.#listeners.length === 1 || !UNAVAILABLE.has(codeOf(error) ?? "")) throw error;
      this.#listeners.splice(this.#listeners.indexOf(listener), 1);
      listener.close();
    }
    if (this.#closed) throw new InvalidStateError("cannot start serving: the server was closed meanwhile");
  }

  /**
   * Serves until the server is closed. Starts serving if that has not been done.
   *
   * **If aborted**, the server is closed and the call rejects with the signal's reason; clients are left alone, see `waitClosed()` and `shutdown()`.
   *
   * @param options `signal` ends it
   * @throws InvalidStateError if the server is closed, or already serving forever
   */
  async serveForever(options?: SignalOptions): Promise<void> {
    checkOptions("options", options);
    if (this.#servingForever) throw new InvalidStateError("cannot serve forever: the server is already being awaited on serveForever()");
    if (this.#closed) throw new InvalidStateError("cannot serve forever: the server is closed");
    this.#servingForever = true;
    try {
      const signal = liveSignal(options);
      await this.startServing();
      signal?.throwIfAborted();
      if (!this.#closed) await this.#foreverWaiters.wait(signal);
    } catch (error) {
      this.close();
      throw error;
    } finally {
      this.#servingForever = false;
    }
  }

  // ---- clients -----------------------------------------------------------------------------------------------------------------

  readonly #accept: AcceptHandler = (socket, unixNames) => {
    if (this.#closed) discardSock(socket);
    else if (this.#clients.size < this.#policy.maxConnections) this.#serve(socket, unixNames);
    else if (this.#waitingClients.length < this.#policy.maxWaiting)
      this.#waitingClients.push({ socket: socket.pause().on("error", ignore), unixNames });
    else discardSock(socket);
  };

  #serve(socket: net.Socket, unixNames: UnixNames | null): void {
    try {
      startTransport(socket, this.#policy.protocolFactory, unixNames, this.#owner);
    } catch (error) {
      this.#policy.onError(error);
    }
  }

  #detach(transport: Transport): void {
    this.#clients.delete(transport);
    this.#serveWaiting();
    this.#wakeIfEnded();
  }

  #serveWaiting(): void {
    while (this.#clients.size < this.#policy.maxConnections) {
      const waiting = this.#waitingClients.shift();
      if (waiting === undefined) return;
      if (!waiting.socket.destroyed) this.#serve(waiting.socket, waiting.unixNames);
    }
  }

  /** Closes every client's connection, each after what was written to it. */
  closeClients(): void {
    for (const transport of [...this.#clients]) transport.close();
  }

  /** Closes every client's connection at once. */
  abortClients(): void {
    for (const transport of [...this.#clients]) transport.abort();
  }

  // ---- ending ------------------------------------------------------------------------------------------------------------------

  /** Stops listening. Clients are left alone; those that still wait for their turn are closed. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#serving = false;
    this.#policy.signal?.removeEventListener("abort", this.#onAbort);
    for (const listener of this.#listeners) listener.close();
    for (const { socket } of this.#waitingClients.splice(0)) discardSock(socket);
    this.#foreverWaiters.wake();
    this.#wakeIfEnded();
  }

  #wakeIfEnded(): void {
    if (this.#closed && this.#clients.size === 0) this.#closeWaiters.wake();
  }

  /**
   * Waits until the server is closed **and** its last client is gone.
   *
   * **If aborted**, only the wait ends.
   *
   * @param options `signal` ends the wait
   */
  async waitClosed(options?: SignalOptions): Promise<void> {
    checkOptions("options", options);
    const signal = liveSignal(options);
    if (!this.#closed || this.#clients.size > 0) await this.#closeWaiters.wait(signal);
  }

  /**
   * Ends the server in bounded time: stops listening, tells the clients' callbacks through their `signal`, gives a reader that waits for a new message
   * the end of the stream, closes connections whose callback has returned, and cuts off at the deadline what is left.
   *
   * **If aborted**, the deadline is now.
   *
   * @param options `graceMs`: how long clients may take, default 5,000 ms; `signal`: ends the grace period
   * @returns how many clients ended by themselves, and how many were cut off
   * @throws RangeError if `graceMs` is negative or no integer
   *
   * @example
   * ```ts
   * process.once("SIGTERM", async () => {
   *   const { aborted } = await server.shutdown({ graceMs: 10_000 });
   *   if (aborted > 0) console.warn(`${aborted} clients were cut off`);
   * });
   * ```
   */
  async shutdown(options?: SignalOptions & { readonly graceMs?: number | undefined }): Promise<ShutdownResult> {
    checkOptions("options", options);
    const graceMs = options?.graceMs === undefined ? DEFAULT_GRACE_MS : checkInteger("graceMs", options.graceMs, 0, 2 ** 31 - 1);
    const signal = checkSignal(options?.signal);
    this.close();
    const clients = this.#clients.size;
    for (const transport of [...this.#clients]) transport.getProtocol().shutdownRequested?.();
    const aborted = await this.#endOfGrace(graceMs, signal);
    this.abortClients();
    await this.waitClosed();
    return { finished: clients - aborted, aborted };
  }

  /** Waits for the clients or the deadline; returns how many are left. */
  async #endOfGrace(graceMs: number, signal: AbortSignal | undefined): Promise<number> {
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), graceMs);
    const onAbort = (): void => deadline.abort();
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      if (signal?.aborted !== true) await this.waitClosed({ signal: deadline.signal });
    } catch {
      // the deadline
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    }
    return this.#clients.size;
  }

  /** For `await using`: `shutdown()` with its default grace period. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }
}

function ignore(): void {}
