/**
 * `Server`: starts listening and shuts down. Python's `asyncio.Server`, as of 3.13. See `listener.ts` for accepting connections and
 * `clients.ts` for client lifetimes.
 */
import { checkSignal, checkTimeout, type SignalOptions } from "../base/arguments.js";
import { debugMode } from "../base/debug-mode.js";
import { InvalidStateError } from "../base/errors.js";
import { checkKnownOptions, type KnownOptions, knownOptions, WAIT_OPTIONS } from "../base/known-options.js";
import { clearTimeout, startLimit } from "../base/scheduling.js";
import {
  type Cancellation,
  cancellationOf,
  checkWaitOptions,
  forgetAborted,
  onceAborted,
  throwIfAborted,
  Waiters,
  withOneDeadline,
} from "../base/waiting.js";
import type { SocketAddress, SSLServer, TransportSocket } from "../contracts/extra-info.js";
import type { Clients, ClientsPolicy, ServerStats } from "./clients.js";
import type { Listener } from "./listener.js";
import { renewServerTls } from "./options.js";
import { ServerEnd } from "./server-end.js";
import { codeOf } from "./system-error.js";

/** How long `shutdown()` lets clients finish, in milliseconds: less than the 10 s after which service managers commonly kill a process. */
const DEFAULT_GRACE_MS = 5_000;

/** The errors of listening on an address that this machine does not have, or whose family is disabled. */
const UNAVAILABLE: ReadonlySet<string> = new Set(["EADDRNOTAVAIL", "EAFNOSUPPORT"]);

/** Options of `shutdown()`. */
type ShutdownOptions = Pick<SignalOptions, "signal"> & { readonly graceMs?: number | undefined };

const SHUTDOWN_OPTIONS: KnownOptions = knownOptions<ShutdownOptions>({ graceMs: true, signal: true });

/** The result of a shutdown. */
export interface ShutdownResult {
  /** The number of clients that finished by themselves in time. */
  readonly finished: number;
  /** The number of clients that were aborted. */
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
export class Server<Address extends SocketAddress = SocketAddress> implements AsyncDisposable {
  readonly #end: ServerEnd;
  readonly #listeners: Listener[];
  readonly #clients: Clients;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = (): void => this.close();
  #starting: Promise<void> | null = null;
  #servingForever = false;

