/**
 * `Incoming`: what has come in, who waits for more, and when the transport has to pause. The engine under `StreamReader`.
 *
 * Theory of operation
 *
 * Each reading call is an *attempt*: a function that takes its result from the queue, throws, or finds that it needs more. It is made once at the call; if it
 * needs more, it is parked, and made again after each feed. An attempt takes nothing before it succeeds, which is why an aborted call loses
 * nothing: `read()` to EOF leaves its bytes in the queue while it waits, too.
 *
 * A feed does not make the attempt itself but in a microtask, so that all that is fed in one turn is seen together. CPython: a woken task runs in a
 * later turn of the loop, too; `readline()` over its limit depends on it. Only a line that is whole, and within the limit, is answered at once: nothing that comes after it
 * could change it.
 *
 * Flow control: more than twice the limit in the queue pauses the transport, the limit or less resumes it. A parked attempt keeps it going
 * in any case, or `readexactly()` of more than that would wait for ever.
 *
 * Two kinds of error end it. `fail()` acts at once. A lost connection (`failAfterData`) lets reads have what was received before it, as long
 * as that is enough for them; the one that would need more gets the error, and the bytes stay.
 */
import { asBuffer, checkOptions, type Data, invalidType, type SignalOptions } from "../base/arguments.js";
import { rejectionNamingCallers } from "../base/async-stacks.js";
import { ByteQueue } from "../base/byte-queue.js";
import { ConcurrentReadError, InvalidStateError } from "../base/errors.js";
import { toOwnBytes } from "../base/memory.js";
import { nextTurn, setImmediate } from "../base/scheduling.js";
import { CALL_BYTES, TURN_BYTES } from "../base/turn-budget.js";
import { DONE, forgetAborted, onceAborted, rejectEnded, type WaitEnd, waitEnd } from "../base/waiting.js";
import type { Transport } from "../contracts/connection.js";

/** Takes its result from the queue and returns it, or returns `undefined` if more data is needed. May throw. */
export type Attempt<T> = () => T | undefined;

/** How an attempt stands towards the others. */
export interface AttemptTraits {
  /** Everything up to EOF is spoken for: nobody else may take what is in the queue while this one waits. */
  readonly toEof?: boolean;
  /** Takes bytes before it succeeds: not to be tried while another waits. */
  readonly takesAsTheyCome?: boolean;
  /** Takes no bytes: may succeed even while another has everything spoken for. */
  readonly takesNothing?: boolean;
  /** How many bytes it needs, where that is known. */
  readonly wanted?: number;
}

/** An attempt as an object, for readers that make the same one again and again. */
export interface Reading<T> extends AttemptTraits {
  attempt(): T | undefined;
  /** The attempt in short: succeeds only where nothing that is still to come could change the result. Made when data has come to an empty queue. */
  early?(): T | undefined;
}

/** Where a reader of `StreamReader.from()` has its bytes from: it stands where a connection has its transport. */
export interface Source extends Pick<Transport, "pauseReading" | "resumeReading"> {
  /** Feeds nothing any more, and gives the source back. Resolves when the source has cleaned up, which may be never. */
  cancel(reason: unknown): Promise<void>;
}

/**
 * Bytes that are read count as a sixteenth: they came in turns of the event loop, and no more than twice the limit is held. So a loop of large
 * reads gives way once in 1 MiB, and one of small reads once in 256.
 */
const READ_DISCOUNT_BITS = 4;

const NEVER_CALLED = (): void => {};

/** A read that waits. */
interface Parked {
  readonly reading: Reading<unknown>;
  readonly resolve: (result: never) => void;
  readonly signal: WaitEnd | undefined;
  readonly onAbort: () => void;
}

export class Incoming {
  /** Bytes that have come and have not been read. */
  readonly queue: ByteQueue = new ByteQueue();
  readonly #limit: number;
  #eof = false;
  /** Acts at once. */
  #exception: Error | null = null;
  /** Acts when the data is used up. */
  #lossError: Error | null = null;
  #transport: Transport | null = null;
  #source: Source | null = null;
  #paused = false;
  /** Whether the source stays paused until a read has to wait. */
  #resting = false;
  /** What `cancel()` has given, once it was called. */
  #cancelled: Promise<void> | null = null;
  #parked: Parked | null = null;
  #retryScheduled = false;
  #endWhenIdle = false;
  /** What may still pass in this turn of the event loop; see `turn-budget.ts`. */
  #budget: number = TURN_BYTES;
  /** Made when it is first needed: most lines are answered early. */
  #retry: (() => void) | null = null;

