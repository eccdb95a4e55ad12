/**
 * `WriteBatch`: the data written to a connection in one turn of the event loop, joined as cheaply as possible.
 *
 * Theory of operation
 *
 * Short pieces are copied one behind another, when they are written, into a block that all connections share. A piece of at least
 * COPY_BYTES stays in place. So a hundred short answers are one piece of memory and one system call, and large pieces are never copied. The
 * program never sees the block.
 *
 * A piece that stays in place belongs to the program, which may detach it before it is sent. `take()` then throws.
 *
 * The block belongs to one batch at a time: the one that is written to. When another batch takes over, the first one keeps the
 * bytes that it has collected as a view, and later continues with a new run behind it. Memory that the system has accepted immediately is
 * free again (`release()`), so a server that answers its clients one after another keeps using the beginning of the block.
 */

import { asBuffer } from "../base/arguments.js";
import type { NonSharedBuffer } from "../base/bytes.js";
import { DetachedMemoryError } from "../base/errors.js";
import { allocate, bytesThere, copyInto, makeView } from "../base/memory.js";

/** From this length on, a piece costs less in a list of pieces, which the system joins, than as a copy. */
const COPY_BYTES = 4096;
const BLOCK_BYTES = 65_536;

/** Longest view of the beginning of the block that is cached. Answers that are alone in their turn, one after another, all lie there. */
const MAX_KEPT_VIEW_BYTES = 512;

let block: NonSharedBuffer = allocate(BLOCK_BYTES);
let views: (NonSharedBuffer | undefined)[] = [];
let blockUsed = 0;
/** The batch whose run is open: from its `runStart` up to `blockUsed`. */
let writing: WriteBatch | null = null;
/** The run that was taken last, and its position in the block. */
let lastTaken: Buffer | null = null;
let lastTakenStart = 0;

function viewOfBlock(start: number, length: number): NonSharedBuffer {
  if (start > 0 || length > MAX_KEPT_VIEW_BYTES) return makeView(block, start, length);
  return (views[length] ??= makeView(block, 0, length));
}

export class WriteBatch {
  /** Number of bytes in the batch. */
  length: number = 0;
  /** Whether some of the memory belongs to the program. */
  isForeign: boolean = false;
  #pieces: Uint8Array[] | null = null;
  #runStart = 0;

  /** Adds bytes at the end. A piece of at least COPY_BYTES is kept: the caller must not change it before it is taken and sent. */
  push(bytes: Uint8Array): void {
    this.#append(bytes);
    this.length += bytes.length;
  }

  #append(bytes: Uint8Array): void {
    const { length } = bytes;
    if (length >= COPY_BYTES) {
      if (writing === this) this.#endRun();
      (this.#pieces ??= []).push(asBuffer(bytes));
      this.isForeign = true;
      return;
    }
    if (writing !== this || blockUsed + length > BLOCK_BYTES) this.#beginRun(length);
    copyInto(block, bytes, blockUsed);
    blockUsed += length;
  }

  #beginRun(length: number): void {
    if (writing !== null) writing.#endRun();
    if (blockUsed + length > BLOCK_BYTES) {
      block = allocate(BLOCK_BYTES);
      views = [];
      blockUsed = 0;
    }
    writing = this; // oxlint-disable-line typescript/no-this-alias -- it owns the open run; this is not an alias
    this.#runStart = blockUsed;
  }

  #endRun(): void {
    writing = null;
    if (blockUsed > this.#runStart) (this.#pieces ??= []).push(makeView(block, this.#runStart, blockUsed - this.#runStart));
  }

  /**
   * Takes everything. The batch must not be empty.
   *
   * @throws DetachedMemoryError if the memory of a piece was detached or shrunk; the batch is then empty, too
   */
  take(): Uint8Array | readonly Uint8Array[] {
    if (writing === this && this.#pieces === null) return this.#takeRun();
    if (writing === this) this.#endRun();
    const { length } = this;
    const pieces = this.#pieces as Uint8Array[];
    this.clear();
    checkPieces(pieces, length);
    return pieces.length === 1 ? (pieces[0] as Uint8Array) : pieces;
  }

  /** Takes a single run. This is the most common case. */
  #takeRun(): Buffer {
    writing = null;
    this.length = 0;
    lastTaken = viewOfBlock(this.#runStart, blockUsed - this.#runStart);
    lastTakenStart = this.#runStart;
    return lastTaken;
  }

  /** Drops everything. */
  clear(): void {
    if (writing === this) writing = null;
    this.length = 0;
    this.isForeign = false;
    this.#pieces = null;
  }
}

/** Checks that the pieces still have the `length` bytes that they had when they were written. */
function checkPieces(pieces: readonly Uint8Array[], length: number): void {
  let found = 0;
  for (const piece of pieces) found += bytesThere(piece);
  if (found !== length) {
    const lost = length - found;
    throw new DetachedMemoryError(
      `cannot send ${length} written bytes: the memory of ${lost} bytes was transferred (detached) or shrunk before they were sent`,
    );
  }
}

/** Whether the data is a list of pieces and not one piece. Does not use `instanceof`, because bytes may come from another realm. */
export function isList(data: Uint8Array | readonly Uint8Array[]): data is readonly Uint8Array[] {
  return Array.isArray(data);
}

/** Frees the memory of a taken run for the next run. Does nothing if other bytes have followed it. */
export function release(taken: Uint8Array | readonly Uint8Array[]): void {
  if (taken !== lastTaken || writing !== null || blockUsed !== lastTakenStart + lastTaken.length) return;
  blockUsed = lastTakenStart;
}
