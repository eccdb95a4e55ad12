/**
 * The memory that handles read into.
 *
 * Theory of operation
 *
 * All connections share one block, SCRATCH. Received data is copied out of it, to its own memory, before the next read can happen. So an
 * idle connection holds no memory for reading, and a short message costs a short copy instead of the 64 KiB that Node allocates for each
 * read.
 *
 * For a connection that receives a lot of data at a time, a copy would cost more than memory. After a read of at least BULK_BYTES, it reads
 * into its own blocks, which are handed on without a copy, until a read delivers little again. An idle connection keeps its block until
 * that read, which may never come. So at most MAX_HOLDERS connections have such blocks at a time.
 *
 * Memory rules (listed in `base/memory.ts`)
 *   - M1: no program ever sees SCRATCH, or a block before it is handed on. A block that was handed on is never read into again.
 *   - M2: each chunk has its own `ArrayBuffer`. A program may transfer it without an effect on other connections.
 *   - M5: if no block can be allocated, reads are copied; if no copy can be allocated, that connection fails.
 */
import type { NonSharedBuffer } from "../base/bytes.js";
import { CHUNK_BYTES } from "../base/limits.js";
import { allocate, makeView } from "../base/memory.js";

/** From this size of a read on, a separate block is cheaper than a copy. */
export const BULK_BYTES = 16_384;

/** Maximum number of connections with their own blocks at a time: 16 MiB in all. The reads of other connections are copied. */
const MAX_HOLDERS = 256;

/** The shared block, for reads that are expected to deliver little. */
export const SCRATCH: NonSharedBuffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);

/** Cached views of the beginning of SCRATCH, by length: creating a view costs more than a short copy. */
const views: (NonSharedBuffer | undefined)[] = [];
/** Longest view that is cached. All cached views take about 64 KiB. */
const MAX_KEPT_VIEW_BYTES = 512;

function beginningOfScratch(count: number): NonSharedBuffer {
  if (count > MAX_KEPT_VIEW_BYTES) return makeView(SCRATCH, 0, count);
  return (views[count] ??= makeView(SCRATCH, 0, count));
}

/**
 * Returns a copy of the first `count` bytes of SCRATCH.
 *
 * @throws ConnectionMemoryError if there is no memory for it
 */
export function copyOut(count: number): NonSharedBuffer {
  const chunk = allocate(count);
  chunk.set(beginningOfScratch(count));
  return chunk;
}

/** Returns a block for a read that is expected to deliver a lot; SCRATCH if there is no memory for one. */
export function newBlock(): NonSharedBuffer {
  try {
    return allocate(CHUNK_BYTES);
  } catch {
    return SCRATCH;
  }
}

let holders = 0;

/**
 * Starts or ends a connection's use of its own blocks.
 *
 * @param holds whether the connection uses its own blocks so far
 * @returns whether it may use them from now on
 */
export function holdBlocks(holds: boolean, wants: boolean): boolean {
  if (holds === wants) return holds;
  if (wants && holders === MAX_HOLDERS) return false;
  holders += wants ? 1 : -1;
  return wants;
}
