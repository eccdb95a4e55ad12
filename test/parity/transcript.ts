/** What a recording holds, and how results and errors are written down, on our side as `record.py` does it on CPython's. */
import { createHash } from "node:crypto";
import { ConnectionLostError, IncompleteReadError, LimitOverrunError, LineTooLongError } from "asyncio-streams";

/** Bytes in a script: latin-1 text, or pieces of it, each as it is or repeated. */
export type Data = string | readonly (string | readonly [string, number])[];

/** What a step gave. */
export type Outcome = Readonly<Record<string, unknown>>;

/** One step, and what came of it. */
export interface Step {
  readonly do: readonly [string, ...unknown[]];
  readonly gives?: Outcome;
  readonly transport?: readonly string[];
}

/** Bytes of a script. */
export function toBytes(data: Data): Buffer {
  const pieces = typeof data === "string" ? [data] : data;
  return Buffer.from(pieces.map((piece) => (typeof piece === "string" ? piece : piece[0].repeat(piece[1]))).join(""), "latin1");
}

/** Bytes as JSON: short ones as they are, long ones by length and hash. */
export function showBytes(bytes: Uint8Array): unknown {
  if (bytes.length <= 300) return Buffer.from(bytes).toString("latin1");
  return { length: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
}

/** The error that the scripts set; two of the same message are the same object only if the reader handed on what it was given. */
export class Given extends Error {
  override readonly name = "Given";
}

/** An error as JSON: its name and code, and what its class adds. */
export function showError(error: unknown): Outcome {
  if (!(error instanceof Error)) return { thrown: error };
  if (error instanceof Given) return { error: "Given", message: error.message };
  const { code } = error as { code?: unknown };
  const shown = { error: error.name, ...(typeof code === "string" ? { code } : {}) };
  if (error instanceof IncompleteReadError) return { ...shown, partial: showBytes(error.partial), expected: error.expected };
  if (error instanceof LimitOverrunError || error instanceof LineTooLongError) return { ...shown, consumed: error.consumed };
  if (error instanceof ConnectionLostError && error.cause !== undefined) return { ...shown, cause: showError(error.cause) };
  return shown;
}

/** CPython's errors as they are here, whatever was called: the table of errors in the design. */
const ERRORS: Readonly<Record<string, Outcome>> = {
  IncompleteReadError: { error: "IncompleteReadError", code: "ERR_INCOMPLETE_READ" },
  LimitOverrunError: { error: "LimitOverrunError", code: "ERR_LIMIT_OVERRUN" },
  AssertionError: { error: "InvalidStateError", code: "ERR_INVALID_STATE" },
  ConnectionResetError: { error: "ConnectionLostError", code: "ECONNRESET" },
  CancelledError: { error: "AbortError" },
  Given: { error: "Given" },
};

/** What a step has to give here, by what it gave in CPython. `method` is the method that was called. */
export function asHere(outcome: Outcome, method: string): Outcome {
  const { error, dropped, ...rest } = outcome;
  if (typeof error !== "string") return outcome;
  if (error === "RuntimeError") {
    const concurrent = method.startsWith("read") || method === "lines" || method === "next";
    return concurrent
      ? { ...rest, error: "ConcurrentReadError", code: "ERR_CONCURRENT_READ" }
      : { ...rest, error: "InvalidStateError", code: "ERR_INVALID_STATE" };
  }
  if (error === "ValueError") {
    if (dropped !== undefined) return { ...rest, error: "LineTooLongError", code: "ERR_LINE_TOO_LONG", consumed: dropped };
    if (method === "readuntil") return { ...rest, error: "TypeError", code: "ERR_INVALID_ARG_VALUE" };
    return { ...rest, error: "RangeError", code: "ERR_OUT_OF_RANGE" };
  }
  const known = ERRORS[error];
  if (known === undefined) throw new Error(`CPython's ${error} has no counterpart in the table`);
  return { ...rest, ...known };
}
