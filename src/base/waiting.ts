/**
 * Waits that an `AbortSignal` or a time-out can end.
 *
 * Promises: once a wait is over, for whatever reason, it leaves nothing on the signal or in the list. One long-lived signal may serve any
 * number of waits. Any number of waits may be aborted before the event happens.
 */
import { checkSignal, checkTimeout, type SignalOptions } from "./arguments.js";
import { nameCallers, rejectionNamingCallers } from "./async-stacks.js";
import { TimeoutError } from "./errors.js";
import { checkKnownOptions, type KnownOptions, WAIT_OPTIONS } from "./known-options.js";
import { MAX_TIMER_MS } from "./scheduling.js";
import { startTimeout, stopTimeout, type Timeout } from "./timeouts.js";

/** A shared, fulfilled promise. Calls that need not wait return it instead of creating a promise. */
export const DONE: Promise<void> = Promise.resolve();

/** Settles a promise. */
export interface Settle<T> {
  resolve(value: T): void;
  reject(reason: unknown): void;
}

/** A signal of the program, or the library's own. */
export type AbortSource = AbortSignal | Canceller;

/** A signal or a deadline that may end a call of the program. */
export type Cancellation = AbortSignal | Deadline;

/**
 * Checks the options of a call that waits. Accepts a signal that is already aborted.
 *
 * @param call the name of the call
 * @param known the names of its options
 */
export function checkWaitOptions(call: string, options: SignalOptions | undefined, known: KnownOptions = WAIT_OPTIONS): void {
  if (options === undefined) return;
  checkKnownOptions(call, options, known);
  checkSignal(options.signal);
  if (options.timeout !== undefined) checkTimeout("timeout", options.timeout, 0);
}

/** Checks the signal and the time-out of a call. Throws the signal's reason if it is already aborted. */
export function cancellationOf(options: SignalOptions | undefined): Cancellation | undefined {
  if (options === undefined) return undefined;
  const signal = checkSignal(options.signal);
  const { timeout } = options;
  if (timeout !== undefined) checkTimeout("timeout", timeout, 0);
  throwIfAborted(signal);
  return timeout === undefined || timeout === Infinity ? signal : new Deadline(timeout, signal);
}

/**
 * Whether a call with these options may return at once: they are correct, and the signal is not aborted. This check is quick, and creates
 * nothing. If it returns false, the regular check decides, and throws if an option is wrong.
 *
 * @param known the names of the options
 */
export function mayReturnAtOnce(options: SignalOptions | undefined, known: KnownOptions = WAIT_OPTIONS): boolean {
  return options === undefined || isQuiet(options, known);
}

function isQuiet(options: SignalOptions, known: KnownOptions): boolean {
  if (typeof options !== "object" || options === null) return false;
  try {
    // Every call that waits has these two options, and comparing a name is quicker than asking the set.
    for (const name in options) if (name !== "timeout" && name !== "signal" && !known.has(name)) return false;
    const { signal, timeout } = options;
    if (signal !== undefined && !isUnaborted(signal)) return false;
    return timeout === undefined || timeout === Infinity || (timeout >= 0 && timeout <= MAX_TIMER_MS && Number.isInteger(timeout));
  } catch {
    return false; // a wrong signal, or a getter that throws
  }
}

/** Decides as `checkSignal()` does, but throws nothing, and reads each member once, because a getter of Node costs 5 ns. */
function isUnaborted(signal: unknown): boolean {
  if (typeof signal !== "object" || signal === null) return false;
  const { aborted, addEventListener } = signal as { readonly aborted?: unknown; readonly addEventListener?: unknown };
  return aborted === false && typeof addEventListener === "function";
}

/**
 * Returns why a signal was aborted. The signal of a polyfill may have no `reason`. Its getter may also throw, and then the exception is the
 * reason.
 */
export function abortReason(signal: AbortSource | undefined): unknown {
  try {
    const reason: unknown = signal?.reason;
    return reason === undefined ? new DOMException("this operation was aborted", "AbortError") : reason;
  } catch (error) {
    return error;
  }
}

/** Throws a signal's reason if the signal is aborted. */
export function throwIfAborted(signal: AbortSource | undefined): void {
  if (signal?.aborted === true) throw abortReason(signal);
}

/**
 * Rejects a wait that was ended, with the reason. An error that is created here names the waiting functions; a signal's reason is the
 * program's own and stays unchanged.
 */
export function rejectEnded(
  end: Cancellation | Canceller,
  resolve: (rejection: Promise<never>) => void,
  reject: (reason: unknown) => void,
): void {
  if (end instanceof Deadline && end.passed) resolve(rejectionNamingCallers(end.reason));
  else reject(end instanceof Deadline ? end.reason : abortReason(end));
}

/**
 * A time-out for one wait, with an optional signal. Whichever comes first ends the wait.
 *
 * Its time runs from `begin()` to `end()`, so that a call that need not wait costs nothing. A wait with a time-out keeps the process alive:
 * it should end even if nothing else does.
 */
export class Deadline {
  readonly #timeoutMs: number;
  readonly #signal: AbortSignal | undefined;
  #timer: Timeout | undefined;
  #passed = false;

  constructor(timeoutMs: number, signal: AbortSignal | undefined) {
    this.#timeoutMs = timeoutMs;
    this.#signal = signal;
  }

  /** Whether the time has passed; otherwise the signal ends the wait. */
  get passed(): boolean {
    return this.#passed;
  }

  /** Why the wait has ended. */
  get reason(): unknown {
    if (!this.#passed) return abortReason(this.#signal);
    return new TimeoutError(`the call took longer than its time-out of ${this.#timeoutMs} ms`);
  }

  begin(callback: () => void): void {
    onceAborted(this.#signal, callback); // first, because it throws if the signal does
    this.#timer = startTimeout(this.#timeoutMs, () => {
      this.#passed = true;
      callback();
    });
  }

