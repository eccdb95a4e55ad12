/**
 * `TransportCore`: the life of a connection, under every transport. It has the state, calls the protocol, and owns `connectionLost()`.
 *
 * Theory of operation
 *
 * A transport moves bytes; its base class, this one, decides what the protocol is told and when. `transport-state.ts` lists the states and the
 * moves between them. A transport calls `deliver()`, `deliverEnd()`, `failWriting()`, `breakOff()` and `loseConnection()` for what has
 * happened, and asks `state` before it acts.
 *
 * The laws, each with a test:
 *   - `connectionLost()` is called exactly once, and never from within a call of the protocol: `loseConnection()` defers it then.
 *   - Once a loss is known, `isClosing()` is true and the protocol knows it (`writingFailed`), in the same turn of the event loop, so that the
 *     next `drain()` rejects. This touches promises only, and so may happen within a call of the protocol.
 *   - A write that fails ends writing only. What was received before is still delivered; then the connection is lost with the error of the write.
 *   - A method of the protocol that throws ends the connection with what it threw. A method that the protocol does not have does nothing.
 *   - `pauseWriting()` and `resumeWriting()` alternate, and follow the size of the write buffer.
 */
import { checkProtocol } from "../base/arguments.js";
import { notSentError } from "../base/errors.js";
import { FlowControl } from "../base/flow-control.js";
import { asError, callForeign, warnOf } from "../base/thrown.js";
import { DONE, type WaitEnd, Waiters } from "../base/waiting.js";
import type { Protocol, WriteBufferLimits } from "../contracts/connection.js";
import { TRANSITIONS, type TransportState } from "./transport-state.js";

/** What every transport has in common. */
export abstract class TransportCore {
  #state: TransportState = "open";
  #protocol: Protocol;
  #error: Error | null = null;
  #readingPaused = false;
  /** How many calls of the protocol are under way, one within the other. */
  #calls = 0;
  /** Whether the loss is on its way to the protocol. */
  #losing = false;
  readonly #defaultHigh: number;
  /** The size of the write buffer from which on `regulate()` has something to do: the high-water mark; while writing is paused, any. */
  #judgedAbove: number;
  /** Made when the buffer first grows beyond the default, or its marks are asked for: by few connections. */
  #flowIfAny: FlowControl | null = null;
  /** Callers that wait until everything that was written is sent. */
  #written: Waiters | null = null;

  /** @param defaultHigh the high-water mark of the write buffer in bytes */
  constructor(protocol: Protocol, defaultHigh: number) {
    this.#protocol = protocol;
    this.#defaultHigh = defaultHigh;
    this.#judgedAbove = defaultHigh;
  }

  // ---- what a transport brings -------------------------------------------------------------------------------------------------

  /** Closes the connection at once. */
  abstract abort(reason?: Error): void;
  /** Bytes written that the system has not taken. */
  abstract getWriteBufferSize(): number;
  /** Sends what was held back, before the size of the buffer is judged. */
  protected abstract flush(): void;
  /** Whether something was written that was not sent and never will be. */
  protected abstract get dropped(): boolean;
  /** Calls back after the call of the protocol that is under way. */
  protected abstract defer(callback: () => void): void;
  /** The connection is lost, and its protocol about to hear of it. */
  protected abstract onLost(): void;

  // ---- state -------------------------------------------------------------------------------------------------------------------

  /** @internal */
  get state(): TransportState {
    return this.#state;
  }

  /** What ended the connection; the first error counts. */
  protected get error(): Error | null {
    return this.#error;
  }

  protected noteError(error: Error): void {
    this.#error ??= error;
  }

