/**
 * Probes of a descriptor that tell what Node does not: `hiddenReset()`, whether an EOF hides a reset, and `isPeerGone()`, whether the
 * peer of a paused connection has left.
 */

import { readSync, writeSync } from "node:fs";
import { getSystemErrorName } from "node:util";
import { NO_BYTES } from "../base/memory.js";
import { libuvError } from "./stream-handle.js";

/*
 * Detects a reset that libuv reports as an orderly EOF.
 *
 * Node: libuv before 1.52 treats a short read together with a hang-up as EOF, and does not read again; but a reset is a hang-up, too. To
 * see it: a peer that sends and then closes with SO_LINGER 0, and a program that reads only then. The error is still pending at the
 * descriptor.
 */

/** The first fixed version of libuv: it reads again. */
const MENDED = [1, 52] as const;

function isHiding({ versions }: NodeJS.Process): boolean {
  if (versions["bun"] !== undefined || versions["deno"] !== undefined) return false;
  const [major = 0, minor = 0] = (versions["uv"] ?? "").split(".").map(Number);
  return major < MENDED[0] || (major === MENDED[0] && minor < MENDED[1]);
}

/** Whether this runtime's libuv may report a reset as EOF. */
const hides: boolean = isHiding(process);

/** Target of a read that returns no data, because nothing follows EOF. */
const nothing = new Uint8Array(1);

/**
 * Returns the reset behind an EOF that libuv has reported; `null` if it is a real EOF.
 *
 * @param fd the descriptor of the socket; any value other than a number of at least 0 means that it is unknown
 */
export function hiddenReset(fd: unknown): Error | null {
  if (!hides || typeof fd !== "number" || fd < 0) return null;
  try {
    readSync(fd, nothing, 0, 1, null);
    return null;
  } catch (error) {
    // EAGAIN and similar errors say nothing about the connection.
    const { code, errno } = error as NodeJS.ErrnoException;
    return code === "ECONNRESET" && errno !== undefined ? libuvError(errno, "read") : null;
  }
}

/*
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

/** The undocumented members of a handle that are used here. */
interface ProbedHandle {
  readonly fd?: unknown;
  getpeername?(address: object): number;
}

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
