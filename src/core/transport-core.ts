/**
 * `TransportCore`: the lifecycle of a connection, and the base class of every transport. It keeps the state, calls the protocol, and alone
 * calls `connectionLost()`.
 *
 * Theory of operation
 *
 * A transport moves bytes. This base class decides what to call on the protocol, and when. `TransportState` lists the states of a
 * connection, `TRANSITIONS` the transitions between them. A transport calls `deliver()`, `deliverEnd()`, `failWriting()`, `breakOff()` and
 * `loseConnection()` to report what has happened, and checks `state` before it acts.
 *
 * The rules, each with a test:
 *   - `connectionLost()` is called exactly once, and never inside another call of the protocol: `loseConnection()` defers it in that case.
 *   - Once a loss is known, `isClosing()` is true and the protocol is notified (`writingFailed`) in the same turn of the event loop, so
 *     that the next `drain()` rejects. The notification touches only promises, so it may happen inside a call of the protocol.
 *   - A failed write ends writing only. Data received before it is still delivered; then the connection is lost with the error of the
 *     write.
 *   - An exception from a protocol method ends the connection with that exception. A method that the protocol does not have does nothing.
 *   - `pauseWriting()` and `resumeWriting()` alternate, and follow the size of the write buffer.
 */

import { checkProtocol } from "../base/arguments.js";
import type { NonSharedBuffer } from "../base/bytes.js";
import { debugMode } from "../base/debug-mode.js";
import { asError, callForeign, notSentError, warnOf } from "../base/errors.js";
import { WriteWatermarks } from "../base/limits.js";
import { type Cancellation, type Canceller, DONE, Waiters } from "../base/waiting.js";
import type { Protocol, WriteBufferLimits } from "../contracts/connection.js";

/**
 * The states of a connection, as its transport sees them:
 *   - `open`: both directions work, or one of them has ended in order.
 *   - `securing`: `startTls()` is in progress. Nothing is delivered, and writing is not allowed.
 *   - `failing`: a write failed, so nothing more can be sent. Data received before is still delivered, then the connection is lost.
 *   - `released`: both sides have ended and the socket is closed. `connectionLost()` is called only after `close()` or `abort()`.
 *   - `closing`: `close()`, `abort()` or an error has ended the connection. `connectionLost()` follows.
 *   - `replaced`: another transport has taken over the connection and will call `connectionLost()`.
 *   - `lost`: `connectionLost()` has been called.
 */
export type TransportState = "open" | "securing" | "failing" | "released" | "closing" | "replaced" | "lost";

/** The states that may follow each state. */
export const TRANSITIONS: Readonly<Record<TransportState, readonly TransportState[]>> = {
  open: ["securing", "failing", "released", "closing", "lost"],
  securing: ["replaced", "closing", "lost"],
  failing: ["closing", "lost"],
  released: ["closing", "lost"],
  closing: ["lost"],
  replaced: [],
  lost: [],
};

/** The base class of all transports. */
export abstract class TransportCore {
  #state: TransportState = "open";
  #protocol: Protocol;
  #error: Error | null = null;
  #readingPaused = false;
  /** Number of protocol calls in progress; they may be nested. */
  #calls = 0;
  /** Whether `connectionLost()` is scheduled or was called. */
  #losing = false;
  readonly #defaultHigh: number;
  /** `regulate()` acts only if the write buffer is larger than this: the high-water mark, or -1 while writing is paused. */
  #judgedAbove: number;
  /** Created when the buffer first exceeds the default mark, or when its marks are read or set. Few connections need it. */
  #flowIfAny: WriteWatermarks | null = null;
  /** Callers that wait until all written data is sent. */
  #written: Waiters | null = null;

  /** @param defaultHigh the high-water mark of the write buffer in bytes */
  constructor(protocol: Protocol, defaultHigh: number) {
    this.#protocol = protocol;
    this.#defaultHigh = defaultHigh;
    this.#judgedAbove = defaultHigh;
  }

  // ---- implemented by each transport ------------------------------------------------------------------------------------------

