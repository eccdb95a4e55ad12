/**
 * Detects whether the peer of a paused connection is gone. It does not read, so no received data is lost.
 *
 * Node and Bun: a write of zero bytes to the descriptor sends nothing, and fails if nothing could be sent any more. It fails after a reset,
 * and on a Unix socket also after the peer has closed. It does not fail after the peer has only ended its side. (A TCP peer that has closed
 * without a reset looks the same: it may still read.) If the program listens for `SIGPIPE`, Linux sends the signal, as it does for any
 * write to a Unix peer that is gone; otherwise Node ignores the signal.
 *
 * Bun: removes the handle of a Unix socket whose peer has closed, but considers the socket destroyed only after its EOF was read.
 *
 * Deno: does not expose descriptors, but `getpeername()` fails once a TCP connection was reset. A Unix socket cannot be checked on Deno,
 * and no socket can be checked on Windows, where libuv has no descriptors.
 */
import { writeSync } from "node:fs";
import { getSystemErrorName } from "node:util";

/** The undocumented members of a handle that are used here. */
interface ProbedHandle {
  readonly fd?: unknown;
  getpeername?(address: object): number;
}

const NO_BYTES = new Uint8Array(0);

/** Error codes of a connection that is over. Any other error does not prove that the peer is gone. */
const GONE: ReadonlySet<unknown> = new Set(["EPIPE", "ECONNRESET", "ENOTCONN", "ETIMEDOUT"]);

/**
 * Whether the peer is gone.
 *
 * @param handle the handle of a socket that is not destroyed
 */
export function isPeerGone(handle: unknown): boolean {
  if (handle === undefined || handle === null) return true;
  try {
    const { fd } = handle as ProbedHandle;
    /* c8 ignore next -- Deno */
    if (process.versions["deno"] !== undefined) return GONE.has(peerNameError(handle));
    if (typeof fd === "number" && fd >= 0) writeSync(fd, NO_BYTES);
    return false;
  } catch (error) {
    return GONE.has((error as { readonly code?: unknown } | null)?.code);
  }
}

/* c8 ignore start -- Deno */
function peerNameError(handle: ProbedHandle): string | undefined {
  const result = handle.getpeername?.({}) ?? 0;
  return result < 0 ? getSystemErrorName(result) : undefined;
}
/* c8 ignore stop */
