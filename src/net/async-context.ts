/**
 * The `AsyncLocalStorage` context in which Node calls the event handlers of a handle.
 *
 * Most programs start their servers without a context. Then there is nothing to bind, which saves up to a twentieth of the cost of a
 * short connection.
 */
import type { AsyncResource } from "node:async_hooks";

/**
 * Binds the current context to a handle. The handle of an accepted connection has no context.
 *
 * Node: its `http.Agent` does the same for reused sockets. The method is undocumented; without it, the runtime decides about the
 * context.
 */
export function bindContext(handle: unknown): void {
  const bound = handle as { asyncReset?: (resource: object) => void } | null | undefined;
  if (typeof bound?.asyncReset === "function") bound.asyncReset(bound);
}

/** Node keeps a resource's context in properties with symbol keys. These two symbol keys hold numbers instead. */
const NUMBERS: ReadonlySet<unknown> = new Set(["async_id_symbol", "trigger_async_id_symbol"]);

/** The last major version of Node known to do this. Bun and Deno do not. */
const LAST_KNOWN_MAJOR = 26;
const { bun, deno, node } = process.versions as Readonly<Record<string, string | undefined>>;
const isKnown = bun === undefined && deno === undefined && Number.parseInt(node ?? "", 10) <= LAST_KNOWN_MAJOR;

/** Returns whether a resource has a context; true if that cannot be determined. */
export function hasContext(resource: AsyncResource): boolean {
  const properties = resource as unknown as Readonly<Record<symbol, unknown>>;
  return !isKnown || Object.getOwnPropertySymbols(properties).some((key) => !NUMBERS.has(key.description) && properties[key] !== undefined);
}
