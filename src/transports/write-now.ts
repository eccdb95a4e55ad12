/**
 * Writing memory of the program's to a descriptor, without a reference to it afterwards.
 *
 * libuv keeps pointers into the memory of a write that the system has not taken. A program that gives such memory away, and lets it be collected,
 * would have whatever lies there then sent to its peer: other bytes of the process. So the system is offered such a write once, by the documented
 * `fs.writevSync()`, and what it does not take is copied.
 */
import { writeSync, writevSync } from "node:fs";
import { allocate } from "../base/memory.js";
import { isList } from "../base/outbox.js";
import { libuvError } from "./stream-handle.js";

/** What the system says where it takes nothing now. */
const TRY_LATER: ReadonlySet<unknown> = new Set(["EAGAIN", "EWOULDBLOCK", "EINTR"]);

/**
 * Offers bytes to the system, which does not wait.
 *
 * @param fd the descriptor of a socket; anything else than a number of at least 0 where it is not known: then nothing is taken
 * @returns how many bytes it has taken
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
 * A copy of everything behind the first `taken` bytes.
 *
 * @throws ConnectionMemoryError if there is no memory for it
 */
export function copyBehind(data: Uint8Array | readonly Uint8Array[], taken: number): Buffer {
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

/** Bytes in all pieces. */
export function lengthOf(pieces: readonly Uint8Array[]): number {
  let length = 0;
  for (const piece of pieces) length += piece.length;
  return length;
}
