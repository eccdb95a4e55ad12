/** Whether a server was started in an `AsyncLocalStorage` context, so that its callbacks have to run there. */
import type { AsyncResource } from "node:async_hooks";

/** Node keeps a resource's context in properties with symbol keys. These two symbol keys hold numbers instead. */
const NUMBERS: ReadonlySet<unknown> = new Set(["async_id_symbol", "trigger_async_id_symbol"]);

/** The last major version of Node known to do this. Bun and Deno do not. */
const LAST_KNOWN_MAJOR = 26;
const { bun, deno, node } = process.versions as Readonly<Record<string, string | undefined>>;
const isKnown = bun === undefined && deno === undefined && Number.parseInt(node ?? "", 10) <= LAST_KNOWN_MAJOR;

/**
 * Returns whether a resource has an `AsyncLocalStorage` context; true if that cannot be determined. Most programs start their servers
 * without one. Then there is nothing to run in it, which saves up to a twentieth of the cost of a short connection.
 */
export function hasContext(resource: AsyncResource): boolean {
  const properties = resource as unknown as Readonly<Record<symbol, unknown>>;
  return !isKnown || Object.getOwnPropertySymbols(properties).some((key) => !NUMBERS.has(key.description) && properties[key] !== undefined);
}
