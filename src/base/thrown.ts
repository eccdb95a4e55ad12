/** What to do with a value that code of the user's has thrown, which need not be an error. */
import { isError, show } from "./arguments.js";

/** It as an error: as it is, or as the `cause` of one that says where it came from, such as "a protocol threw". */
export function asError(thrown: unknown, whence: string): Error {
  if (isError(thrown)) return thrown;
  return Object.assign(new Error(`${whence} ${show(thrown)}`, { cause: thrown }), { code: "ERR_NOT_AN_ERROR" as const });
}

/** Tells of it where nobody is left to be told. */
export function warnOf(thrown: unknown): void {
  process.emitWarning(isError(thrown) ? thrown : String(thrown));
}