  /** Closes the connection immediately. */
  abstract abort(reason?: Error): void;
  /** Number of written bytes that the system has not accepted. */
  abstract getWriteBufferSize(): number;
  /** Sends data that was held back, before the size of the buffer is checked. */
  protected abstract flush(): void;
  /** Whether some written data was not sent and never will be. */
  protected abstract get dropped(): boolean;
  /** Calls back after the protocol call in progress. */
  protected abstract defer(callback: () => void): void;
  /** The connection is lost. Called before the protocol's `connectionLost()`. */
  protected abstract onLost(): void;

  // ---- state -------------------------------------------------------------------------------------------------------------------

  /** @internal */
  get state(): TransportState {
    return this.#state;
  }

  /** The error that ended the connection; the first error counts. */
  protected get error(): Error | null {
    return this.#error;
  }

  protected noteError(error: Error): void {
    this.#error ??= error;
  }

  /** Moves to `next` if the table of transitions allows it; returns whether it did. */
  protected moveTo(next: TransportState): boolean {
    if (!TRANSITIONS[this.#state].includes(next)) return false;
    this.#state = next;
    return true;
  }

  /** Whether received data is delivered to the protocol. */
  protected get delivers(): boolean {
    return this.#state === "open" || this.#state === "failing";
  }

  isClosing(): boolean {
    return this.#state !== "open" && this.#state !== "securing" && this.#state !== "released";
  }

  // ---- reading -----------------------------------------------------------------------------------------------------------------

  /** Delivers received data to the protocol. */
  protected deliver(chunk: NonSharedBuffer): void {
    this.#calls += 1;
    debugMode?.enter(this.#protocol, "dataReceived");
    try {
      const result: unknown = this.#protocol.dataReceived(chunk);
      if (result !== undefined) this.#watch(result);
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#calls -= 1;
      debugMode?.leave();
    }
  }

  /** Calls the protocol's `eofReceived()`; returns whether our side stays open. */
  protected deliverEnd(): boolean {
    let keepOpen = false;
    this.call("eofReceived", (protocol) => {
      const result: unknown = protocol.eofReceived?.();
      keepOpen = result === true;
      return result;
    });
    return keepOpen;
  }

  /** Marks reading as paused; returns whether that changes the state. */
  protected markPaused(): boolean {
    if (!this.isReading()) return false;
    this.#readingPaused = true;
    return true;
  }

  /** Marks reading as resumed; returns whether that changes the state. */
  protected markResumed(): boolean {
    if (!this.#readingPaused || !this.delivers) return false;
    this.#readingPaused = false;
    return true;
  }

  protected get readingPaused(): boolean {
    return this.#readingPaused;
  }

  isReading(): boolean {
    return this.delivers && !this.#readingPaused;
  }

  // ---- writing -----------------------------------------------------------------------------------------------------------------

  get #flow(): WriteWatermarks {
    return (this.#flowIfAny ??= new WriteWatermarks(this.#defaultHigh));
  }

  /** Whether writing is paused: the protocol's `pauseWriting()` was called last. */
  protected get writingPaused(): boolean {
    return this.#flowIfAny?.paused === true;
  }

  /** Calls `pauseWriting()` or `resumeWriting()` if the size of the write buffer requires it. */
  protected regulate(): void {
    if (this.getWriteBufferSize() <= this.#judgedAbove) return;
    if (this.#state === "lost" || this.#state === "replaced") return;
    if (!this.writingPaused) this.flush();
    this.call(this.writingPaused ? "resumeWriting" : "pauseWriting", () => this.#flow.check(this.getWriteBufferSize(), this));
    this.#judgedAbove = this.writingPaused ? -1 : this.#flow.high;
  }

  /** @internal */
  pauseWriting(): unknown {
    return this.#protocol.pauseWriting?.();
  }

  /** @internal */
  resumeWriting(): unknown {
    return this.#protocol.resumeWriting?.();
  }

  setWriteBufferLimits(limits?: WriteBufferLimits): void {
    this.#flow.setLimits(limits);
    if (!this.writingPaused) this.#judgedAbove = this.#flow.high;
    this.regulate();
  }

  getWriteBufferLimits(): [low: number, high: number] {
    return this.#flow.limits;
  }

  /** Ends the waits of `waitFlushed()`: all written data has been sent. */
  protected wakeFlushed(): void {
    this.#written?.wake();
  }

  /** Waits until all written data has been sent. */
  protected waitFlushed(signal?: Cancellation | Canceller): Promise<void> {
    return (this.#written ??= new Waiters()).wait(signal);
  }

  /** @internal */
  flushed(signal: Cancellation | undefined): Promise<void> {
    this.flush();
    if (this.dropped) return Promise.reject(notSentError(this.#error));
    return this.getWriteBufferSize() === 0 ? DONE : this.waitFlushed(signal);
  }

  // ---- ending ------------------------------------------------------------------------------------------------------------------

  /** A write failed, which ends writing. Callers that wait to write are rejected now, because reading may continue for a long time. */
  protected failWriting(error: Error): void {
    if (!this.moveTo("failing")) return;
    this.noteError(error);
    this.#written?.fail(() => notSentError(error));
    this.call("writingFailed", (protocol) => protocol["asyncio-streams:writingFailed"]?.(error, true));
    // The buffer is empty now. A protocol that has paused another connection meanwhile, as a relay does, resumes it.
    this.regulate();
  }

  /** The connection is broken: nothing more arrives. `loseConnection()` must follow, and ends every wait. */
  protected breakOff(error: Error): void {
    this.noteError(error);
    this.moveTo("closing");
    this.call("writingFailed", (protocol) => protocol["asyncio-streams:writingFailed"]?.(error, false));
  }

  /** Whether `connectionLost()` is scheduled or was called: no other event follows. */
  protected get isLosing(): boolean {
    return this.#losing;
  }

  /**
   * Calls the protocol's `connectionLost()`: now, or after the protocol call in progress. A protocol that calls `abort()` or `write()` in
   * one of its methods would otherwise lose its state in the middle of that method.
   */
  protected loseConnection(): void {
    if (this.#losing || !TRANSITIONS[this.#state].includes("lost")) return;
    if (this.#calls > 0) {
      this.loseSoon();
      return;
    }
    this.#losing = true;
    this.#lose();
  }

  /** Schedules the call of the protocol's `connectionLost()`. */
  protected loseSoon(): void {
    if (this.#losing) return;
    this.#losing = true;
    this.moveTo("closing");
    this.defer(() => this.#lose());
  }

  #lose(): void {
    if (!this.moveTo("lost")) return;
    this.onLost();
    this.#written?.fail(() => notSentError(this.#error));
    debugMode?.enter(this.#protocol, "connectionLost");
    callForeign(() => this.#protocol.connectionLost?.(this.#error), warnOf);
    debugMode?.leave();
  }

  /**
   * Calls the protocol. An exception ends the connection.
   *
   * @param method the method that is called, for the debug mode
   */
  protected call(method: string, callProtocol: (protocol: Protocol) => unknown): void {
    this.#calls += 1;
    debugMode?.enter(this.#protocol, method);
    try {
      this.#watch(callProtocol(this.#protocol));
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#calls -= 1;
      debugMode?.leave();
    }
  }

  /** Watches the result of a protocol method. The method may be async by mistake; a rejection then counts as an exception. */
  #watch(result: unknown): void {
    if (typeof result === "object" && result !== null)
      callForeign(
        () => result,
        (error) => this.#fail(error),
      );
  }

  #fail(error: unknown): void {
    if (this.#state === "lost") warnOf(error);
    else this.abort(asError(error, "a protocol threw"));
  }

  // ---- protocol ----------------------------------------------------------------------------------------------------------------

  setProtocol(protocol: Protocol): void {
    checkProtocol("protocol", protocol);
    this.#protocol = protocol;
    // CPython: does not tell a new protocol that its transport is paused, and the protocol then fills the buffer without bound.
    if (this.writingPaused) this.call("pauseWriting", () => protocol.pauseWriting?.());
  }

  getProtocol(): Protocol {
    return this.#protocol;
  }
}