  end(callback: () => void): void {
    stopTimeout(this.#timer);
    forgetAborted(this.#signal, callback);
  }
}

/** Runs a call that waits more than once. Its time-out counts from the beginning of the first wait to the end of the last. */
export function withOneDeadline<T>(end: Cancellation | undefined, call: (signal: AbortSignal | undefined) => Promise<T>): Promise<T> {
  return end instanceof Deadline ? withinDeadline(end, call) : call(end);
}

async function withinDeadline<T>(end: Deadline, call: (signal: AbortSignal | undefined) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  let reason: unknown;
  const onEnd = (): void => {
    reason = end.reason;
    controller.abort(reason);
  };
  end.begin(onEnd);
  try {
    return await call(controller.signal);
  } catch (error) {
    if (!controller.signal.aborted) throw error;
    if (end.passed) nameCallers(reason);
    throw error === controller.signal.reason ? reason : error; // the controller of an old polyfill accepts no reason
  } finally {
    end.end(onEnd);
  }
}

/** Ends waits inside the library: a controller and its signal in one. An `AbortController` with a listener costs twenty times as much. */
export class Canceller {
  readonly #callbacks: Set<() => void> = new Set();
  #aborted = false;
  #reason: unknown;

  get aborted(): boolean {
    return this.#aborted;
  }

  get reason(): unknown {
    return this.#reason;
  }

  /** Ends the waits. Only the first call counts. */
  abort(reason?: unknown): void {
    if (this.#aborted) return;
    this.#aborted = true;
    this.#reason = reason;
    callAll(this.#callbacks);
  }

  begin(callback: () => void): void {
    this.#callbacks.add(callback);
  }

  end(callback: () => void): void {
    this.#callbacks.delete(callback);
  }
}

/** Calls and removes all callbacks. If one throws, calls the others first. */
function callAll(callbacks: Set<() => void>): void {
  const failures: unknown[] = [];
  for (const callback of callbacks) {
    try {
      callback();
    } catch (error) {
      failures.push(error);
    }
  }
  callbacks.clear();
  if (failures.length > 0) throw failures[0];
}

interface Watch {
  readonly callbacks: Set<() => void>;
  readonly listener: () => void;
}

/** Node 20 warns about the eleventh listener on a signal. So each signal gets one listener, which calls all waiting callbacks. */
const watches = new WeakMap<AbortSignal, Watch>();

/** Calls back when the signal is aborted, or when the deadline passes. Without either, never calls back. */
export function onceAborted(signal: Cancellation | Canceller | undefined, callback: () => void): void {
  if (signal === undefined) return;
  if (signal instanceof Deadline || signal instanceof Canceller) {
    signal.begin(callback);
    return;
  }
  let watch = watches.get(signal);
  if (watch === undefined) {
    const callbacks = new Set<() => void>();
    const listener = (): void => {
      watches.delete(signal);
      callAll(callbacks);
    };
    watch = { callbacks, listener };
    signal.addEventListener("abort", listener, { once: true }); // may throw, and then nothing is watched
    watches.set(signal, watch);
  }
  watch.callbacks.add(callback);
}

/** Removes a callback that was passed to `onceAborted()`. */
export function forgetAborted(signal: Cancellation | Canceller | undefined, callback: () => void): void {
  if (signal === undefined) return;
  if (signal instanceof Deadline || signal instanceof Canceller) {
    signal.end(callback);
    return;
  }
  const watch = watches.get(signal);
  if (watch === undefined) return;
  watch.callbacks.delete(callback);
  if (watch.callbacks.size > 0) return;
  watches.delete(signal);
  try {
    signal.removeEventListener("abort", watch.listener);
  } catch {
    // A polyfill's removeEventListener() may throw. Its listener stays, without callbacks to call.
  }
}

/** Ends one wait: successfully, or with a rejection. */
type Waiter = (rejection?: Promise<never>) => void;

/** The callers that wait for one event. Most events are never waited for, so the list is created with the first caller. */
export class Waiters {
  #waiting: Set<Waiter> | null = null;

  /** Whether a caller waits. */
  get isWaitedFor(): boolean {
    return this.#waiting !== null && this.#waiting.size > 0;
  }

  /** Waits for the event. If aborted, leaves the list and rejects with the reason. */
  wait(signal?: Cancellation | Canceller): Promise<void> {
    const waiting = (this.#waiting ??= new Set());
    return new Promise<void>((resolve, reject) => {
      if (signal === undefined) {
        waiting.add(resolve);
        return;
      }
      const onAbort = (): void => {
        waiting.delete(waiter);
        forgetAborted(signal, onAbort);
        rejectEnded(signal, resolve, reject);
      };
      const waiter: Waiter = (rejection) => {
        forgetAborted(signal, onAbort);
        resolve(rejection);
      };
      onceAborted(signal, onAbort); // throws if the signal does
      waiting.add(waiter);
    });
  }

  /** The event has happened: resolves all waits. */
  wake(): void {
    for (const waiter of this.#takeAll()) waiter();
  }

  /** The event will never happen: rejects all waits. The reason is created only if a caller waits, because an error costs a stack trace. */
  fail(makeReason: () => unknown): void {
    if (this.#waiting === null) return;
    const reason = makeReason();
    for (const waiter of this.#takeAll()) waiter(rejectionNamingCallers(reason));
  }

  #takeAll(): Iterable<Waiter> {
    const waiting = this.#waiting ?? [];
    this.#waiting = null;
    return waiting;
  }
}
