/** Which runtime this is, and the tests that it cannot pass: each skip is named, and explained in `docs/runtimes.md`. */
import type { Need } from "./needs.js";

/** The runtime. */
export const runtime: "node" | "bun" | "deno" =
  process.versions["bun"] !== undefined ? "bun" : process.versions["deno"] !== undefined ? "deno" : "node";

/** Node's major version (of Bun and Deno, the one they follow). */
export const nodeMajor: number = Number(process.versions.node.split(".")[0]);

/**
 * Options for `it()`: skips the test on runtimes that cannot pass it.
 *
 * @param name under which `docs/runtimes.md` gives the reason; a test holds the two together
 * @param runtimes where to skip
 */
export function cannot(name: string, ...runtimes: readonly ("bun" | "deno")[]): Need {
  return { skip: runtimes.includes(runtime as "bun") ? `${runtime} cannot: ${name} (docs/runtimes.md)` : false };
}
