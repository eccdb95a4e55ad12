/** `Server`: how it listens, and how it ends. Python's `asyncio.Server`, as of 3.13. Where clients come from is told in `listener.ts`, what becomes of them in `clients.ts`. */
import { checkInteger, checkOptions, checkSignal, type SignalOptions } from "../base/arguments.js";
import { InvalidStateError } from "../base/errors.js";
import { clearTimeout, setTimeout } from "../base/scheduling.js";
import { checkWaitOptions, forgetAborted, onceAborted, throwIfAborted, Waiters, waitEnd, waitThroughout } from "../base/waiting.js";
import type { TransportSocket } from "../contracts/extra-info.js";
import { Clients, type ClientsPolicy, type ServerStats } from "./clients.js";
import type { Listener } from "./listener.js";
import { codeOf } from "./system-error.js";

/** How long `shutdown()` lets clients finish, in milliseconds: below the 10 s after which service managers commonly start to kill. */
const DEFAULT_GRACE_MS = 5_000;

/** What listening fails with where an address is not this machine's, or its family is switched off. */
const UNAVAILABLE: ReadonlySet<string> = new Set(["EADDRNOTAVAIL", "EAFNOSUPPORT"]);

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
  readonly #clients: Clients;
  readonly #signal: AbortSignal | undefined;
  readonly #closeWaiters: Waiters = new Waiters();
  readonly #foreverWaiters: Waiters = new Waiters();
  readonly #onAbort = (): void => this.close();
  #starting: Promise<void> | null = null;
  #serving = false;
  #closed = false;
  #servingForever = false;
  /** Listeners that still accept what had reached them before they were closed. */
  #draining = 0;

  /**
   * @param signal closes the server
   * @internal
   */
  constructor(listeners: readonly Listener[], policy: ClientsPolicy, signal: AbortSignal | undefined) {
    this.#listeners = [...listeners];
    this.#clients = new Clients(policy, () => this.#wakeIfEnded());
    this.#signal = signal;
    onceAborted(signal, this.#onAbort);
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
    this.#clients.captureContext();
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
      await listener.listen(this.#clients.accept, this.#clients.fail);
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
    if (this.#servingForever) throw new InvalidStateError("cannot serve forever: another serveForever() is already waiting on this server");
    if (this.#closed) throw new InvalidStateError("cannot serve forever: the server is closed");
    this.#servingForever = true;
    try {
      await waitThroughout(waitEnd(options), async (signal) => {
        const started = new Waiters();
        this.startServing().then(
          () => started.wake(),
          (error: unknown) => started.fail(() => error),
        );
        await started.wait(signal);
        throwIfAborted(signal);
        if (!this.#closed) await this.#foreverWaiters.wait(signal);
      });
    } catch (error) {
      this.close();
      throw error;
    } finally {
      this.#servingForever = false;
    }
  }

  // ---- clients -----------------------------------------------------------------------------------------------------------------

  /**
   * How many clients there are and have been, and how many bytes they have carried: for a status page or a metric. Only here.
   *
   * @example
   * ```ts
   * const { active, accepted, bytesRead } = server.getStats();
   * ```
   */
  getStats(): ServerStats {
    return this.#clients.stats();
  }

  /** Closes every client's connection, each after what was written to it; those who still wait for their turn, too. */
  closeClients(): void {
    this.#clients.close();
  }

  /** Closes every client's connection at once. */
  abortClients(): void {
    this.#clients.abort();
  }

  // ---- ending ------------------------------------------------------------------------------------------------------------------

  /** Stops listening. Clients are left alone, and those who had connected and wait for their turn still get it. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#serving = false;
    forgetAborted(this.#signal, this.#onAbort);
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
    return this.#closed && this.#draining === 0 && this.#clients.connected === 0;
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
    const deadline = new AbortController();
    const onDeadline = (): void => deadline.abort();
    if (signal?.aborted === true) onDeadline();
    onceAborted(signal, onDeadline); // first, since it throws if the signal does
    this.close();
    this.#clients.dropGone();
    const goneBefore = this.#clients.gone;
    this.#clients.requestShutdown();
    const timer = setTimeout(onDeadline, graceMs);
    await this.waitClosed({ signal: deadline.signal }).catch(() => {}); // at the deadline
    clearTimeout(timer);
    forgetAborted(signal, onDeadline);
    this.#clients.dropGone(); // they left by themselves
    const aborted = this.#clients.connected;
    this.abortClients();
    await this.waitClosed();
    // Those count, too, who had connected but were only accepted after the call.
    return { finished: this.#clients.gone - goneBefore - aborted, aborted };
  }

  /** For `await using`: `shutdown()` with its default grace period. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }
}
