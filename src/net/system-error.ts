/** Errors in the form of Node's system errors, for failures that this library detects before the system does, or can explain better. */
import { constants } from "node:os";
import { isError } from "../base/arguments.js";

/** A system error in Node's form. */
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
 * @param syscall the failed operation, such as `"listen"`
 * @param text the reason
 * @param path the path of the socket or file
 * @param cause the underlying error
 */
export function systemError(code: string, syscall: string, text: string, path: string, cause?: unknown): SystemError {
  const error = new Error(`${code}: ${text}, ${syscall} '${path}'`, cause === undefined ? undefined : { cause });
  return Object.assign(error, { code, errno: -(constants.errno[code as keyof typeof constants.errno] ?? 0), syscall, path });
}

/** Returns whether a code is one of the system's error codes. */
export function isSystemCode(code: string): boolean {
  return code in constants.errno;
}

/** Returns the code of a system error; `undefined` for any other value. */
export function codeOf(error: unknown): string | undefined {
  return isError(error) && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** Returns the fields by which programs distinguish system errors, for copying them to a more detailed error. */
export function systemErrorCodes(error: Error): { code?: unknown; errno?: unknown; syscall?: unknown } {
  const { code, errno, syscall } = error as { code?: unknown; errno?: unknown; syscall?: unknown };
  return {
    ...(code === undefined ? {} : { code }),
    ...(errno === undefined ? {} : { errno }),
    ...(syscall === undefined ? {} : { syscall }),
  };
}
