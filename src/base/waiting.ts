/**
 * Waiting that an `AbortSignal` can end.
 *
 * Promises: once a wait is over, for whatever reason, nothing of it is left on the signal nor in the list; one long-lived signal may be used
 * for any number of waits, and any number of aborted waits may pass while the thing waited for is still to come.
 */
import { checkSignal } from "./arguments.js";

/** Already fulfilled, and shared: calls that need not wait return it without making a promise. */
export const DONE: Promise<void> = Promise.resolve();

/** Checks the signal of a call; throws its reason if it has been aborted already. */
export function liveSignal(options: { readonly signal?: AbortSignal | undefined } | undefined): AbortSignal | undefined {
  const signal = checkSignal(options?.signal);
  signal?.throwIfAborted();
  return signal;
}

interface Waiter {
  resolve(): void;
  reject(reason: unknown): void;
}

/** Those who wait for one event. Most events are never waited for, so the list is made when the first one comes. */
export class Waiters {
  #waiting: Set<Waiter> | null = null;

  /** Joins the list. If aborted, leaves it and rejects with the signal's reason. */
  wait(signal?: AbortSignal): Promise<void> {
    const waiting = (this.#waiting ??= new Set());
    return new Promise<void>((resolve, reject) => {
      if (signal === undefined) {
        waiting.add({ resolve, reject });
        return;
      }
      const onAbort = (): void => {
        waiting.delete(waiter);
        reject(signal.reason);
      };
      const waiter: Waiter = {
        resolve() {
          signal.removeEventListener("abort", onAbort);
          resolve();
        },
        reject(reason) {
          signal.removeEventListener("abort", onAbort);
          reject(reason);
        },
      };
      waiting.add(waiter);
      signal.addEventListener("abort", onAbort, { once: true });
    });
  }

  /** The event has come: all go on. */
  wake(): void {
    for (const waiter of this.#takeAll()) waiter.resolve();
  }

  /** The event will never come: all fail. */
  fail(reason: unknown): void {
    for (const waiter of this.#takeAll()) waiter.reject(reason);
  }

  #takeAll(): Iterable<Waiter> {
    const waiting = this.#waiting ?? [];
    this.#waiting = null;
    return waiting;
  }
}
