/** What to do with a value that code of the user's has thrown, which need not be an error. */
import { isError, show } from "./arguments.js";

/** It as an error: as it is, or as the `cause` of one that says where it came from, such as "a protocol threw". */
export function asError(thrown: unknown, whence: string): Error {
  if (isError(thrown)) return thrown;
  return Object.assign(new Error(`${whence} ${show(thrown)}`, { cause: thrown }), { code: "ERR_NOT_AN_ERROR" as const });
}

/** It as text for a warning: the stack of an error, or what else it is. */
export function describe(thrown: unknown): string {
  return isError(thrown) ? (thrown.stack ?? `${thrown.name}: ${thrown.message}`) : show(thrown);
}

/** Tells of it where nobody is left to be told. */
export function warnOf(thrown: unknown): void {
  // Node: takes errors of its own realm only.
  process.emitWarning(thrown instanceof Error ? thrown : describe(thrown));
}
