/**
 * The memory that handles read into.
 *
 * Theory of operation
 *
 * All connections share one block, SCRATCH: what came is copied out before the next read can happen, into memory of its own. So an idle connection
 * holds no memory for reading, and a short message costs a short copy instead of the 64 KiB that Node allocates for each read.
 *
 * Where a connection brings much at a time, a copy would cost more than memory: after a read of at least BULK_BYTES it reads into blocks of its
 * own, which are handed on as they are, until a read brings little again. It cannot be known when that will be, and idle ones hold theirs until
 * then, so no more than MAX_HOLDERS have such blocks at a time.
 *
 * Invariants
 *   - M1: no program ever sees SCRATCH, nor a block before it is handed on. A block that was handed on is never read into again.
 *   - M2: each chunk has an `ArrayBuffer` of its own: a program may give it away, and no other connection notices.
 *   - M5: where no block can be allocated, reads are copied; where no copy can be allocated, that connection fails.
 */
import { allocate } from "../base/memory.js";
import { makeView } from "../base/views.js";

/** As much as Node reads at a time by itself. */
const BLOCK_BYTES = 65_536;
/** From here on a block of its own is cheaper than a copy. */
export const BULK_BYTES = 16_384;

/** Connections that may have blocks of their own at a time: 16 MiB in all. What others read is copied. */
const MAX_HOLDERS = 256;

/** Where reads go that are expected to bring little. */
export const SCRATCH: Buffer = Buffer.allocUnsafeSlow(BLOCK_BYTES);

/** Views of the beginning of SCRATCH by their length: a view costs more than a short copy. */
const views: (Buffer | undefined)[] = [];
/** For so many lengths, about 64 KiB of views. */
const MAX_KEPT_VIEW_BYTES = 512;

function beginningOfScratch(count: number): Buffer {
  if (count > MAX_KEPT_VIEW_BYTES) return makeView(SCRATCH, 0, count);
  return (views[count] ??= makeView(SCRATCH, 0, count));
}

/**
 * A copy of the first `count` bytes of SCRATCH.
 *
 * @throws ConnectionMemoryError if there is no memory for it
 */
export function copyOut(count: number): Buffer {
  const chunk = allocate(count);
  chunk.set(beginningOfScratch(count));
  return chunk;
}

/** A block for a read that is expected to bring much; SCRATCH if there is no memory for one. */
export function newBlock(): Buffer {
  try {
    return allocate(BLOCK_BYTES);
  } catch {
    return SCRATCH;
  }
}

let holders = 0;

/**
 * Begins or ends that a connection has blocks of its own.
 *
 * @param holds whether it has them so far
 * @returns whether it may have them from now on
 */
export function holdBlocks(holds: boolean, wants: boolean): boolean {
  if (holds === wants) return holds;
  if (wants && holders === MAX_HOLDERS) return false;
  holders += wants ? 1 : -1;
  return wants;
}
