/**
 * The memory that handles read into.
 *
 * Theory of operation
 *
 * All connections share one block, SCRATCH: what came is copied out before the next read can happen, into an arena of which each chunk takes as much as it needs. So
 * an idle connection holds no memory for reading, and a short message costs a short copy instead of the 64 KiB that Node allocates for each read.
 *
 * Where a connection brings much at a time, a copy would cost more than memory: after a read of at least BULK_BYTES it reads into blocks of its own, which are handed on as
 * they are, until a read brings little again. Nobody can tell when that will be, and idle ones hold theirs until then, so no more than MAX_HOLDERS have such blocks at a time.
 *
 * What a chunk keeps alive: the arena it lies in, or its block, 64 KiB at most. A chunk's `buffer` (the `ArrayBuffer` behind it) may hold bytes that other connections of the process have
 * received, as Node's own pooled buffers may; the chunk itself shows none of them.
 */
import { makeView } from "../base/views.js";

/** As much as Node reads at a time by itself. */
const BLOCK_BYTES = 65_536;
/** From here on a block of its own is cheaper than a copy. */
export const BULK_BYTES = 16_384;

/** Connections that may have blocks of their own at a time: 16 MiB in all. What others read is copied. */
const MAX_HOLDERS = 256;

/** Where reads go that are expected to bring little. */
export const SCRATCH: Buffer = Buffer.allocUnsafeSlow(BLOCK_BYTES);

/** A short copy is made word by word: calling the platform's copy takes longer. */
const WORD_BYTES = 4;
const SHORT_BYTES = 256;

const scratchWords = new Uint32Array(SCRATCH.buffer);

let arena: Buffer = Buffer.allocUnsafeSlow(BLOCK_BYTES);
let arenaWords = new Uint32Array(arena.buffer);
let arenaUsedWords = 0;

/** A copy of the first `count` bytes of SCRATCH. */
export function copyOut(count: number): Buffer {
  const words = Math.ceil(count / WORD_BYTES);
  if (arenaWords.length - arenaUsedWords < words) {
    arena = Buffer.allocUnsafeSlow(BLOCK_BYTES);
    arenaWords = new Uint32Array(arena.buffer);
    arenaUsedWords = 0;
  }
  const chunk = makeView(arena, arenaUsedWords * WORD_BYTES, count);
  if (count > SHORT_BYTES) chunk.set(makeView(SCRATCH, 0, count));
  else for (let word = 0; word < words; word += 1) arenaWords[arenaUsedWords + word] = scratchWords[word] as number;
  arenaUsedWords += words;
  return chunk;
}

/** A block for a read that is expected to bring much. */
export function newBlock(): Buffer {
  return Buffer.allocUnsafeSlow(BLOCK_BYTES);
}

let holders = 0;

/** Begins or ends that a connection has blocks of its own. @param holds whether it has them so far. Returns whether it may have them from now on. */
export function holdBlocks(holds: boolean, wants: boolean): boolean {
  if (holds === wants) return holds;
  if (wants && holders === MAX_HOLDERS) return false;
  holders += wants ? 1 : -1;
  return wants;
}
