/**
 * `ReadEngine`: holds the received data and the waiting read of a `StreamReader`. See `read-pausing.ts` for pausing its transport.
 *
 * Theory of operation
 *
 * Each reading call makes an *attempt*: an object that takes its result from the queue, throws, or finds that it needs more data.
 * Then the attempt is parked, and runs again after each feed. An attempt takes nothing before it succeeds (`skip()` excepted), so an
 * aborted call loses nothing: even `read()` to EOF leaves its bytes in the queue while it waits.
 *
 * A feed does not run the attempt directly but in a microtask, so that the attempt sees all data fed in one turn together. Only a
 * complete line within the limit that arrives in an empty queue is returned at once, because later data cannot change it.
 * CPython: a woken task also runs in a later turn of the loop; `readline()` over its limit depends on it.
 *
 * Two kinds of error end reading. `fail()` acts at once. After a lost connection (`failAfterData`), reads still succeed as long as the
 * data received before the loss is enough for them; a read that needs more gets the error, and the data stays in the queue.
 */
import { asBuffer, type Data, type SignalOptions } from "../base/arguments.js";
import { rejectionNamingCallers } from "../base/async-stacks.js";
import { ByteQueue } from "../base/byte-queue.js";
import type { NonSharedBuffer, NonSharedUint8Array } from "../base/bytes.js";
import { concurrentRead, InvalidStateError, ignore } from "../base/errors.js";
import { checkKnownOptions, type KnownOptions, WAIT_OPTIONS } from "../base/known-options.js";
import { toOwnBytes } from "../base/memory.js";
import { CALL_BYTES, nextTurn, READ_DISCOUNT_BITS, setImmediate, TURN_BYTES } from "../base/scheduling.js";
import { type Cancellation, cancellationOf, DONE, forgetAborted, onceAborted, rejectEnded } from "../base/waiting.js";
import type { Source, Transport } from "../contracts/connection.js";
import { ReadPausing } from "./read-pausing.js";
import { Securing } from "./securing.js";

/** One read, as the engine runs it: now, and again whenever data has arrived until it succeeds. */
export interface Attempt<T> {
  /** Takes its result from the queue and returns it. Returns `undefined` if it needs more data. May throw. */
  run(): T | undefined;
  /**
   * Optional synchronous fast path, called when data arrives in an empty queue. It may succeed only if later data cannot change the
   * result.
   */
  early?(): T | undefined;
  /** Claims everything up to EOF: while this attempt waits, no other attempt may take data from the queue. */
  readonly exclusive?: boolean;
  /** Takes bytes before it succeeds: must not run while another attempt waits. */
  readonly takesAsTheyCome?: boolean;
  /** Takes no bytes: may succeed even while another attempt claims everything. */
  readonly takesNothing?: boolean;
  /** The number of bytes it needs, if known. */
  readonly wanted?: number | undefined;
  /** Returns memory for the next data, instead of that for `wanted` bytes. `null` means any memory. */
  nextMemory?(): NonSharedBuffer | null;
  /** Belongs to a loop that has passed on results before, and now asks for the next one. */
  readonly isAhead?: boolean;
  /** The loop that it belongs to. */
  readonly loop?: object;
  /** Called when it has failed or was aborted. */
  failed?(): void;
}

/** A waiting read. */
interface Parked {
  readonly attempt: Attempt<unknown>;
  readonly resolve: (result: never) => void;
  readonly signal: Cancellation | undefined;
  readonly onAbort: () => void;
}

