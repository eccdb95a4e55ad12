/**
 * `Outbox`: what was written to a connection in one turn of the event loop, joined as cheaply as can be.
 *
 * Theory of operation
 *
 * Short pieces are copied behind one another, when they are written, into a block that all connections share; a piece of at least COPY_BYTES
 * stays where it is. So a hundred short answers are one piece of memory and one system call, and large ones are never copied. The program never
 * sees the block.
 *
 * What stays where it is belongs to the program, which may give it away before it is sent. `take()` refuses it then.
 *
 * The block belongs to one outbox at a time, the one that is written to. When another comes, the first gets what it has so far as a view, and
 * goes on with a new run behind it. Memory that the system has taken at once is free again (`release()`), so that a server that answers its
 * clients one after the other uses the beginning of the block for ever.
 */
import { asBuffer } from "./arguments.js";
import { DetachedMemoryError } from "./errors.js";
import { allocate, bytesThere, copyInto } from "./memory.js";
import { makeView } from "./views.js";

/** From here on a piece costs less in a list of pieces, which the system joins, than copied. */
const COPY_BYTES = 4096;
const BLOCK_BYTES = 65_536;

/** For so many lengths a view of the beginning of the block is kept: answers that are alone in their turn, one after the other, all lie there. */
const MAX_KEPT_VIEW_BYTES = 512;

let block: Buffer = allocate(BLOCK_BYTES);
let views: (Buffer | undefined)[] = [];
let blockUsed = 0;
/** Whose run is open: from its `runStart` up to `blockUsed`. */
let writing: Outbox | null = null;
/** The run that was taken last, and where in the block it lies. */
let lastTaken: Buffer | null = null;
let lastTakenStart = 0;

function viewOfBlock(start: number, length: number): Buffer {
  if (start > 0 || length > MAX_KEPT_VIEW_BYTES) return makeView(block, start, length);
  return (views[length] ??= makeView(block, 0, length));
}

export class Outbox {
  /** Bytes in it. */
  length: number = 0;
  /** Whether some of it is memory of the program's. */
  isForeign: boolean = false;
  #pieces: Uint8Array[] | null = null;
  #runStart = 0;

  /** Adds bytes at the end. From COPY_BYTES on they are kept: the caller must not change them before they are taken and sent. */
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
    writing = this; // oxlint-disable-line typescript/no-this-alias -- it is whose run is open, not another name for it
    this.#runStart = blockUsed;
  }

  #endRun(): void {
    writing = null;
    if (blockUsed > this.#runStart) (this.#pieces ??= []).push(makeView(block, this.#runStart, blockUsed - this.#runStart));
  }

  /**
   * Takes everything; there has to be something.
   *
   * @throws DetachedMemoryError if the memory of a piece was given away, or shrunk; the outbox is empty then, too
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

  /** One run and nothing else: most of what is joined. */
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

/** Checks that pieces which were `length` bytes when they were written still are. */
function checkPieces(pieces: readonly Uint8Array[], length: number): void {
  let found = 0;
  for (const piece of pieces) found += bytesThere(piece);
  if (found !== length) {
    throw new DetachedMemoryError(
      `cannot send ${length} written bytes: the memory of ${length - found} bytes was transferred (detached) or shrunk before they were sent`,
    );
  }
}

/** Pieces, and not one piece. Not by `instanceof`: bytes may come from another realm. */
export function isList(data: Uint8Array | readonly Uint8Array[]): data is readonly Uint8Array[] {
  return Array.isArray(data);
}

/** What was taken is used up, and its memory free for the next run; does nothing if others have come behind it. */
export function release(taken: Uint8Array | readonly Uint8Array[]): void {
  if (taken !== lastTaken || writing !== null || blockUsed !== lastTakenStart + lastTaken.length) return;
  blockUsed = lastTakenStart;
}
