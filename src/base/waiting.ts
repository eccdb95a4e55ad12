/**
 * Waiting that an `AbortSignal` or a time-out can end.
 *
 * Promises: once a wait is over, for whatever reason, nothing of it is left on the signal nor in the list; one long-lived signal may be used
 * for any number of waits, and any number of aborted waits may pass while the thing waited for is still to come.
 */
import { checkInteger, checkOptions, checkSignal, type SignalOptions } from "./arguments.js";
import { nameCallers, rejectionNamingCallers } from "./async-stacks.js";
import { clearTimeout, MAX_TIMER_MS, setTimeout } from "./scheduling.js";

/** Already fulfilled, and shared: calls that need not wait return it without making a promise. */
export const DONE: Promise<void> = Promise.resolve();

/** What may end a wait. */
export type WaitEnd = AbortSignal | Deadline;

/** Checks the options of a call that waits, whatever has come of them by now. */
export function checkWaitOptions(options: SignalOptions | undefined): void {
  checkOptions("options", options);
  checkSignal(options?.signal);
  if (options?.timeout !== undefined) checkInteger("timeout", options.timeout, 0, MAX_TIMER_MS);
}

/** Checks the signal and the time-out of a call; throws the signal's reason if it has been aborted already. */
export function waitEnd(options: SignalOptions | undefined): WaitEnd | undefined {
  if (options === undefined) return undefined;
  const signal = checkSignal(options.signal);
  const { timeout } = options;
  if (timeout !== undefined) checkInteger("timeout", timeout, 0, MAX_TIMER_MS);
  throwIfAborted(signal);
  return timeout === undefined ? signal : new Deadline(timeout, signal);
}

/** Why a signal was aborted. One of a polyfill may have no `reason`, and a getter of its own may throw: then that is the reason. */
export function abortReason(signal: AbortSignal | undefined): unknown {
  try {
    const reason: unknown = signal?.reason;
    return reason === undefined ? new DOMException("this operation was aborted", "AbortError") : reason;
  } catch (error) {
    return error;
  }
}

/** Throws a signal's reason if it has been aborted. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw abortReason(signal);
}

/** Rejects a wait that has been ended, with the reason. An error that is made here names who has waited; a signal's is the program's own. */
export function rejectEnded(end: WaitEnd, resolve: (rejection: Promise<never>) => void, reject: (reason: unknown) => void): void {
  if (end instanceof Deadline && end.passed) resolve(rejectionNamingCallers(end.reason));
  else reject(end instanceof Deadline ? end.reason : abortReason(end));
}

/**
 * A time-out for one wait, and its signal if it has one: what of the two comes first ends the wait.
 *
 * Its timer runs from `begin()` to `end()`, so that a call that need not wait makes none. It is not unref'd: a wait that was promised to end should end, even if nothing else
 * keeps the process alive.
 */
export class Deadline {
  readonly #timeoutMs: number;
  readonly #signal: AbortSignal | undefined;
  #timer: NodeJS.Timeout | undefined;
  #passed = false;

  constructor(timeoutMs: number, signal: AbortSignal | undefined) {
    this.#timeoutMs = timeoutMs;
    this.#signal = signal;
  }

  /** Whether the time has passed; otherwise it is the signal that ends the wait. */
  get passed(): boolean {
    return this.#passed;
  }

  /** Why the wait has ended. */
  get reason(): unknown {
    if (!this.#passed) return abortReason(this.#signal);
    return new DOMException(`the call took longer than its time-out of ${this.#timeoutMs} ms`, "TimeoutError");
  }

  begin(callback: () => void): void {
    onceAborted(this.#signal, callback); // first, since it throws if the signal does
    this.#timer = setTimeout(() => {
      this.#passed = true;
      callback();
    }, this.#timeoutMs);
  }

  end(callback: () => void): void {
    clearTimeout(this.#timer);
    forgetAborted(this.#signal, callback);
  }
}

/** Makes a call that waits more than once: its time-out counts from the beginning of the first wait to the end of the last. */
export async function waitThroughout(end: WaitEnd | undefined, call: (signal: AbortSignal | undefined) => Promise<void>): Promise<void> {
  if (!(end instanceof Deadline)) {
    await call(end);
    return;
  }
  const controller = new AbortController();
  let reason: unknown;
  const onEnd = (): void => {
    reason = end.reason;
    controller.abort(reason);
  };
  end.begin(onEnd);
  try {
    await call(controller.signal);
  } catch (error) {
    if (!controller.signal.aborted) throw error;
    if (end.passed) nameCallers(reason);
    throw error === controller.signal.reason ? reason : error; // the controller of an old polyfill takes no reason
  } finally {
    end.end(onEnd);
  }
}

interface Watch {
  readonly callbacks: Set<() => void>;
  readonly listener: () => void;
}

/** Node 20 warns of the eleventh listener on a signal: each signal gets one of ours, which calls all who wait. */
const watches = new WeakMap<AbortSignal, Watch>();

/** Calls back when the signal is aborted, or the deadline has come; without either, never. */
export function onceAborted(signal: WaitEnd | undefined, callback: () => void): void {
  if (signal === undefined) return;
  if (signal instanceof Deadline) {
    signal.begin(callback);
    return;
  }
  let watch = watches.get(signal);
  if (watch === undefined) {
    const callbacks = new Set<() => void>();
    const listener = (): void => {
      watches.delete(signal);
      for (const one of callbacks) one();
    };
    watch = { callbacks, listener };
    signal.addEventListener("abort", listener, { once: true }); // may throw, and then nothing is watched
    watches.set(signal, watch);
  }
  watch.callbacks.add(callback);
}

/** Stops watching for that. */
export function forgetAborted(signal: WaitEnd | undefined, callback: () => void): void {
  if (signal === undefined) return;
  if (signal instanceof Deadline) {
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
    // A signal that does not let go of its listener: the callbacks are forgotten all the same.
  }
}

/** Ends one wait: with nothing, or with a rejection. */
type Waiter = (rejection?: Promise<never>) => void;

/** Those who wait for one event. Most events are never waited for, so the list is made when the first one comes. */
export class Waiters {
  #waiting: Set<Waiter> | null = null;

  /** Joins the list. If aborted, leaves it and rejects with the reason. */
  wait(signal?: WaitEnd): Promise<void> {
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

  /** The event has come: all go on. */
  wake(): void {
    for (const waiter of this.#takeAll()) waiter();
  }

  /** The event will never come: all fail. The reason is only made if somebody waits: an error costs a stack trace. */
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