  /** Moves to `next` if the table of transitions allows it; returns whether it has. */
  protected moveTo(next: TransportState): boolean {
    if (!TRANSITIONS[this.#state].includes(next)) return false;
    this.#state = next;
    return true;
  }

  /** Whether data that comes is for the protocol. */
  protected get delivers(): boolean {
    return this.#state === "open" || this.#state === "failing";
  }

  isClosing(): boolean {
    return this.#state !== "open" && this.#state !== "securing" && this.#state !== "released";
  }

  // ---- reading -----------------------------------------------------------------------------------------------------------------

  /** Gives the protocol what was received. */
  protected deliver(chunk: Buffer): void {
    this.#calls += 1;
    try {
      const result: unknown = this.#protocol.dataReceived(chunk);
      if (result !== undefined) this.#watch(result);
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#calls -= 1;
    }
  }

  /** Tells the protocol of the peer's end; returns whether our side is to stay open. */
  protected deliverEnd(): boolean {
    let keepOpen = false;
    this.call((protocol) => {
      const result: unknown = protocol.eofReceived?.();
      keepOpen = result === true;
      return result;
    });
    return keepOpen;
  }

  /** @returns whether that changes anything */
  protected markPaused(): boolean {
    if (!this.isReading()) return false;
    this.#readingPaused = true;
    return true;
  }

  /** @returns whether that changes anything */
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

  get #flow(): FlowControl {
    return (this.#flowIfAny ??= new FlowControl(this.#defaultHigh));
  }

  /** Whether the protocol has been told to stop writing. */
  protected get writingPaused(): boolean {
    return this.#flowIfAny?.paused === true;
  }

  /** Tells the protocol to pause or to go on, if the size of the write buffer calls for it. */
  protected regulate(): void {
    if (this.getWriteBufferSize() <= this.#judgedAbove) return;
    if (this.#state === "lost" || this.#state === "replaced") return;
    if (!this.writingPaused) this.flush();
    this.call(() => this.#flow.check(this.getWriteBufferSize(), this));
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

  /** Everything that was written has been sent. */
  protected wakeFlushed(): void {
    this.#written?.wake();
  }

  /** Waits until everything that was written has been sent. */
  protected waitFlushed(signal?: WaitEnd): Promise<void> {
    return (this.#written ??= new Waiters()).wait(signal);
  }

  /** @internal */
  flushed(signal: WaitEnd | undefined): Promise<void> {
    this.flush();
    if (this.dropped) return Promise.reject(notSentError(this.#error));
    return this.getWriteBufferSize() === 0 ? DONE : this.waitFlushed(signal);
  }

  // ---- ending ------------------------------------------------------------------------------------------------------------------

  /** A write failed: writing has ended. Callers that wait to write are told now, since reading may go on for long. */
  protected failWriting(error: Error): void {
    if (!this.moveTo("failing")) return;
    this.noteError(error);
    this.#written?.fail(() => notSentError(error));
    this.call((protocol) => protocol["asyncio-streams:writingFailed"]?.(error, true));
    // The buffer is empty now. A protocol that has paused another connection meanwhile, as a relay does, lets it go on.
    this.regulate();
  }

  /** The connection is broken: nothing more will come. `loseConnection()` is to follow, and with it the end of every wait. */
  protected breakOff(error: Error): void {
    this.noteError(error);
    this.moveTo("closing");
    this.call((protocol) => protocol["asyncio-streams:writingFailed"]?.(error, false));
  }

  /** Whether the loss is on its way to the protocol: nothing else happens any more. */
  protected get isLosing(): boolean {
    return this.#losing;
  }

  /** Tells the protocol that the connection is lost: now, or after the call that is under way. */
  protected loseConnection(): void {
    if (this.#losing || !TRANSITIONS[this.#state].includes("lost")) return;
    if (this.#calls > 0) {
      this.loseSoon();
      return;
    }
    this.#losing = true;
    this.#lose();
  }

  /** Tells the protocol that the connection is lost, in a moment. */
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
    callForeign(() => this.#protocol.connectionLost?.(this.#error), warnOf);
  }

  /** Calls the protocol; what it throws ends the connection. */
  protected call(callProtocol: (protocol: Protocol) => unknown): void {
    this.#calls += 1;
    try {
      this.#watch(callProtocol(this.#protocol));
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#calls -= 1;
    }
  }

  /** A method may be async by mistake: that it rejects is an error like any other. */
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
    // CPython leaves a paused transport's new protocol uninformed, which then fills the buffer without end.
    if (this.writingPaused) this.call(() => protocol.pauseWriting?.());
  }

  getProtocol(): Protocol {
    return this.#protocol;
  }
}
