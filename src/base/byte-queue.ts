/**
 * A queue of bytes: in at the end, out at the front. The only place where bytes are cut or joined.
 *
 * Theory of operation
 *
 * The bytes stay in the chunks they came in. `take()` returns a view of the first chunk where it can, and copies only what lies across a
 * seam between chunks; taking from the front moves an offset and never the rest. Positions (`from`, `to`, results of `indexOf`) count from
 * the front of the queue.
 *
 * Small chunks that join others are copied together into blocks that this queue owns, so that a message that trickles in byte by byte costs
 * a copied byte each and not a `Buffer` each. Longer chunks are copied, too, where they are less than a quarter of the memory they were read
 * into: else a peer could choose its pieces so that each keeps a whole block alive. So the queue of a connection keeps five times its length
 * alive at most, and 128 KiB: four times for chunks that are kept, and the short block behind each; and what was taken in part, the first chunk
 * and the block behind it.
 *
 * For a long message memory can be reserved, into which the system reads the rest of it: what is pushed then lies where it belongs already. That
 * is done when a quarter of the message is there, or the message before it was as long, so that a peer cannot have memory allocated by a mere
 * announcement.
 *
 * What a view keeps alive: the chunk (or block) it was cut from, at most MAX_BLOCK_BYTES or what was pushed in one piece. Each chunk, block and
 * copy has an `ArrayBuffer` of its own (`memory.ts`).
 *
 * The memory rules
 *   - M1, M3. What is handed out is never written to again. A block that this queue still appends to is not handed out: its bytes are copied, or
 *     the block is closed. Reserved memory is not handed out before the message is whole; where a part is wanted earlier, the queue's bytes are
 *     copied out of it first, since the system may still read into it.
 *   - M4. Memory that the program has given away is noticed where it is touched, as a `DetachedMemoryError`.
 *   - M5. Where an allocation fails, nothing has changed. Without memory to reserve, the message is collected in chunks.
 *
 * Invariants
 *   - `length` is the sum of what is left of the chunks; no chunk in the list is empty, unless its memory was given away.
 *   - `#offset` is inside the first chunk (`chunks[head]`), and 0 if there is none.
 *   - If `#block` is set, the last chunk is `block[blockStart .. blockUsed)`.
 *   - If `#reserved` is set, the queue holds just the beginning of it.
 */
import { asBuffer } from "./arguments.js";
import { allocate, bytesThere, intact, ownCopy } from "./memory.js";
import { makeView, Viewer } from "./views.js";

/** Chunks below this are worth copying: at 1 KiB a copy costs less than the object that a chunk of its own needs. */
const SMALL_CHUNK_BYTES = 1024;
/** How many times its length a chunk may keep alive. */
const MAX_KEPT_ALIVE_FACTOR = 4;
/** From here on a chunk is kept: it is a quarter of the 64 KiB that sockets read into. */
const LARGE_CHUNK_BYTES = 16_384;
/** The first block is small, since most queues stay so; each further one doubles, until a chunk is kept. */
const MIN_BLOCK_BYTES = 1024;
/** As large as a read from a socket gets. */
const MAX_BLOCK_BYTES = 65_536;
/** From here to there it pays to reserve memory for a message: below it comes in one piece anyhow, above it one should not trust what was announced. */
const MIN_RESERVED_BYTES = 65_536;
const MAX_RESERVED_BYTES = 16_777_216;
/** Used-up entries at the front of the list that are tolerated before it is moved up. */
const MAX_DEAD_ENTRIES = 64;

/** In the place of a chunk that is used up; never handed out. */
const EMPTY: Buffer = Buffer.alloc(0);

export class ByteQueue {
  #chunks: Buffer[] = [];
  #head = 0;
  #offset = 0;
  #length = 0;
  #taken = 0;
  #putBack = 0;
  /** Of a chunk with several messages. */
  #viewer: Viewer | null = null;
  /** What was reserved; the last chunk is its beginning, if nothing else has been pushed. */
  #reserved: Buffer | null = null;
  /** Length of the last message that has come whole into reserved memory: the peer may have as much reserved at once. */
  #proven = 0;
  /** What was reserved for a message that nobody waits for: the system may read into it once more. */
  #released: Buffer | null = null;
  #block: Buffer | null = null;
  #blockStart = 0;
  #blockUsed = 0;
  #blockSize: number = MIN_BLOCK_BYTES;

