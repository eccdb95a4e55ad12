/**
 * `Server`: its listeners, its clients, and how both end. Python's `asyncio.Server`, as of 3.13.
 *
 * The listeners only bring sockets; here they get a transport and a protocol, are counted, and wait where `maxConnections` says so: a client above the
 * maximum has been accepted, but nothing is read from it and it has no protocol until its turn comes.
 */
import type net from "node:net";
import { checkInteger, checkOptions, checkSignal, type SignalOptions, show } from "../base/arguments.js";
import { InvalidStateError } from "../base/errors.js";
import { checkWaitOptions, forgetAborted, onceAborted, Waiters, waitEnd } from "../base/waiting.js";
import type { ProtocolFactory, Transport } from "../contracts/connection.js";
import type { TransportSocket } from "../contracts/extra-info.js";
import type { ByteCounts, TransportOwner } from "../contracts/transport-owner.js";
import { now, tellError } from "../transports/diagnostics.js";
import type { UnixNames } from "../transports/socket-info.js";
import type { Wire } from "../transports/wire.js";
import type { ServerTls } from "./options.js";
import { acceptSecured, type ConnectionFacts, startTransport } from "./start-transport.js";
import { codeOf } from "./system-error.js";

/** How long `shutdown()` lets clients finish, in milliseconds: below the 10 s after which service managers commonly start to kill. */
const DEFAULT_GRACE_MS = 5_000;

/** What listening fails with where an address is not this machine's, or its family is switched off. */
const UNAVAILABLE: ReadonlySet<string> = new Set(["EADDRNOTAVAIL", "EAFNOSUPPORT"]);

/** Takes a new connection. */
export type AcceptHandler = (wire: Wire, unixNames: UnixNames | null) => void;

/** Where connections come from. */
export interface Listener {
  /** Its socket, as the server's users see it. */
  readonly socket: TransportSocket;
  /** Begins to accept. */
  listen(accept: AcceptHandler, onError: (error: unknown) => void): Promise<void>;
  /**
   * Ends for good: nobody can connect any more. Clients that had connected by then may still be accepted for a moment; the promise, if there is one, tells
   * when that is over.
   */
  close(): Promise<void> | void;
}

/** What the server does with its clients. */
export interface ServerPolicy {
  readonly protocolFactory: ProtocolFactory;
  readonly maxConnections: number;
  /** Accepted clients above the maximum that may wait. */
  readonly maxWaiting: number;
  readonly onError: (error: unknown) => void;
  /** TLS for every client; `null`: none. */
  readonly tls: ServerTls | null;
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

/** What a server has done so far, and what it is doing. */
export interface ServerStats extends ByteCounts {
  /** Clients being served. */
  readonly active: number;
  /** Accepted clients that wait for their turn: `maxConnections` are being served. */
  readonly waiting: number;
  /** Clients whose TLS handshake is under way. */
  readonly handshakes: number;
  /** Clients accepted so far. */
  readonly accepted: number;
  /** Of these, clients closed at once, since too many were waiting. */
  readonly refused: number;
  /** What went wrong so far before a client had a protocol: TLS handshakes, mostly, and failures to accept. */
  readonly failed: number;
}

/** A client that was accepted. */
interface Accepted {
  readonly wire: Wire;
  readonly unixNames: UnixNames | null;
  readonly begunAt: number;
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
  readonly #clients: Set<Transport & ByteCounts> = new Set();
  /** Clients that have no protocol yet: their TLS handshake is under way. Aborting one ends it. */
  readonly #handshakes: Set<AbortController> = new Set();
  readonly #waitingClients: Accepted[] = [];
  readonly #closeWaiters: Waiters = new Waiters();
  readonly #foreverWaiters: Waiters = new Waiters();
  readonly #owner: TransportOwner = { attach: (transport) => this.#attach(transport), detach: (transport) => this.#detach(transport) };
  readonly #onAbort = (): void => this.close();
  readonly #onError = (error: unknown): void => this.#fail(error);
  #accepted = 0;
  #refused = 0;
  #failed = 0;
  /** What clients that are gone have carried. */
  #bytesRead = 0;
  #bytesWritten = 0;
  #starting: Promise<void> | null = null;
  #serving = false;
  #closed = false;
  #servingForever = false;
  #shuttingDown = false;
  /** Listeners that still accept what had reached them before they were closed. */
  #draining = 0;