  /** @param limit half of the bytes that pause the transport */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Whether the end of the stream has come. */
  get eof(): boolean {
    return this.#eof;
  }

  /** The error that ended it; `null` if none did. */
  get exception(): Error | null {
    return this.#exception ?? this.#lossError;
  }

  // ---- feeding -----------------------------------------------------------------------------------------------------------------

  feed(data: Data): void {
    if (this.#eof) {
      if (this.#endWhenIdle || this.#cancelled !== null) return; // the peer could not know
      throw new InvalidStateError("cannot feed data to a StreamReader after feedEof()");
    }
    const bytes = asBuffer(toOwnBytes("data", data));
    if (bytes.length === 0) return;
    const wasEmpty = this.queue.length === 0;
    this.queue.push(bytes);
    if (!wasEmpty || !this.#answerEarly()) this.#changed();
  }

  /** Answers the read that waits without deferring it, where that makes no difference. Returns whether it has. */
  #answerEarly(): boolean {
    const parked = this.#parked;
    if (parked === null || parked.reading.early === undefined || this.#retryScheduled) return false;
    const result = parked.reading.early();
    if (result === undefined) return false;
    this.#unpark().resolve(result as never);
    this.#regulate();
    return true;
  }

  /** Where what comes next should be read to: into the result of the read that waits, if that is long. `null`: anywhere. */
  nextMemory(): Buffer | null {
    const wanted = this.#parked?.reading.wanted;
    return wanted === undefined ? null : this.queue.reserve(wanted);
  }

  feedEof(): void {
    this.#eof = true;
    this.queue.endReading();
    this.#changed();
  }

  /** Puts bytes back at the front. */
  unread(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.queue.unshift(bytes);
    this.#changed();
  }

  /** Makes the read that waits, and every later one, throw `error`, even if there is data. */
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

  /** Ends the stream for a read that waits with nothing received, now or later. */
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
      void DONE.then((this.#retry ??= () => this.#retryParked())); // a microtask; queueMicrotask() costs several times as much
    }
  }

  // ---- the transport -----------------------------------------------------------------------------------------------------------

  setTransport(transport: Transport): void {
    if (this.#transport !== null) throw new InvalidStateError("cannot set the transport of a StreamReader twice");
    if (typeof transport !== "object" || transport === null) throw invalidType("transport", "a Transport", transport);
    this.#transport = transport;
  }

  /** The connection goes on with another transport, which reads. */
  replaceTransport(transport: Transport): void {
    this.#transport = transport;
    this.#paused = false;
    this.#regulate();
  }

  /** Takes its bytes from a source. */
  setSource(source: Source): void {
    this.setTransport(source as Source & Transport); // nothing else of a transport is called
    this.#source = source;
  }

  /** Pauses a source while no read waits, so that it does not keep the process alive. A connection goes on. */
  rest(): void {
    if (this.#source === null || this.#parked !== null || this.#resting) return;
    this.#resting = true;
    if (this.#paused) return;
    this.#paused = true;
    this.#source.pauseReading();
  }

  /**
   * Ends reading: gives a source back, and reads find the end behind what has come. Of a connection, what still comes is dropped, so that its end is noticed.
   *
   * @returns what the source gives
   */
  cancel(reason: unknown): Promise<void> {
    if (this.#cancelled === null) {
      this.#cancelled = this.#source?.cancel(reason) ?? DONE;
      this.feedEof();
    }
    return this.#cancelled;
  }

  /** Pauses or resumes the transport, as the amount of data and a waiting read ask for. */
  #regulate(): void {
    if (this.#transport === null) return;
    const isWanted = this.#parked !== null || this.#cancelled !== null;
    if (this.#paused) {
      if (!isWanted && (this.#resting || this.queue.length > this.#limit)) return;
      this.#paused = this.#resting = false;
      this.#transport.resumeReading();
    } else if (!isWanted && this.queue.length > 2 * this.#limit && typeof this.#transport.pauseReading === "function") {
      this.#paused = true;
      this.#transport.pauseReading();
    }
  }

  // ---- reading -----------------------------------------------------------------------------------------------------------------

  /**
   * Whether a read that is made now, without options, may take what it finds: no other read is before it, nothing has failed, and the event loop need
   * not run first. It has to call `taken()` afterwards.
   */
  get isFree(): boolean {
    return this.#parked === null && this.#exception === null && this.#budget >= 0;
  }

  /** The event loop has turned. */
  turned(): void {
    this.#budget = TURN_BYTES;
  }

  /** Whether there is neither a byte, nor an end, nor anybody else: no attempt at a message could succeed or fail. */
  #hasNothing(): boolean {
    return this.queue.length === 0 && !this.#eof && this.#parked === null && this.#exception === null && this.#lossError === null;
  }

  /** Sees to the flow control after a call that has taken so many bytes. */
  taken(count: number): void {
    const cost = count >>> READ_DISCOUNT_BITS;
    this.#budget -= cost > CALL_BYTES ? cost : CALL_BYTES;
    if (this.#paused) this.#regulate();
  }

  /** Makes an attempt, now or when enough has come. */
  perform<T>(method: string, attempt: Attempt<T>, options?: SignalOptions, traits?: AttemptTraits): Promise<T> {
    return this.performReading(method, traits === undefined ? { attempt } : { attempt, ...traits }, options);
  }

  /** The same. */
  performReading<T>(method: string, reading: Reading<T>, options?: SignalOptions): Promise<T> {
    if (options === undefined && reading.takesNothing !== true && this.#hasNothing()) return this.#park(reading, undefined);
    const takenBefore = this.queue.taken;
    try {
      checkOptions("options", options);
      const signal = waitEnd(options);
      // A parked read whose data has come was first, even if its turn is still to come.
      if (this.#retryScheduled) this.#retryParked();
      if (this.#exception !== null) throw this.#exception;
      if (
        this.#parked !== null &&
        (reading.takesAsTheyCome === true || (this.#parked.reading.toEof === true && reading.takesNothing !== true))
      ) {
        throw concurrentRead(method);
      }
      if (this.#budget < 0 && this.#parked === null) return this.#parkForTurn(reading, signal);
      const result = reading.attempt();
      if (result !== undefined) {
        this.taken(this.queue.taken - takenBefore);
        return Promise.resolve(result);
      }
      if (this.#lossError !== null) throw this.#lossError;
      if (this.#parked !== null) throw concurrentRead(method);
      return this.#park(reading, signal);
    } catch (error) {
      this.taken(this.queue.taken - takenBefore); // an attempt that failed may have taken something, too
      return this.#budget < 0 ? this.#rejectInTurn(error) : Promise.reject(error);
    }
  }

  /** A program that reads on and on whatever happens lets the event loop run. */
  async #rejectInTurn(error: unknown): Promise<never> {
    this.#budget = TURN_BYTES;
    await nextTurn();
    throw error;
  }

  #park<T>(reading: Reading<T>, signal: WaitEnd | undefined): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      let onAbort = NEVER_CALLED;
      if (signal !== undefined) {
        onAbort = () => {
          if (this.#parked?.onAbort !== onAbort) return; // a signal that calls back too often
          this.#unpark();
          this.#regulate();
          rejectEnded(signal, resolve, reject);
        };
        onceAborted(signal, onAbort); // throws if the signal does
      }
      this.#parked = { reading, resolve, signal, onAbort };
      this.#regulate();
      this.#endIfIdle();
    });
  }

  /** Makes the attempt in the next turn of the event loop, or before another read is made. */
  #parkForTurn<T>(reading: Reading<T>, signal: WaitEnd | undefined): Promise<T> {
    this.#budget = TURN_BYTES;
    const promise = this.#park(reading, signal);
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

  #failParked(error: unknown): void {
    this.#unpark().resolve(rejectionNamingCallers(error) as never);
  }

  #retryParked(): void {
    this.#retryScheduled = false;
    if (this.#parked === null) return;
    try {
      const result = this.#parked.reading.attempt();
      if (result !== undefined) this.#unpark().resolve(result as never);
      else if (this.#lossError !== null) throw this.#lossError;
    } catch (error) {
      this.#failParked(error);
    }
    this.#regulate();
  }
}

function concurrentRead(method: string): ConcurrentReadError {
  return new ConcurrentReadError(`cannot ${method}(): another read on this StreamReader is already waiting for data`);
}