export class ReadEngine {
  /** Bytes received but not yet read. */
  readonly queue: ByteQueue = new ByteQueue();
  /** Half of the queue size that pauses the transport, and the default limit of a message, in bytes. */
  readonly limit: number;
  #eof = false;
  #exception: Error | null = null; // set by `fail()`: reads throw it at once
  /** Set by `failAfterData()`: reads throw it when the data no longer suffices. */
  #lossError: Error | null = null;
  readonly #pausing: ReadPausing = new ReadPausing((error) => this.failAfterData(error));
  #source: Source | null = null;
  /** The promise of the first `cancel()`; `null` before. */
  #cancelled: Promise<void> | null = null;
  /** Whether data is dropped that no read waits for. */
  #isDropping = false;
  #parked: Parked | null = null;
  #retryScheduled = false;
  #endWhenIdle = false;
  /** The state of a `startTls()`. */
  readonly securing: Securing = new Securing();
  /** The remaining budget of this turn of the event loop. See `scheduling.ts`. */
  #budget: number = TURN_BYTES;
  /** Created on first use: most lines are returned by the fast path. */
  #retry: (() => void) | null = null;

  constructor(limit: number) {
    this.limit = limit;
  }

  get eof(): boolean {
    return this.#eof;
  }

  /** The error that ended reading; `null` if there is none. */
  get exception(): Error | null {
    return this.#exception ?? this.#lossError;
  }

  // ---- feeding -----------------------------------------------------------------------------------------------------------------

