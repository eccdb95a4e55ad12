/**
 * `TlsMemory`: the memory that a TLS engine decrypts into.
 *
 * Theory of operation: as `read-memory.ts` does it for handles, but with records of 16 KiB at most. After a short record the next one goes into the memory that all connections share, and is
 * copied out. After a long one it goes into a part of a block of the connection's own, and is handed on as it is; a block has room for four.
 */
import { makeView } from "../base/views.js";
import { copyOut, holdBlocks, newBlock, SCRATCH } from "./read-memory.js";

/** The longest record, decrypted. */
const RECORD_BYTES = 16_384;
/** From here on memory of one's own is cheaper than a copy. */
const LONG_BYTES = 4_096;

export class TlsMemory {
  /** Where the next record goes. */
  current: Buffer = SCRATCH;
  #block: Buffer | null = null;
  #blockUsed = 0;
  #holdsBlocks = false;

  /** What was read: the first `count` bytes. Nobody writes there any more, if `next()` is called next. */
  take(count: number): Buffer {
    return this.current === SCRATCH ? copyOut(count) : makeView(this.current, 0, count);
  }

  /** After a record of `count` bytes: where the next one goes, if that changes. @param wanted where its reader wants it, if anywhere */
  next(count: number, wanted: Buffer | null): Buffer | undefined {
    const last = this.current;
    const isWanted = wanted !== null && wanted.length > 0; // the engine would turn in circles for room in nothing
    if (isWanted) this.current = wanted;
    else {
      this.#holdsBlocks = holdBlocks(this.#holdsBlocks, count >= LONG_BYTES);
      this.current = this.#holdsBlocks ? this.#ownPart() : this.#shared();
    }
    return this.current === last ? undefined : this.current;
  }

  /** Nothing is read any more. */
  stop(): void {
    this.#holdsBlocks = holdBlocks(this.#holdsBlocks, false);
  }

  #shared(): Buffer {
    this.#block = null; // an idle connection holds none
    return SCRATCH;
  }

  #ownPart(): Buffer {
    if (this.#block === null || this.#blockUsed + RECORD_BYTES > this.#block.length) {
      this.#block = newBlock();
      this.#blockUsed = 0;
    }
    const part = makeView(this.#block, this.#blockUsed, RECORD_BYTES);
    this.#blockUsed += RECORD_BYTES;
    return part;
  }
}