  /** @internal */
  constructor(listeners: readonly Listener[], policy: ServerPolicy) {
    this.#listeners = [...listeners];
    this.#policy = policy;
    onceAborted(policy.signal, this.#onAbort);
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
      await listener.listen(this.#accept, this.#onError);
    } catch (error) {
      // CPython: an address that this machine does not have (no IPv6, say) is left out, unless it is the only one.
      if (this.#listeners.length === 1 || !UNAVAILABLE.has(codeOf(error) ?? "")) throw error;
      this.#listeners.splice(this.#listeners.indexOf(listener), 1);
      await listener.close();
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
    checkWaitOptions(options);
    if (this.#servingForever) throw new InvalidStateError("cannot serve forever: the server is already being awaited on serveForever()");
    if (this.#closed) throw new InvalidStateError("cannot serve forever: the server is closed");
    this.#servingForever = true;
    try {
      const signal = waitEnd(options);
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

  readonly #accept: AcceptHandler = (wire, unixNames) => {
    this.#accepted += 1;
    const client = { wire, unixNames, begunAt: now() };
    if (this.#served < this.#policy.maxConnections) this.#serve(client);
    else if (this.#waitingClients.length < this.#policy.maxWaiting) {
      wire.pause();
      this.#waitingClients.push(client);
    } else {
      this.#refused += 1;
      wire.destroy();
    }
  };

  /** Something went wrong before a client had a protocol. */
  #fail(error: unknown): void {
    this.#failed += 1;
    tellError(null, error, "accept");
    this.#policy.onError(error);
  }

  /** Clients being served, and those on their way through the handshake. */
  get #served(): number {
    return this.#clients.size + this.#handshakes.size;
  }

  /** All clients, with those who wait for their turn. */
  get #connected(): number {
    return this.#served + this.#waitingClients.length;
  }

  #serve({ wire, unixNames, begunAt }: Accepted): void {
    const { protocolFactory, tls } = this.#policy;
    const facts = { unixNames, begunAt, owner: this.#owner };
    if (tls !== null) {
      void this.#serveSecured(wire.release(), { ...facts, tls });
      return;
    }
    try {
      startTransport(wire, protocolFactory, facts);
    } catch (error) {
      this.#fail(error);
    }
  }

  async #serveSecured(socket: net.Socket, facts: ConnectionFacts & { readonly tls: ServerTls }): Promise<void> {
    const handshake = new AbortController();
    this.#handshakes.add(handshake);
    try {
      await acceptSecured(socket, this.#policy.protocolFactory, { ...facts, signal: handshake.signal });
    } catch (error) {
      if (!handshake.signal.aborted) this.#fail(error);
    } finally {
      this.#handshakes.delete(handshake);
      this.#serveWaiting();
      this.#wakeIfEnded();
    }
  }

  #attach(transport: Transport & ByteCounts): void {
    this.#clients.add(transport);
    // Accepted from the queue while the server shuts down; its protocol has not been told that it is connected yet.
    if (this.#shuttingDown) queueMicrotask(() => requestShutdown(transport));
  }

  #detach(transport: Transport & ByteCounts): void {
    this.#clients.delete(transport);
    this.#bytesRead += transport.bytesRead;
    this.#bytesWritten += transport.bytesWritten;
    this.#serveWaiting();
    this.#wakeIfEnded();
  }

  #serveWaiting(): void {
    while (this.#served < this.#policy.maxConnections) {
      const waiting = this.#waitingClients.shift();
      if (waiting === undefined) return;
      if (!waiting.wire.destroyed) this.#serve(waiting);
    }
  }

  /**
   * How many clients there are and have been, and how many bytes they have carried: for a status page or a metric. Only here.
   *
   * @example
   * ```ts
   * const { active, accepted, bytesRead } = server.getStats();
   * ```
   */
  getStats(): ServerStats {
    let bytesRead = this.#bytesRead;
    let bytesWritten = this.#bytesWritten;
    for (const client of this.#clients) {
      bytesRead += client.bytesRead;
      bytesWritten += client.bytesWritten;
    }
    return {
      active: this.#clients.size,
      waiting: this.#waitingClients.length,
      handshakes: this.#handshakes.size,
      accepted: this.#accepted,
      refused: this.#refused,
      failed: this.#failed,
      bytesRead,
      bytesWritten,
    };
  }

  /** Closes every client's connection, each after what was written to it; those who still wait for their turn, too. */
  closeClients(): void {
    this.#dropUnserved();
    for (const transport of [...this.#clients]) transport.close();
  }

  /** Closes every client's connection at once. */
  abortClients(): void {
    this.#dropUnserved();
    for (const transport of [...this.#clients]) transport.abort();
  }

  /** Cuts off clients that have no transport yet. */
  #dropUnserved(): void {
    for (const { wire } of this.#waitingClients.splice(0)) wire.destroy();
    for (const handshake of [...this.#handshakes]) handshake.abort();
    this.#wakeIfEnded();
  }

  // ---- ending ------------------------------------------------------------------------------------------------------------------

  /** Stops listening. Clients are left alone, and those who had connected and wait for their turn still get it. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#serving = false;
    forgetAborted(this.#policy.signal, this.#onAbort);
    for (const listener of this.#listeners) this.#drain(listener.close());
    this.#foreverWaiters.wake();
    this.#wakeIfEnded();
  }

  /** Clients who had connected are still taken in; until then the server has not ended. */
  #drain(drained: Promise<void> | void): void {
    if (drained === undefined) return;
    this.#draining += 1;
    void drained.finally(() => {
      this.#draining -= 1;
      this.#wakeIfEnded();
    });
  }

  /** Whether the server is closed and its last client gone. */
  get #ended(): boolean {
    return this.#closed && this.#draining === 0 && this.#connected === 0;
  }

  #wakeIfEnded(): void {
    if (this.#ended) this.#closeWaiters.wake();
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
    const signal = waitEnd(options);
    if (!this.#ended) await this.#closeWaiters.wait(signal);
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
  async shutdown(options?: Pick<SignalOptions, "signal"> & { readonly graceMs?: number | undefined }): Promise<ShutdownResult> {
    checkOptions("options", options);
    const graceMs = options?.graceMs === undefined ? DEFAULT_GRACE_MS : checkInteger("graceMs", options.graceMs, 0, 2 ** 31 - 1);
    const signal = checkSignal(options?.signal);
    this.close();
    this.#shuttingDown = true;
    const clientsBefore = this.#connected - this.#accepted + this.#refused;
    for (const transport of [...this.#clients]) requestShutdown(transport);
    const aborted = await this.#endOfGrace(graceMs, signal);
    this.abortClients();
    await this.waitClosed();
    // Those count, too, who had connected but were only accepted after the call.
    return { finished: clientsBefore + this.#accepted - this.#refused - aborted, aborted };
  }

  /** Waits for the clients or the deadline; returns how many are left. */
  async #endOfGrace(graceMs: number, signal: AbortSignal | undefined): Promise<number> {
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), graceMs);
    const onAbort = (): void => deadline.abort();
    onceAborted(signal, onAbort);
    try {
      if (signal?.aborted !== true) await this.waitClosed({ signal: deadline.signal });
    } catch {
      // the deadline
    } finally {
      clearTimeout(timer);
      forgetAborted(signal, onAbort);
    }
    return this.#connected;
  }

  /** For `await using`: `shutdown()` with its default grace period. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }
}

/** Like any method of a protocol that throws, it ends its connection: the other clients are still to be told. */
function requestShutdown(transport: Transport): void {
  try {
    transport.getProtocol().shutdownRequested?.();
  } catch (error) {
    transport.abort(error instanceof Error ? error : new Error(`a protocol threw ${show(error)}`, { cause: error }));
  }
}
