/**
 * The `AsyncLocalStorage` context in which Node calls for the events of a handle.
 *
 * Most programs have none where they start their servers. Then there is nothing to bind, which would cost as much as a twentieth of a short
 * connection.
 */
import type { AsyncResource } from "node:async_hooks";

/**
 * Makes the current context that of a handle. The handle of an accepted connection has none of its own.
 *
 * Node does this for the sockets that its `http.Agent` uses again. Not documented; where there is no such method, the context is the runtime's affair.
 */
export function bindContext(handle: unknown): void {
  const bound = handle as { asyncReset?: (resource: object) => void } | null | undefined;
  if (typeof bound?.asyncReset === "function") bound.asyncReset(bound);
}

/** Node keeps the context in properties of each resource whose keys are symbols, and numbers in two others. */
const NUMBERS: ReadonlySet<unknown> = new Set(["async_id_symbol", "trigger_async_id_symbol"]);

/** The last version of Node that is known to do so; Bun and Deno do not. */
const LAST_KNOWN_MAJOR = 26;
const { bun, deno, node } = process.versions as Readonly<Record<string, string | undefined>>;
const isKnown = bun === undefined && deno === undefined && Number.parseInt(node ?? "", 10) <= LAST_KNOWN_MAJOR;

/** Whether a resource has a context, as far as is known. */
export function hasContext(resource: AsyncResource): boolean {
  const properties = resource as unknown as Readonly<Record<symbol, unknown>>;
  return !isKnown || Object.getOwnPropertySymbols(properties).some((key) => !NUMBERS.has(key.description) && properties[key] !== undefined);
}
