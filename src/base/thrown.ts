/** Handles a value that the program's code has thrown, which need not be an error, and a promise that such code has returned. */
import { isError, show } from "./arguments.js";

/**
 * Converts any thrown value to an error. An error is returned unchanged; any other value becomes the `cause` of an error that names its
 * origin, such as "a protocol threw".
 */
export function asError(thrown: unknown, whence: string): Error {
  if (isError(thrown)) return thrown;
  return Object.assign(new Error(`${whence} ${show(thrown)}`, { cause: thrown }), { code: "ERR_NOT_AN_ERROR" as const });
}

/** Describes a thrown value for a warning: the stack of an error, or the value as text. Never throws. */
export function describe(thrown: unknown): string {
  if (!isError(thrown)) return show(thrown);
  try {
    const stack: unknown = thrown.stack ?? `${thrown.name}: ${thrown.message}`;
    return String(stack);
  } catch {
    return show(thrown);
  }
}

/** Last resort: emits a process warning, with the stack. */
export function warnOf(thrown: unknown): void {
  emitWarning(isOfThisRealm(thrown) ? thrown : describe(thrown)); // Node: accepts no other errors
}

function isOfThisRealm(thrown: unknown): thrown is Error {
  try {
    return thrown instanceof Error;
  } catch {
    return false; // a proxy that throws when it is inspected
  }
}

/** Emits a process warning. Never throws, although `process.emitWarning()` does in a test run that forbids warnings. */
export function emitWarning(warning: Error | string, options?: { readonly type: string; readonly code: string }): void {
  try {
    if (options === undefined) process.emitWarning(warning);
    else process.emitWarning(warning, options);
  } catch {
    // There is no other place to report it.
  }
}

/**
 * Calls a function of the program and reports the outcome. If the function returns a promise, the outcome is known when the promise
 * settles.
 *
 * Treats a promise of another realm and any other thenable as a promise. An exception is a failure, whether the function or a `then` of its
 * result throws it.
 *
 * @param onFailure called with the thrown value or the promise's rejection; must not throw
 * @param onSettled called when a promise is fulfilled, and not for any other result
 */
export function callForeign(call: () => unknown, onFailure: (error: unknown) => void, onSettled?: () => void): void {
  try {
    const result = call();
    if (!isThenable(result)) return;
    if (isPlainPromise(result)) {
      void result.then(onSettled, onFailure);
      return;
    }
    // A new promise calls `then` in a separate job, and handles a `then` that throws or calls back twice.
    new Promise((resolve) => resolve(result)).then(onSettled, onFailure);
  } catch (error) {
    onFailure(error);
  }
}

const then: unknown = Reflect.get(Promise.prototype, "then");

/** Whether a value is a promise as async functions return it: of this realm, and without its own `then`. */
function isPlainPromise(value: unknown): value is Promise<unknown> {
  return Object.getPrototypeOf(value) === Promise.prototype && (value as Promise<unknown>).then === then;
}

function isThenable(value: unknown): boolean {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  return typeof (value as { readonly then?: unknown }).then === "function";
}

/** A listener that does nothing: without one, an `'error'` event would be an uncaught exception. */
export function ignore(): void {}
