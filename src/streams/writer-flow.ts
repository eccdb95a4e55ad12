/**
 * `WriterFlow`: when a writer has to wait, and whether its connection still stands. Python's `FlowControlMixin`.
 *
 * Promises: any number of callers may wait in each call, and every wait ends with the connection at the latest.
 */
import { ConnectionLostError, messageOf } from "../base/errors.js";
import { nextTurn } from "../base/scheduling.js";
import { CALL_BYTES, TURN_BYTES } from "../base/turn-budget.js";
import { DONE, type WaitEnd, Waiters } from "../base/waiting.js";
import type { Transport } from "../contracts/connection.js";

/** The part of a protocol that a `StreamWriter` asks: the base of `StreamReaderProtocol`. */
export class WriterFlow {
  #writingPaused = false;
  #lost = false;
  #lossError: Error | null = null;
  /** Why nothing can be sent any more, once that is known; the loss follows. */
  #writeError: Error | null = null;
  /** What may still pass in this turn of the event loop; see `turn-budget.ts`. */
  #budget: number = TURN_BYTES;
  /** Bytes written when `paced()` was last called. */
  #pacedBytes = 0;
  // Lists that most connections never need.
  #drainWaiters: Waiters | null = null;
  #closeWaiters: Waiters | null = null;
  #lossWaiters: Waiters | null = null;

  /** Makes `drain()` wait. */
  pauseWriting(): void {
    this.#writingPaused = true;
  }

  /** Lets everybody who waits in `drain()` go on. */
  resumeWriting(): void {
    this.#writingPaused = false;
    this.#drainWaiters?.wake();
  }

  /**
   * Ends every wait: the connection is gone, with the error that ended it or `null`.
   *
   * CPython: a `drain()` that waits returns quietly if there is no error. Here it throws, since what it waited for was dropped.
   */
  connectionLost(error: Error | null): void {
    if (this.#lost) return;
    this.#lost = true;
    this.#lossError = error;
    this.#lossWaiters?.wake();
    this.#drainWaiters?.fail(() => this.#connectionLostError());
    if (error === null) this.#closeWaiters?.wake();
    else this.#closeWaiters?.fail(() => error);
  }

  /**
   * Nothing can be sent any more: every `drain()` from now on rejects, and those that wait do, unless the loss of the connection is about to end them.
   *
   * @internal
   */
  "asyncio-streams:writingFailed"(error: Error, muchLater: boolean): void {
    if (this.#lost || this.#writeError !== null) return;
    this.#writeError = error;
    if (muchLater) this.#drainWaiters?.fail(() => this.#connectionLostError());
  }

  /**
   * Whether `drain()` need not wait.
   *
   * @internal
   */
  get isFlowing(): boolean {
    return !this.#writingPaused && !this.#lost && this.#writeError === null;
  }

  /**
   * Gives back `wait`, unless the calls of this turn of the event loop have used up their budget: then the loop runs first. See `turn-budget.ts`.
   *
   * @param written bytes written so far
   * @internal
   */
  paced(wait: Promise<void>, written: number): Promise<void> {
    const bytes = written - this.#pacedBytes;
    this.#pacedBytes = written;
    this.#budget -= bytes > CALL_BYTES ? bytes : CALL_BYTES;
    return this.#budget < 0 ? this.#nextTurn(wait) : wait;
  }

  #nextTurn(wait: Promise<void>): Promise<void> {
    this.#budget = TURN_BYTES;
    wait.catch(() => {}); // it is given back a turn later
    return nextTurn().then(() => wait);
  }

  /** The event loop has turned. */
  protected turned(): void {
    this.#budget = TURN_BYTES;
  }

  /** Whether the connection is gone. */
  protected get lost(): boolean {
    return this.#lost;
  }

  /**
   * The error that ended the connection; `null` if there is none, or it has not ended.
   *
   * @internal
   */
  get lossError(): Error | null {
    return this.#lossError;
  }

  /**
   * Waits until writing is not paused; rejects once the connection is lost.
   *
   * @internal
   */
  drained(signal: WaitEnd | undefined): Promise<void> {
    if (this.#lost || this.#writeError !== null) return Promise.reject(this.#connectionLostError());
    return this.#writingPaused ? (this.#drainWaiters ??= new Waiters()).wait(signal) : DONE;
  }

  /**
   * Waits for the loss of the connection, then rejects.
   *
   * @internal
   */
  async drainedNever(signal: WaitEnd | undefined): Promise<void> {
    if (!this.#lost && this.#writeError === null) await (this.#lossWaiters ??= new Waiters()).wait(signal);
    throw this.#connectionLostError();
  }

  /**
   * Waits for the end of the connection; rejects with the error that ended it.
   *
   * @internal
   */
  closed(signal: WaitEnd | undefined): Promise<void> {
    if (!this.#lost) return (this.#closeWaiters ??= new Waiters()).wait(signal);
    return this.#lossError === null ? DONE : Promise.reject(this.#lossError);
  }

  /**
   * Which side this end is on in TLS.
   *
   * @internal
   */
  get tlsRole(): "client" | "server" {
    return "client";
  }

  /**
   * The connection has changed over to another transport.
   *
   * @internal
   */
  replaceTransport(_transport: Transport): void {}

  #connectionLostError(): ConnectionLostError {
    const error = this.#lossError ?? this.#writeError;
    return error === null
      ? new ConnectionLostError("cannot drain: the connection is closed")
      : new ConnectionLostError(`cannot drain: the connection is lost: ${messageOf(error)}`, { cause: error });
  }
}
