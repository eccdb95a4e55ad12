/** Errors in the form of Node's own system errors, where we find out before the system does, or know better what was meant. */
import { constants } from "node:os";
import { isError } from "../base/arguments.js";

/** A system error as Node makes them. */
export interface SystemError extends Error {
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;
  readonly path?: string;
}

/**
 * Makes a system error.
 *
 * @param code such as `"EADDRINUSE"`
 * @param syscall what could not be done, such as `"listen"`
 * @param text why
 * @param path to what
 * @param cause what led to it
 */
export function systemError(code: string, syscall: string, text: string, path: string, cause?: unknown): SystemError {
  const error = new Error(`${code}: ${text}, ${syscall} '${path}'`, cause === undefined ? undefined : { cause });
  return Object.assign(error, { code, errno: -(constants.errno[code as keyof typeof constants.errno] ?? 0), syscall, path });
}

/** Whether a code is one of the system's. */
export function isSystemCode(code: string): boolean {
  return code in constants.errno;
}

/** The code of a system error; `undefined` for anything else. */
export function codeOf(error: unknown): string | undefined {
  return isError(error) && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** The fields by which programs tell system errors apart, to be carried over to an error that says more. */
export function systemErrorCodes(error: Error): { code?: unknown; errno?: unknown; syscall?: unknown } {
  const { code, errno, syscall } = error as { code?: unknown; errno?: unknown; syscall?: unknown };
  return {
    ...(code === undefined ? {} : { code }),
    ...(errno === undefined ? {} : { errno }),
    ...(syscall === undefined ? {} : { syscall }),
  };
}
