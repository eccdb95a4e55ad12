/**
 * `Outbox`: what was written to a connection in one turn of the event loop, joined as cheaply as can be.
 *
 * Theory of operation
 *
 * Short pieces are copied behind one another into a block that all connections share; a piece of at least COPY_BYTES stays where it is. So a hundred short answers are one
 * piece of memory and one system call, and large ones are never copied.
 *
 * A piece that is alone is not copied, whatever its length: it is only kept, until a second one shows that there is something to join.
 *
 * The block belongs to one outbox at a time, the one that is written to. When another comes, the first gets what it has so far as a view, and goes on with a new run behind
 * it. Memory that the system has taken at once is free again (`release()`), so that a server that answers its clients one after the other uses the beginning of the block for ever.
 */
import { makeView } from "./views.js";

/** From here on a piece costs less in a list of pieces, which the system joins, than copied. */
const COPY_BYTES = 4096;
const BLOCK_BYTES = 65_536;

let block: Buffer = Buffer.allocUnsafeSlow(BLOCK_BYTES);
let blockUsed = 0;
/** Whose run is open: from its `runStart` up to `blockUsed`. */
let writing: Outbox | null = null;
/** The run that was taken last, and where in the block it lies. */
let lastTaken: Buffer | null = null;
let lastTakenStart = 0;

export class Outbox {
  /** Bytes in it. */
  length: number = 0;
  /** The only piece so far. */
  #only: Uint8Array | null = null;
  #pieces: Uint8Array[] | null = null;
  #runStart = 0;

  /** Adds bytes at the end. They are kept or copied: the caller must not change them before they are taken and sent. */
  push(bytes: Uint8Array): void {
    if (this.length === 0) this.#only = bytes;
    else {
      if (this.#only !== null) {
        this.#append(this.#only);
        this.#only = null;
      }
      this.#append(bytes);
    }
    this.length += bytes.length;
  }

  #append(bytes: Uint8Array): void {
    const { length } = bytes;
    if (length >= COPY_BYTES) {
      if (writing === this) this.#endRun();
      (this.#pieces ??= []).push(bytes);
      return;
    }
    if (writing !== this || blockUsed + length > BLOCK_BYTES) this.#beginRun(length);
    block.set(bytes, blockUsed);
    blockUsed += length;
  }

  #beginRun(length: number): void {
    if (writing !== null) writing.#endRun();
    if (blockUsed + length > BLOCK_BYTES) {
      block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
      blockUsed = 0;
    }
    writing = this; // oxlint-disable-line typescript/no-this-alias -- it is whose run is open, not another name for it
    this.#runStart = blockUsed;
  }

  #endRun(): void {
    writing = null;
    if (blockUsed > this.#runStart) (this.#pieces ??= []).push(makeView(block, this.#runStart, blockUsed - this.#runStart));
  }

  /** Takes everything; there has to be something. */
  take(): Uint8Array | readonly Uint8Array[] {
    if (this.#only !== null) return this.#takeOnly(this.#only);
    if (writing === this && this.#pieces === null) return this.#takeRun();
    if (writing === this) this.#endRun();
    const pieces = this.#pieces as Uint8Array[];
    this.clear();
    return pieces.length === 1 ? (pieces[0] as Uint8Array) : pieces;
  }

  #takeOnly(only: Uint8Array): Uint8Array {
    this.#only = null;
    this.length = 0;
    return only;
  }

  /** One run and nothing else: most of what is joined. */
  #takeRun(): Buffer {
    writing = null;
    this.length = 0;
    lastTaken = makeView(block, this.#runStart, blockUsed - this.#runStart);
    lastTakenStart = this.#runStart;
    return lastTaken;
  }

  /** Drops everything. */
  clear(): void {
    if (writing === this) writing = null;
    this.length = 0;
    this.#only = null;
    this.#pieces = null;
  }
}

/** What was taken is used up, and its memory free for the next run; does nothing if others have come behind it. */
export function release(taken: Uint8Array | readonly Uint8Array[]): void {
  if (taken !== lastTaken || writing !== null || blockUsed !== lastTakenStart + lastTaken.length) return;
  blockUsed = lastTakenStart;
}
