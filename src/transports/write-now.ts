/**
 * Writes the program's memory to a descriptor, and keeps no reference to it afterwards.
 *
 * libuv keeps pointers into the memory of a write that the system has not accepted. If a program detaches such memory and it is
 * garbage-collected, libuv would send the peer whatever lies there later: other bytes of the process. So such a write is offered to the
 * system once, with the documented `fs.writevSync()`, and the bytes that the system does not accept are copied.
 */
import { writeSync, writevSync } from "node:fs";
import type { NonSharedBuffer } from "../base/bytes.js";
import { allocate } from "../base/memory.js";
import { libuvError } from "./stream-handle.js";
import { isList } from "./write-batch.js";

/** Error codes of a system that accepts nothing at the moment. */
const TRY_LATER: ReadonlySet<unknown> = new Set(["EAGAIN", "EWOULDBLOCK", "EINTR"]);

/**
 * Offers bytes to the system, without waiting.
 *
 * @param fd the descriptor of a socket; any value other than a number of at least 0 means that it is unknown, and then nothing is written
 * @returns the number of bytes that the system has accepted
 * @throws the system's error, in Node's form for sockets
 */
export function writeNow(fd: unknown, data: Uint8Array | readonly Uint8Array[]): number {
  /* c8 ignore next -- Windows */
  if (typeof fd !== "number" || fd < 0) return 0;
  try {
    return isList(data) ? writevSync(fd, data) : writeSync(fd, data);
  } catch (error) {
    const { code, errno } = error as NodeJS.ErrnoException;
    if (TRY_LATER.has(code)) return 0;
    throw errno === undefined ? error : libuvError(errno, "write");
  }
}

/**
 * Returns a copy of everything after the first `taken` bytes.
 *
 * @throws ConnectionMemoryError if there is no memory for it
 */
export function copyBehind(data: Uint8Array | readonly Uint8Array[], taken: number): NonSharedBuffer {
  const pieces = isList(data) ? data : [data];
  const copied = allocate(lengthOf(pieces) - taken);
  let at = -taken;
  for (const piece of pieces) {
    if (at >= 0) copied.set(piece, at);
    else if (at + piece.length > 0) copied.set(piece.subarray(-at));
    at += piece.length;
  }
  return copied;
}

/** Returns the number of bytes in all pieces. */
export function lengthOf(pieces: readonly Uint8Array[]): number {
  let length = 0;
  for (const piece of pieces) length += piece.length;
  return length;
}