  /** @param mayBeShared whether to check for bytes in a `SharedArrayBuffer`. A transport's are never there, and the check costs time. */
  feed(data: Data, mayBeShared: boolean = true): void {
    if (this.#eof) {
      if (this.#endWhenIdle || this.#cancelled !== null) return; // the peer could not know that reading has ended
      throw new InvalidStateError("cannot feed data to a StreamReader after feedEof()");
    }
    if (this.#isDropping && this.#parked === null) return;
    const bytes = asBuffer(toOwnBytes("data", data, mayBeShared));
    if (bytes.length === 0) return;
    this.securing.refuseIfHandedOver("feedData");
    const wasEmpty = this.queue.length === 0;
    this.queue.push(bytes);
    if (!wasEmpty || !this.#answerEarly()) this.#changed();
  }

  /** Resolves the waiting read without a microtask, if its fast path allows it. Returns whether it did. */
  #answerEarly(): boolean {
    const parked = this.#parked;
    if (parked === null || parked.attempt.early === undefined || this.#retryScheduled || this.securing.isInProgress) return false;
    const result = parked.attempt.early();
    if (result === undefined) return false;
    this.#unpark().resolve(result as never);
    this.#regulate();
    return true;
  }

  /** Returns the memory that the next data should be read into, for a large result of the waiting read. `null` means any memory. */
  nextMemory(): NonSharedBuffer | null {
    const attempt = this.#parked?.attempt;
    if (attempt?.nextMemory !== undefined) return attempt.nextMemory();
    return attempt?.wanted === undefined ? null : this.queue.reserve(attempt.wanted);
  }

  feedEof(): void {
    this.#eof = true;
    this.queue.endReading();
    this.#changed();
  }

  /** Puts bytes back at the front. */
  unread(bytes: NonSharedUint8Array): void {
    if (bytes.length === 0) return;
    this.securing.refuseIfHandedOver("unread");
    this.queue.unshift(bytes);
    this.#changed();
  }

  /** Makes the waiting read and every later read throw `error`, even if there is data. */
  fail(error: Error): void {
    if (this.#retryScheduled) this.#retryParked();
    this.#exception = error;
    if (this.#parked !== null) this.#failParked(error);
  }

  /** Makes reads throw `error` once the data no longer suffices for them. */
  failAfterData(error: Error): void {
    this.#lossError ??= error;
    this.#changed();
  }

  /** Ends the stream as soon as a read waits with an empty queue, now or later. */
  endWhenIdle(): void {
    this.#endWhenIdle = true;
    this.#endIfIdle();
  }

  #endIfIdle(): void {
    if (this.#endWhenIdle && this.#parked !== null && this.queue.length === 0) this.feedEof();
  }

  #changed(): void {
    if (this.#parked === null) this.#regulate();
    else if (!this.#retryScheduled) {
      this.#retryScheduled = true;
      void DONE.then((this.#retry ??= () => this.#retryParked())); // a microtask; queueMicrotask() is several times slower
    }
  }

  // ---- the transport -----------------------------------------------------------------------------------------------------------

  setTransport(transport: Transport): void {
    this.#pausing.set(transport);
  }

  /** Replaces the transport of the connection. The new one is reading. */
  replaceTransport(transport: Transport): void {
    this.#pausing.replace(transport);
    this.#regulate();
    this.endSecuring();
  }

  // ---- changing over to TLS ------------------------------------------------------------------------------------------------------

  /** Makes reads wait. Returns false if another `startTls()` is in progress. Throws if plaintext could be mistaken for secured data. */
  beginSecuring(): boolean {
    return this.securing.begin(this.#parked?.attempt);
  }

  /** Lets reads continue. */
  endSecuring(): void {
    if (this.securing.end()) this.#changed();
  }

  // ---- the source ----------------------------------------------------------------------------------------------------------------

  /** Sets the source to read from. */
  setSource(source: Source): void {
    this.#pausing.setSource(source);
    this.#source = source;
  }

  /**
   * Ends reading and releases the source; returns the promise of the source's cleanup. Reads find EOF after the received data. A
   * connection keeps receiving, so that its end is noticed; the data is dropped.
   */
  cancel(reason: unknown): Promise<void> {
    if (this.#cancelled === null) {
      this.#cancelled = this.#source?.cancel(reason) ?? DONE;
      this.feedEof();
    }
    return this.#cancelled;
  }

  /** From now on, drops data that no read waits for, so that its sender is never blocked. */
  dropUnawaited(): void {
    this.#isDropping = true;
    this.#regulate();
  }

  /** Pauses or resumes the transport, depending on the queue's size and whether a read waits. */
  #regulate(): void {
    const isWanted = (this.#parked !== null && !this.securing.isInProgress) || this.#cancelled !== null || this.#isDropping;
    this.#pausing.regulate(isWanted, this.queue.length, this.limit);
  }

  /** Pauses the transport until a read waits, however little is buffered. */
  holdBack(): void {
    if (this.#parked === null && this.#cancelled === null) this.#pausing.holdBack();
  }

  // ---- reading -----------------------------------------------------------------------------------------------------------------

  /**
   * Whether a read may take data at once: no other read waits, nothing has failed, and the turn's budget is not spent. The read must call
   * `taken()` afterwards.
   */
  get isFree(): boolean {
    return this.#parked === null && this.#exception === null && this.#budget >= 0 && !this.securing.isInProgress;
  }

  /** Whether a call of the program waits: a read, or `startTls()`. */
  get isInUse(): boolean {
    return this.#parked !== null || this.securing.isInProgress;
  }

  /** Renews the budget in a new turn of the event loop. */
  turned(): void {
    this.#budget = TURN_BYTES;
  }

  /** Whether there is no data, no end, no error and no waiting read, so that no attempt could succeed or fail. */
  #hasNothing(): boolean {
    return this.queue.length === 0 && !this.#eof && this.#parked === null && this.#exception === null && this.#lossError === null;
  }

  /** Updates budget and flow control after a call that took `count` bytes. */
  taken(count: number): void {
    const cost = count >>> READ_DISCOUNT_BITS;
    this.#budget -= cost > CALL_BYTES ? cost : CALL_BYTES;
    if (this.#pausing.isPaused) this.#regulate();
  }

  /** Takes `count` bytes at once, at least one. Returns `undefined` if they are not there, or a regular attempt has to decide. */
  takeAtHand(count: number): NonSharedBuffer | undefined {
    if (count > this.queue.length || !this.isFree) return undefined;
    const bytes = this.queue.tryTake(count);
    if (bytes !== undefined) this.taken(count);
    return bytes;
  }

  /**
   * Runs an attempt now, and again when more data arrives if it needs more.
   *
   * @param method the name of the call, for errors
   * @param known the names of its options
   */
  perform<T>(method: string, attempt: Attempt<T>, options?: SignalOptions, known: KnownOptions = WAIT_OPTIONS): Promise<T> {
    if (options === undefined && attempt.takesNothing !== true && this.#hasNothing()) return this.#park(attempt, undefined);
    const takenBefore = this.queue.taken;
    try {
      checkKnownOptions(method, options, known);
      const signal = cancellationOf(options);
      // A parked read whose data has arrived goes first, even if its microtask has not run yet.
      if (this.#retryScheduled) this.#retryParked();
      if (this.#exception !== null) throw this.#exception;
      const other = this.#parked?.attempt;
      const isAlone = attempt.takesAsTheyCome === true || (other?.exclusive === true && attempt.takesNothing !== true);
      if (other !== undefined && isAlone) throw concurrentRead(method);
      if (this.#budget < 0 && this.#parked === null) return this.#parkForTurn(attempt, signal);
      if (this.securing.isInProgress && attempt.takesNothing !== true) {
        if (this.#parked !== null) throw concurrentRead(method);
        return this.#park(attempt, signal);
      }
      const result = attempt.run();
      if (result !== undefined) {
        this.taken(this.queue.taken - takenBefore);
        return Promise.resolve(result);
      }
      if (this.#lossError !== null) throw this.#lossError;
      if (this.#parked !== null) throw concurrentRead(method);
      return this.#park(attempt, signal);
    } catch (error) {
      attempt.failed?.();
      this.taken(this.queue.taken - takenBefore); // a failed attempt may have taken data, too
      return this.#budget < 0 ? this.#rejectInTurn(error) : Promise.reject(error);
    }
  }

  /** Rejects in the next turn, so that a program that retries a failing read in a loop lets the event loop run. */
  async #rejectInTurn(error: unknown): Promise<never> {
    this.#budget = TURN_BYTES;
    await nextTurn();
    throw error;
  }

  #park<T>(attempt: Attempt<T>, signal: Cancellation | undefined): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      let onAbort = ignore;
      if (signal !== undefined) {
        onAbort = () => {
          if (this.#parked?.onAbort !== onAbort) return; // the signal called back more than once
          this.#unpark();
          rejectEnded(signal, resolve, reject);
          attempt.failed?.();
          this.#regulate();
        };
        onceAborted(signal, onAbort); // throws if the signal does
      }
      this.#parked = { attempt, resolve, signal, onAbort };
      this.#regulate();
      this.#endIfIdle();
    });
  }

  /** Parks an attempt that runs in the next turn of the event loop, or before another read if that comes first. */
  #parkForTurn<T>(attempt: Attempt<T>, signal: Cancellation | undefined): Promise<T> {
    this.#budget = TURN_BYTES;
    const promise = this.#park(attempt, signal);
    this.#retryScheduled = true;
    setImmediate((this.#retry ??= () => this.#retryParked()));
    return promise;
  }

  #unpark(): Parked {
    const parked = this.#parked as Parked;
    this.#parked = null;
    this.queue.release();
    if (parked.signal !== undefined) forgetAborted(parked.signal, parked.onAbort);
    return parked;
  }

  /** A loop is left: its waiting step ends and takes nothing, and a source is paused until the next read waits. */
  leave(loop: object): void {
    if (this.#parked?.attempt.loop === loop) {
      this.#unpark().resolve({ done: true, value: undefined } as never);
      this.#regulate();
    }
    if (this.#parked === null && !this.#isDropping) this.#pausing.rest();
  }

  /** Makes the waiting read, if any, throw `error`. It takes nothing. */
  failRead(error: Error): void {
    if (this.#parked === null) return;
    this.#failParked(error);
    this.#regulate();
  }

  #failParked(error: unknown): void {
    const parked = this.#unpark();
    parked.attempt.failed?.();
    parked.resolve(rejectionNamingCallers(error) as never);
  }

  #retryParked(): void {
    this.#retryScheduled = false;
    if (this.#parked === null || this.securing.isInProgress) return;
    try {
      const result = this.#parked.attempt.run();
      if (result !== undefined) this.#unpark().resolve(result as never);
      else if (this.#lossError !== null) throw this.#lossError;
    } catch (error) {
      this.#failParked(error);
    }
    this.#regulate();
  }
}