  /** Bytes in the queue. */
  get length(): number {
    return this.#length;
  }

  /** Bytes that have been taken or dropped so far. */
  get taken(): number {
    return this.#taken;
  }

  /** How often bytes have been put back. */
  get putBack(): number {
    return this.#putBack;
  }

  /** Adds bytes at the end. They are kept where a copy would cost more: the caller must not change them afterwards. */
  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.#reserved !== null && this.#pushReserved(this.#reserved, bytes)) return;
    if (this.#released !== null) bytes = this.#outOfReleased(this.#released, bytes);
    if (this.#length > 0 && isWorthCopying(bytes)) this.#pushCopy(bytes);
    else {
      this.#chunks.push(asBuffer(bytes));
      this.#block = null;
      this.#blockSize = MIN_BLOCK_BYTES;
    }
    this.#length += bytes.length;
  }

  /**
   * Memory for the system to read into: the rest of a message of `count` bytes that begins at the front of the queue. What it has read has to be
   * pushed, as the first so many bytes of what it was given. `null` if that does not pay, or there is no memory for it.
   */
  reserve(count: number): Buffer | null {
    if (count < MIN_RESERVED_BYTES || count > MAX_RESERVED_BYTES || count <= this.#length) return null;
    if (this.#reserved?.length !== count) {
      const isLikely = count <= this.#proven || count <= this.#length * MAX_KEPT_ALIVE_FACTOR;
      if (this.#length === 0 || !isLikely || !this.#beginReserved(count)) return null;
    }
    return makeView(this.#reserved as Buffer, this.#length, count - this.#length);
  }

  #beginReserved(count: number): boolean {
    let reserved: Buffer;
    try {
      reserved = allocate(count);
      this.copyTo(reserved, this.#length);
    } catch {
      return false; // no memory, or what is here was given away: whoever takes it hears of that
    }
    this.#chunks = [makeView(reserved, 0, this.#length)];
    this.#head = this.#offset = 0;
    this.#viewer = null;
    this.#block = null;
    this.#reserved = reserved;
    return true;
  }

  /** Notes what has come where it belongs. Returns false, and gives the memory up, for anything else. */
  #pushReserved(reserved: Buffer, bytes: Uint8Array): boolean {
    if (bytes.buffer !== reserved.buffer || bytes.byteOffset !== this.#length) {
      this.#giveUpReserved();
      return false;
    }
    this.#length += bytes.length;
    this.#chunks = [makeView(reserved, 0, this.#length)];
    this.#head = 0;
    if (this.#length === reserved.length) {
      this.#reserved = null;
      this.#proven = reserved.length;
    }
    return true;
  }

  /** No caller waits any more for the message for which memory was reserved, if any was. */
  release(): void {
    if (this.#reserved === null) return;
    try {
      this.#giveUpReserved();
    } catch {
      // No memory for a copy: whoever takes the bytes hears of it, if there is none then, either.
    }
  }

  /** Nothing is read any more: lets go of memory that the system might have read into. */
  endReading(): void {
    this.release();
    this.#released = null;
  }

  #giveUpReserved(): void {
    const copied = ownCopy(this.#chunks[this.#head] as Buffer);
    this.#released = this.#reserved;
    this.#reserved = null;
    this.#chunks = [copied];
    this.#head = 0;
  }

  #outOfReleased(released: Buffer, bytes: Uint8Array): Uint8Array {
    this.#released = null;
    if (bytes.buffer !== released.buffer || !isSmallPart(bytes.length, bytes)) return bytes;
    return ownCopy(bytes);
  }

  #pushCopy(bytes: Uint8Array): void {
    if (this.#block === null || this.#block.length - this.#blockUsed < bytes.length) this.#beginBlock(bytes.length);
    const block = this.#block as Buffer;
    block.set(bytes, this.#blockUsed);
    this.#blockUsed += bytes.length;
    this.#chunks[this.#chunks.length - 1] = makeView(block, this.#blockStart, this.#blockUsed - this.#blockStart);
  }

  #beginBlock(atLeast: number): void {
    let size = this.#blockSize;
    while (size < atLeast) size *= 2;
    this.#block = allocate(size);
    this.#blockSize = Math.min(2 * size, MAX_BLOCK_BYTES);
    this.#blockStart = this.#blockUsed = 0;
    this.#chunks.push(EMPTY); // replaced at once
  }

  /**
   * Makes sure that nothing is written any more behind the first `count` bytes, so that a view of them may be handed out; returns false if they
   * have to be copied. A block that is little used stays open: taking and pushing in turn would need one each time.
   */
  #mayShow(count: number): boolean {
    if (this.#reserved !== null) this.#giveUpReserved();
    const block = this.#block;
    if (block === null || this.#head < this.#chunks.length - 1 || count === this.#length) return true;
    if (this.#blockUsed * MAX_KEPT_ALIVE_FACTOR < block.length) return false;
    this.#block = null;
    return true;
  }

  /** Takes the first `count` bytes, 0 <= count <= length. */
  take(count: number): Buffer {
    if (count === 0) return allocate(0);
    const mayShow = this.#mayShow(count);
    const first = this.#chunks[this.#head] as Buffer;
    const size = bytesThere(first);
    const end = this.#offset + count;
    if (end > size || !mayShow) {
      const joined = this.copy(0, count);
      this.skip(count);
      return joined;
    }
    const taken = this.#offset === 0 && end === size ? first : makeView(first, this.#offset, count);
    this.skip(count);
    return taken;
  }

  /**
   * Optional fast path: takes the bytes through the first `byte`, if it comes after at most `limit` others and within the first chunk. Returns
   * `undefined` when the fast path does not apply, not when the byte is absent.
   */
  takeThroughByte(byte: number, limit: number): Buffer | undefined {
    const first = this.#chunks[this.#head];
    if (first === undefined) return undefined;
    const start = this.#offset;
    const found = first.indexOf(byte, start);
    if (found === -1 || found - start > limit) return undefined;
    const count = found + 1 - start;
    if (this.#block !== null || this.#reserved !== null) return this.#tryTake(count);
    if (this.#viewer === null || !this.#viewer.isOf(first)) {
      // The only message of its chunk, as often as not.
      if (found + 1 === first.length) return this.take(count);
      this.#viewer = new Viewer(first);
    }
    const viewer = this.#viewer;
    if (found + 1 === viewer.length) this.skip(count);
    else {
      this.#offset = found + 1;
      this.#length -= count;
      this.#taken += count;
    }
    return viewer.view(start, count);
  }

  /** Apart: in a function that catches, V8 does worse what goes well. */
  #tryTake(count: number): Buffer | undefined {
    try {
      return this.take(count);
    } catch {
      return undefined; // the call that comes now rejects with it
    }
  }

  /** Takes everything. */
  takeAll(): Buffer {
    return this.take(this.#length);
  }

  /** Drops the first `count` bytes, 0 <= count <= length. */
  skip(count: number): void {
    if (this.#reserved !== null) this.#giveUpReserved();
    if (count === this.#length) {
      this.clear();
      return;
    }
    let end = this.#offset + count;
    while (end > 0) {
      const size = intact(this.#chunks[this.#head]).length;
      if (end < size) break;
      end -= size;
      this.#chunks[this.#head] = EMPTY; // lets go of the memory
      this.#viewer = null;
      this.#head += 1;
    }
    this.#length -= count;
    this.#taken += count;
    this.#offset = end;
    if (this.#head > MAX_DEAD_ENTRIES && this.#head * 2 > this.#chunks.length) {
      this.#chunks.splice(0, this.#head);
      this.#head = 0;
    }
  }

  /** Puts bytes back at the front. They are kept, not copied: the caller must not change them afterwards. */
  unshift(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.#reserved !== null) this.#giveUpReserved();
    const first = this.#chunks[this.#head];
    if (first !== undefined) this.#chunks[this.#head] = intact(first).subarray(this.#offset);
    this.#length += bytes.length;
    this.#putBack += 1;
    if (this.#head === this.#chunks.length - 1) this.#blockStart += this.#offset; // it is the block's, if there is one
    this.#offset = 0;
    if (this.#head > 0) this.#chunks[--this.#head] = asBuffer(bytes);
    else this.#chunks.unshift(asBuffer(bytes));
  }

  /** Drops everything, also what was given away. */
  clear(): void {
    if (this.#reserved !== null) this.#released = this.#reserved;
    this.#taken += this.#length;
    this.#length = 0;
    this.#reset();
  }

  #reset(): void {
    if (this.#chunks.length === 1) this.#chunks.pop();
    else this.#chunks = [];
    this.#head = this.#offset = 0;
    this.#viewer = null;
    this.#block = null;
    this.#reserved = null;
    this.#blockSize = MIN_BLOCK_BYTES;
  }

  /** Copies the first `count` bytes to the beginning of `target`. Nothing is taken. */
  copyTo(target: Uint8Array, count: number): void {
    let index = this.#head;
    let start = this.#offset;
    for (let filled = 0; filled < count; index += 1, start = 0) {
      filled += intact(this.#chunks[index]).copy(target, filled, start, start + count - filled);
    }
  }

  /** A copy of the bytes from `from` up to, not including, `to`. Nothing is taken. */
  copy(from: number, to: number): Buffer {
    const copied = allocate(to - from);
    let { index, start } = this.#locate(from);
    for (let filled = 0; filled < copied.length; index += 1) {
      const chunk = intact(this.#chunks[index]);
      filled += chunk.copy(copied, filled, Math.max(0, from - start), Math.min(chunk.length, to - start));
      start += chunk.length;
    }
    return copied;
  }

  /** Where `needle` first begins, within the bytes from `from` up to, not including, `to`; -1 if it is not whole in there. */
  indexOf(needle: Uint8Array, from: number = 0, to: number = this.#length): number {
    const seam = needle.length - 1;
    if (to - from <= seam) return -1;
    let { index, start } = this.#locate(from);
    for (; start < to; index += 1) {
      const chunk = intact(this.#chunks[index]);
      const end = start + chunk.length;
      const within = to < end ? chunk.subarray(0, to - start) : chunk;
      const found =
        seam === 0 ? within.indexOf(needle[0] as number, Math.max(0, from - start)) : within.indexOf(needle, Math.max(0, from - start));
      if (found !== -1) return start + found;
      // What begins in this chunk and ends in a later one.
      if (seam > 0 && end < to) {
        const seamFrom = Math.max(from, end - seam);
        const foundAcross = this.copy(seamFrom, Math.min(to, end + seam)).indexOf(needle);
        if (foundAcross !== -1) return seamFrom + foundAcross;
      }
      start = end;
    }
    return -1;
  }

  /** True if the bytes at `position` are `bytes`. */
  matches(bytes: Uint8Array, position: number): boolean {
    return this.indexOf(bytes, position, Math.min(position + bytes.length, this.#length)) === position;
  }

  /**
   * The chunk that holds `position`, and the position at which that chunk starts (negative for a first chunk that is partly taken). Walks from
   * the nearer end, so that a search that goes on where it stopped does not walk over all that came before.
   */
  #locate(position: number): { index: number; start: number } {
    if (position < this.#length / 2) {
      let index = this.#head;
      let start = -this.#offset;
      for (;;) {
        const size = intact(this.#chunks[index]).length;
        if (position < start + size) return { index, start };
        start += size;
        index += 1;
      }
    }
    let index = this.#chunks.length;
    let start = this.#length;
    do {
      index -= 1;
      start -= intact(this.#chunks[index]).length;
    } while (start > position);
    return { index, start };
  }
}

function isWorthCopying(bytes: Uint8Array): boolean {
  if (bytes.length < SMALL_CHUNK_BYTES) return true;
  return bytes.length < LARGE_CHUNK_BYTES && isSmallPart(bytes.length, bytes);
}

/** Whether so many bytes are not worth keeping the memory of `bytes` alive. */
function isSmallPart(length: number, bytes: Uint8Array): boolean {
  return length * MAX_KEPT_ALIVE_FACTOR < bytes.buffer.byteLength;
}
