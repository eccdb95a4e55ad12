/**
 * Finds a reset that libuv reports as an orderly end.
 *
 * Node: libuv before 1.52 takes a short read together with a hang-up for the end, and does not read again; but a reset is a hang-up, too. To see
 * it: a peer that sends and then closes with SO_LINGER 0, and a program that reads only then. The error still waits at the descriptor.
 */
import { readSync } from "node:fs";
import { libuvError } from "./stream-handle.js";

/** The first version of libuv that reads again. */
const MENDED = [1, 52] as const;

function isHiding({ versions }: NodeJS.Process): boolean {
  if (versions["bun"] !== undefined || versions["deno"] !== undefined) return false;
  const [major = 0, minor = 0] = (versions["uv"] ?? "").split(".").map(Number);
  return major < MENDED[0] || (major === MENDED[0] && minor < MENDED[1]);
}

/** What an end has to be asked for. */
const hides: boolean = isHiding(process);

/** Where nothing is read to: after the end there is nothing. */
const nothing = new Uint8Array(1);

/**
 * The reset behind an end that libuv has reported; `null` if it is an end.
 *
 * @param fd the descriptor of the socket; anything else than a number of at least 0 where it is not known
 */
export function hiddenReset(fd: unknown): Error | null {
  if (!hides || typeof fd !== "number" || fd < 0) return null;
  try {
    readSync(fd, nothing, 0, 1, null);
    return null;
  } catch (error) {
    // EAGAIN and the like say nothing about the connection.
    const { code, errno } = error as NodeJS.ErrnoException;
    return code === "ECONNRESET" && errno !== undefined ? libuvError(errno, "read") : null;
  }
}
