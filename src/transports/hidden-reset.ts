/**
 * Detects a reset that libuv reports as an orderly EOF.
 *
 * Node: libuv before 1.52 treats a short read together with a hang-up as EOF, and does not read again; but a reset is a hang-up, too. To
 * see it: a peer that sends and then closes with SO_LINGER 0, and a program that reads only then. The error is still pending at the
 * descriptor.
 */
import { readSync } from "node:fs";
import { libuvError } from "./stream-handle.js";

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
