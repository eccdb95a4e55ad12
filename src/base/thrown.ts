/** What to do with a value that code of the program's has thrown, which need not be an error; and with the promise that such code has returned. */
import { isError, show } from "./arguments.js";

/** Converts any thrown value to an error: as it is, or as the `cause` of one that says where it came from, such as "a protocol threw". */
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
  emitWarning(isOfThisRealm(thrown) ? thrown : describe(thrown)); // Node: takes no others
}

function isOfThisRealm(thrown: unknown): thrown is Error {
  try {
    return thrown instanceof Error;
  } catch {
    return false; // a proxy that throws when it is asked
  }
}

/** Emits a process warning. Never throws, as `process.emitWarning()` does where a test wants no warnings. */
export function emitWarning(warning: Error | string, options?: { readonly type: string; readonly code: string }): void {
  try {
    if (options === undefined) process.emitWarning(warning);
    else process.emitWarning(warning, options);
  } catch {
    // There is no further resort.
  }
}

/**
 * Calls a function of the program's, and tells what comes of it: of a promise, when it settles.
 *
 * Takes a promise of another realm and any other thenable for what they are. Whatever throws, the function or a `then` of its result, is a failure.
 *
 * @param onFailure called with what was thrown, or with what the promise was rejected with; must not throw
 * @param onSettled called when a promise was fulfilled, and not for any other result
 */
export function callForeign(call: () => unknown, onFailure: (error: unknown) => void, onSettled?: () => void): void {
  try {
    const result = call();
    if (!isThenable(result)) return;
    if (isPlainPromise(result)) {
      void result.then(onSettled, onFailure);
      return;
    }
    // In a job of its own, which takes care of a `then` that throws, or calls back twice.
    new Promise((resolve) => resolve(result)).then(onSettled, onFailure);
  } catch (error) {
    onFailure(error);
  }
}

const then: unknown = Reflect.get(Promise.prototype, "then");

/** What an async function returns: not of another realm, nor with a `then` of its own. */
function isPlainPromise(value: unknown): value is Promise<unknown> {
  return Object.getPrototypeOf(value) === Promise.prototype && (value as Promise<unknown>).then === then;
}

function isThenable(value: unknown): boolean {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  return typeof (value as { readonly then?: unknown }).then === "function";
}

/** A listener that does nothing: without one, an `'error'` event would be an uncaught exception. */
export function ignore(): void {}
