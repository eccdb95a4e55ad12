/**
 * Whether the peer of a paused connection is gone, found out without reading: nothing that the peer has sent is lost by asking.
 *
 * Node and Bun: a write of no bytes to the descriptor sends nothing, and fails if nothing could be sent any more. That is so after a reset, and on a Unix socket after the peer has
 * closed. It is not so after the peer has ended its side (a TCP peer that has closed without a reset looks the same: it may still read). To a program that listens for
 * `SIGPIPE`, Linux signals it as it does for any write to a Unix peer that is gone; otherwise Node ignores the signal.
 *
 * Bun: has taken the handle away from a Unix socket whose peer has closed, but does not count it as destroyed before its end was read.
 *
 * Deno: keeps the descriptors to itself, but `getpeername()` fails once a TCP connection was reset. For a Unix socket there is no way, nor is there on Windows, where libuv has no descriptors.
 */
import { writeSync } from "node:fs";
import { getSystemErrorName } from "node:util";

/** What Node does not document of a handle. */
interface ProbedHandle {
  readonly fd?: unknown;
  getpeername?(address: object): number;
}

const NO_BYTES = new Uint8Array(0);

/** What the system says of a connection that is over. Anything else does not tell that the peer is gone. */
const GONE: ReadonlySet<unknown> = new Set(["EPIPE", "ECONNRESET", "ENOTCONN", "ETIMEDOUT"]);

/** @param handle the handle underneath a socket that is not destroyed */
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
