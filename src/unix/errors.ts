/** The error of `loadUnix()`, and system errors in Node's form for calls of the C library. */
import { getSystemErrorMap } from "node:util";
import { nameOnPrototype } from "../base/errors.js";

/**
 * This machine cannot do what was asked: the system is not supported, the runtime has no foreign function interface, or may not use it. The
 * message says what to install or to allow.
 */
export class UnsupportedError extends Error {
  /** Always `"ERR_UNSUPPORTED"`. */
  readonly code = "ERR_UNSUPPORTED";

  /**
   * Creates the error.
   *
   * @param message what is not supported, and what to do
   * @param options `cause`, as for every `Error`
   */
  // oxlint-disable-next-line no-useless-constructor -- documents the parameters
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
  }
}
nameOnPrototype(UnsupportedError, "UnsupportedError");

/**
 * A peer has sent more descriptors than the connection holds for the program. The connection is closed, and so are its descriptors.
 */
export class DescriptorLimitError extends Error {
  /** Always `"ERR_DESCRIPTOR_LIMIT"`. */
  readonly code = "ERR_DESCRIPTOR_LIMIT";

  /**
   * Creates the error.
   *
   * @param message the limit, and how many there are
   * @param options `cause`, as for every `Error`
   */
  // oxlint-disable-next-line no-useless-constructor -- documents the parameters
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
  }
}
nameOnPrototype(DescriptorLimitError, "DescriptorLimitError");

/**
 * Creates a system error in Node's form.
 *
 * @param errno below 0
 */
export function errnoError(errno: number, syscall: string, detail: string = ""): Error {
  const [code, description] = getSystemErrorMap().get(errno) ?? [`errno ${-errno}`, "unknown error"];
  const message = `${code}: ${description}, ${syscall}${detail === "" ? "" : ` ${detail}`}`;
  return Object.assign(new Error(message), { errno, code, syscall });
}
