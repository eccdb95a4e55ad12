/** The error of a peer that sends too many descriptors, and system errors in Node's form for calls of the C library. */
import { getSystemErrorMap } from "node:util";
import { nameOnPrototype } from "../base/errors.js";

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
