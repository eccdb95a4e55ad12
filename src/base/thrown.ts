/** What to do with a value that code of the user's has thrown, which need not be an error. */
import { isError, show } from "./arguments.js";

/** It as an error: as it is, or as the `cause` of one that says who threw it. */
export function asError(thrown: unknown, who: string): Error {
  return isError(thrown) ? thrown : new Error(`${who} threw ${show(thrown)}`, { cause: thrown });
}

/** Tells of it where nobody is left to be told. */
export function warnOf(thrown: unknown): void {
  process.emitWarning(isError(thrown) ? thrown : String(thrown));
}
