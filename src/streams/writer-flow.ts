/**
 * `WriterFlow`: decides when a writer waits, and knows whether the connection is lost. Python's `FlowControlMixin`.
 *
 * It guarantees that any number of callers may wait in each call, and that every wait ends when the connection does.
 */
import { debugMode } from "../base/debug-mode.js";
import { ConnectionLostError, messageOf } from "../base/errors.js";
import { CALL_BYTES, nextTurn, TURN_BYTES } from "../base/scheduling.js";
import { type Cancellation, DONE, Waiters } from "../base/waiting.js";
import type { Transport } from "../contracts/connection.js";
import type { ReadEngine } from "./read-engine.js";

/** The state that a `StreamWriter` uses of its protocol. */
export class WriterFlow {
  #writingPaused = false;
  #lost = false;
  #lossError: Error | null = null;
  /** The error after which nothing can be sent; the loss of the connection follows. */
  #writeError: Error | null = null;
  /** The remaining budget of this turn of the event loop. See `scheduling.ts`. */
  #budget: number = TURN_BYTES;
  /** Bytes written up to the last call of `paced()`. */
  #pacedBytes = 0;
  // Created on first use: most connections never need these lists.
  #drainWaiters: Waiters | null = null;
  #closeWaiters: Waiters | null = null;
  #lossWaiters: Waiters | null = null;

  /** Whether a call of the program waits for the connection. */
  get isInUse(): boolean {
    return [this.#drainWaiters, this.#closeWaiters, this.#lossWaiters].some((waiters) => waiters?.isWaitedFor === true);
  }

  /** Makes `drain()` wait. */
  pauseWriting(): void {
    this.#writingPaused = true;
    debugMode?.paused(this, () => this.#lost || this.#writeError !== null);
  }

  /** Resolves all waiting `drain()` calls. */
  resumeWriting(): void {
    this.#writingPaused = false;
    this.#drainWaiters?.wake();
  }

  /**
   * Ends every wait. `error` is what ended the connection, `null` after an orderly end.
   *
   * CPython: a waiting `drain()` returns normally if there is no error. Here it rejects, because the data it waited for was dropped.
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
   * Marks writing as failed: every later `drain()` rejects. Waiting calls reject too if the loss comes much later; otherwise the loss
   * ends them.
   */
  "asyncio-streams:writingFailed"(error: Error, muchLater: boolean): void {
    if (this.#lost || this.#writeError !== null) return;
    this.#writeError = error;
    if (muchLater) this.#drainWaiters?.fail(() => this.#connectionLostError());
  }

  /** Whether `drain()` can return without waiting. */
  get isFlowing(): boolean {
    return !this.#writingPaused && !this.#lost && this.#writeError === null;
  }

  /**
   * Returns `wait`. If the calls of this turn of the event loop have spent their budget, the loop runs first. See `scheduling.ts`.
   *
   * @param written bytes written so far
   */
  paced(wait: Promise<void>, written: number): Promise<void> {
    const bytes = written - this.#pacedBytes;
    this.#pacedBytes = written;
    this.#budget -= bytes > CALL_BYTES ? bytes : CALL_BYTES;
    return this.#budget < 0 ? this.#nextTurn(wait) : wait;
  }

  #nextTurn(wait: Promise<void>): Promise<void> {
    this.#budget = TURN_BYTES;
    wait.catch(() => {}); // `wait` is returned one turn later
    return nextTurn().then(() => wait);
  }

  /** Renews the budget in a new turn of the event loop. */
  turned(): void {
    this.#budget = TURN_BYTES;
  }

  /** Whether the connection is lost. */
  get lost(): boolean {
    return this.#lost;
  }

  /** The error that ended the connection; `null` if there is none, or the connection has not ended. */
  get lossError(): Error | null {
    return this.#lossError;
  }

  /** Waits until writing is not paused. Rejects once the connection is lost. */
  drained(signal: Cancellation | undefined): Promise<void> {
    if (this.#lost || this.#writeError !== null) return Promise.reject(this.#connectionLostError());
    return this.#writingPaused ? (this.#drainWaiters ??= new Waiters()).wait(signal) : DONE;
  }

  /** Waits for the loss of the connection, then rejects. */
  async rejectOnceLost(signal: Cancellation | undefined): Promise<void> {
    if (!this.#lost && this.#writeError === null) await (this.#lossWaiters ??= new Waiters()).wait(signal);
    throw this.#connectionLostError();
  }

  /** Waits for the end of the connection. Rejects with the error that ended it, if there is one. */
  closed(signal: Cancellation | undefined): Promise<void> {
    if (!this.#lost) return (this.#closeWaiters ??= new Waiters()).wait(signal);
    return this.#lossError === null ? DONE : Promise.reject(this.#lossError);
  }

  /** The read engine of the protocol's reader; `null` if it has none. */
  get engine(): ReadEngine | null {
    return null;
  }

  /** The role of this end in TLS. */
  get tlsRole(): "client" | "server" {
    return "client";
  }

  /** Replaces the transport of the connection. */
  replaceTransport(_transport: Transport): void {}

  #connectionLostError(): ConnectionLostError {
    const error = this.#lossError ?? this.#writeError;
    return error === null
      ? new ConnectionLostError("cannot drain: the connection is closed")
      : new ConnectionLostError(`cannot drain: the connection is lost: ${messageOf(error)}`, { cause: error });
  }
}