  /**
   * @param signal closes the server
   * @param origin where the program has started it, in debug mode
   * @internal
   */
  constructor(listeners: readonly Listener[], policy: ClientsPolicy, signal: AbortSignal | undefined, origin?: string) {
    this.#end = new ServerEnd(listeners, policy);
    this.#listeners = this.#end.listeners;
    this.#clients = this.#end.clients;
    this.#signal = signal;
    if (origin !== undefined) debugMode?.watch(this.#end, origin, [this]);
    onceAborted(signal, this.#onAbort);
  }

  // ---- listening ---------------------------------------------------------------------------------------------------------------

  /** The listening sockets; empty once the server is closed. */
  get sockets(): readonly TransportSocket<Address>[] {
    return this.#end.isClosed() ? [] : this.#listeners.map(({ socket }) => socket as TransportSocket as TransportSocket<Address>);
  }

  /** Lets the listening sockets keep the process alive, which is the default. Not in asyncio. */
  ref(): this {
    for (const { socket } of this.#listeners) socket.ref();
    return this;
  }

  /**
   * Lets the process end although the server listens. Connections of clients still keep it alive: see `writer.unref()`. Not in asyncio.
   *
   * @example
   * ```ts
   * server.unref(); // a status page must not keep the program running
   * ```
   */
  unref(): this {
    for (const { socket } of this.#listeners) socket.unref();
    return this;
  }

  /** Returns whether clients can connect. */
  isServing(): boolean {
    return this.#end.isServing;
  }

  /**
   * Starts accepting clients. Does nothing if the server already does.
   *
   * **If aborted**, only the wait ends: the server starts nevertheless, unless it is closed.
   *
   * @param options `signal` and `timeout` end the wait
   * @throws InvalidStateError if the server is closed; the system's error if it cannot listen, which also closes the server
   */
  async startServing(options?: SignalOptions): Promise<void> {
    checkWaitOptions("startServing", options);
    if (this.#end.isClosed()) throw new InvalidStateError("cannot start serving: the server is closed");
    await this.#started(cancellationOf(options));
  }

  async #started(signal: Cancellation | undefined): Promise<void> {
    const started = new Waiters();
    (this.#starting ??= this.#listen()).then(
      () => started.wake(),
      (error: unknown) => started.fail(() => error),
    );
    await started.wait(signal);
  }

  async #listen(): Promise<void> {
    this.#clients.captureContext();
    try {
      for (const listener of [...this.#listeners]) await this.#listenOn(listener);
      this.#end.isServing = true;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  async #listenOn(listener: Listener): Promise<void> {
    try {
      await listener.listen(this.#clients.accept, this.#clients.fail);
    } catch (error) {
      // CPython: an address that this machine does not have (for example without IPv6) is skipped, unless it is the only one.
      if (this.#listeners.length === 1 || !UNAVAILABLE.has(codeOf(error) ?? "")) throw error;
      this.#listeners.splice(this.#listeners.indexOf(listener), 1);
      await listener.close();
    }
    if (this.#end.isClosed()) throw new InvalidStateError("cannot start serving: the server was closed meanwhile");
  }

  /**
   * Serves until the server is closed. Starts serving if necessary.
   *
   * **If aborted**, the server is closed and the call rejects with the signal's reason. Connected clients are not affected; see
   * `waitClosed()` and `shutdown()`.
   *
   * @param options `signal` ends serving
   * @throws InvalidStateError if the server is closed, or already serving forever
   */
  async serveForever(options?: SignalOptions): Promise<void> {
    checkWaitOptions("serveForever", options);
    if (this.#servingForever) throw new InvalidStateError("cannot serve forever: another serveForever() is already waiting on this server");
    if (this.#end.isClosed()) throw new InvalidStateError("cannot serve forever: the server is closed");
    this.#servingForever = true;
    try {
      await withOneDeadline(cancellationOf(options), async (signal) => {
        await this.#started(signal);
        throwIfAborted(signal);
        if (!this.#end.isClosed()) await this.#end.closed.wait(signal);
      });
    } catch (error) {
      this.close();
      throw error;
    } finally {
      this.#servingForever = false;
    }
  }

  /**
   * Replaces the certificate, or more of the server's `ssl`, while the server runs. Handshakes from now on use it, also those of clients
   * that wait for their turn. No client is lost: connections and handshakes in progress keep the old one. Not in asyncio; Node's
   * `server.setSecureContext()`.
   *
   * Give all options of `tls.createSecureContext()` again, such as `ca`. Options of the handshake (`requestCert`, `rejectUnauthorized`,
   * `ALPNProtocols`, `SNICallback` and so on) stay in force unless `ssl` has them.
   *
   * A server whose callbacks call `startTls()` needs no such call: pass it the new options, or assign the new certificate to the options
   * object that it always gets.
   *
   * @param ssl a `SecureContext` with certificate and key, or `tls.TlsOptions`
   * @throws TypeError for a wrong argument, or one without a certificate; the error of `tls.createSecureContext()`, such as for a key that
   *   does not match the certificate. The old certificate stays in use.
   * @throws InvalidStateError if the server was started without `ssl`
   *
   * @example
   * ```ts
   * process.on("SIGHUP", () => server.setSecureContext({ cert: "...", key: "..." }));
   * ```
   */
  setSecureContext(ssl: SSLServer): void {
    const tls = this.#clients.tls;
    if (tls === null) throw new InvalidStateError("cannot setSecureContext(): the server was started without ssl");
    this.#clients.tls = renewServerTls(tls, ssl);
  }

  // ---- clients -----------------------------------------------------------------------------------------------------------------

  /**
   * Returns the numbers of clients and bytes, current and total, for example for a status page or metrics. Not in asyncio.
   *
   * @example
   * ```ts
   * const { active, accepted, bytesRead } = server.getStats();
   * ```
   */
  getStats(): ServerStats {
    return this.#clients.stats();
  }

  /** Closes every client's connection after sending its buffered data. Clients that still wait for their turn are closed, too. */
  closeClients(): void {
    this.#clients.close();
  }

  /** Aborts every client's connection; buffered data is dropped. */
  abortClients(): void {
    this.#clients.abort();
  }

  // ---- ending ------------------------------------------------------------------------------------------------------------------

  /** Stops listening. Connected clients are not affected, and waiting clients still get their turn. */
  close(): void {
    if (this.#end.isClosed()) return;
    forgetAborted(this.#signal, this.#onAbort);
    this.#end.close();
  }

  /**
   * Waits until the server is closed **and** its last client has disconnected.
   *
   * **If aborted**, only the wait ends.
   *
   * @param options `signal` ends the wait
   */
  async waitClosed(options?: SignalOptions): Promise<void> {
    checkKnownOptions("waitClosed", options, WAIT_OPTIONS);
    const signal = cancellationOf(options);
    if (!this.#end.hasEnded) await this.#end.ended.wait(signal);
  }

  /**
   * Ends the server in bounded time. It stops listening, aborts the `signal` of every client callback, and gives EOF to a reader that
   * waits with an empty buffer. It closes each connection whose async callback has finished, and at the deadline aborts the remaining
   * ones.
   *
   * **If aborted**, the grace period ends at once: the remaining clients are aborted.
   *
   * @param options `graceMs`: how long clients may take, in milliseconds, default 5,000, `Infinity` for no limit; `signal`: ends the grace
   *   period
   * @returns the number of clients that finished by themselves, and of those that were aborted
   * @throws RangeError if `graceMs` is negative or not an integer
   *
   * @example
   * ```ts
   * process.once("SIGTERM", async () => {
   *   const { aborted } = await server.shutdown({ graceMs: 10_000 });
   *   if (aborted > 0) console.warn(`${aborted} clients were aborted`);
   * });
   * ```
   */
  async shutdown(options?: Pick<SignalOptions, "signal"> & { readonly graceMs?: number | undefined }): Promise<ShutdownResult> {
    checkKnownOptions("shutdown", options, SHUTDOWN_OPTIONS);
    const graceMs = options?.graceMs === undefined ? DEFAULT_GRACE_MS : checkTimeout("graceMs", options.graceMs, 0);
    const signal = checkSignal(options?.signal);
    const deadline = new AbortController();
    const onDeadline = (): void => deadline.abort();
    if (signal?.aborted === true) onDeadline();
    onceAborted(signal, onDeadline); // first, because it throws if the signal does
    this.close();
    this.#clients.dropGone();
    const goneBefore = this.#clients.gone;
    this.#clients.requestShutdown();
    const timer = startLimit(onDeadline, graceMs);
    await this.waitClosed({ signal: deadline.signal }).catch(() => {}); // at the deadline
    clearTimeout(timer);
    forgetAborted(signal, onDeadline);
    this.#clients.dropGone(); // these disconnected by themselves
    const aborted = this.#clients.connected;
    this.abortClients();
    await this.waitClosed();
    // Also counts clients that had already connected but were accepted after the call.
    return { finished: this.#clients.gone - goneBefore - aborted, aborted };
  }

  /** Calls `shutdown()` with the default grace period, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }
}
