/**
 * A queue of bytes: bytes enter at the end and leave at the front. Bytes are cut and joined only here.
 *
 * Theory of operation
 *
 * Bytes stay in the chunks in which they arrived. `take()` returns a view of the first chunk if possible, and copies only bytes that span
 * several chunks. Taking from the front advances an offset and never moves the rest. Positions (`from`, `to`, results of `indexOf`) count
 * from the front of the queue.
 *
 * Small chunks that follow others are copied into blocks that this queue owns. So each byte of a message that arrives byte by byte costs a
 * copied byte and not a `Buffer`. A longer chunk is also copied if it is less than a quarter of the memory that it was read into. Otherwise
 * a peer could choose its pieces so that each keeps a whole block alive. So the queue of a connection keeps at most five times its length
 * alive, plus 128 KiB. Kept chunks take four times the length, and the short blocks behind them once. The 128 KiB are the first chunk,
 * partly taken, and the block behind it.
 *
 * For a long message, memory can be reserved, into which the system reads the rest of the message. Pushed bytes are then already in place.
 * Memory is reserved when a quarter of the message has arrived, or if the previous message was as long. So a peer cannot cause an
 * allocation by merely announcing a long message.
 *
 * A view keeps alive the chunk (or block) that it was cut from: at most CHUNK_BYTES, or the size of one pushed piece. Each chunk, block
 * and copy has its own `ArrayBuffer` (`memory.ts`).
 *
 * Memory rules (listed in `memory.ts`)
 *   - M1, M3. Memory that was handed out is never written to again. A block that this queue still appends to is not handed out: its bytes
 *     are copied, or the block is closed. Reserved memory is not handed out before the message is complete. If a part is needed earlier,
 *     the queue first copies its bytes out of the reserved memory, because the system may still read into it.
 *   - M4. Memory that the program has detached is noticed on access, as a `DetachedMemoryError`.
 *   - M5. A failed allocation changes nothing. If no memory can be reserved, the message is collected in chunks.
 *
 * Invariants
 *   - `length` is the number of bytes left in all chunks. No chunk in the list is empty, unless its memory was detached.
 *   - `#offset` is inside the first chunk (`chunks[head]`), and 0 if there is no chunk.
 *   - If `#block` is set, the last chunk is `block[blockStart .. blockUsed)`.
 *   - If `#reserved` is set, the queue holds only the beginning of it.
 */
import { asBuffer } from "./arguments.js";
import { CHUNK_BYTES } from "./limits.js";
import { allocate, bytesThere, intact, isSmallPart, isWorthCopying, MAX_KEPT_ALIVE_FACTOR, makeView, ownCopy, Viewer } from "./memory.js";

/** Size of the first block. It is small because most queues stay small. Each further block doubles the size, until a chunk is kept. */
const MIN_BLOCK_BYTES = 1024;
/** Memory is reserved for messages of these sizes: a shorter one arrives in one piece, a longer announced size should not be trusted. */
const MIN_RESERVED_BYTES = 65_536;
const MAX_RESERVED_BYTES = 16_777_216;
/** Maximum number of consumed entries at the front of the list before they are removed. */
const MAX_DEAD_ENTRIES = 64;

/** Replaces a consumed chunk; never handed out. */
const EMPTY: Buffer = Buffer.alloc(0);

export class ByteQueue {
  #chunks: Buffer[] = [];
  #head = 0;
  #offset = 0;
  #length = 0;
  #taken = 0;
  #putBack = 0;
  /** Makes the views of a first chunk that holds several messages. */
  #viewer: Viewer | null = null;
  /** Memory reserved for a long message. The only chunk is the beginning of it. */
  #reserved: Buffer | null = null;
  /** Length of the last message that was read into reserved memory. Up to this length, memory is reserved immediately. */
  #proven = 0;
  /** Memory reserved for a message that no caller waits for any more. The system may read into it once more. */
  #released: Buffer | null = null;
  #block: Buffer | null = null;
  #blockStart = 0;
  #blockUsed = 0;
  #blockSize: number = MIN_BLOCK_BYTES;

  /** Number of bytes in the queue. */
  get length(): number {
    return this.#length;
  }

  /** Number of bytes taken or dropped so far. */
  get taken(): number {
    return this.#taken;
  }

  /** Number of times that bytes were put back. */
  get putBack(): number {
    return this.#putBack;
  }

  /** Adds bytes at the end. If a copy would cost more, the queue keeps them: the caller must not change them afterwards. */
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
   * Returns memory for the system to read into: the rest of a message of `count` bytes that begins at the front of the queue. The caller
   * must push the bytes that were read, as a view of the beginning of this memory. Returns `null` if reserving does not pay, or if there is
   * no memory for it.
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
      return false; // no memory, or a chunk is detached, which taking it reports
    }
    this.#chunks = [makeView(reserved, 0, this.#length)];
    this.#head = this.#offset = 0;
    this.#viewer = null;
    this.#block = null;
    this.#reserved = reserved;
    return true;
  }

  /** Adds bytes that were read into the reserved memory. For any other bytes, returns false and gives the reserved memory up. */
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

  /** Gives up the reserved memory, if any, because no caller waits for its message any more. */
  release(): void {
    if (this.#reserved === null) return;
    try {
      this.#giveUpReserved();
    } catch {
      // No memory for a copy. Taking the bytes reports it if there is still none then.
    }
  }

  /** Drops all memory that the system might have read into. Called when reading has ended. */
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
    this.#blockSize = Math.min(2 * size, CHUNK_BYTES);
    this.#blockStart = this.#blockUsed = 0;
    this.#chunks.push(EMPTY); // replaced by the caller
  }

  /**
   * Ensures that nothing more is written behind the first `count` bytes, so that a view of them may be handed out. Returns false if they
   * must be copied instead. A block with little data stays open, because taking and pushing in turn would need a new block each time.
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
   * Optional fast path: takes the bytes through the first `byte`, if it comes after at most `limit` others and within the first chunk.
   *
   * Returns `undefined` when the fast path does not apply, not when the byte is absent.
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
      // Often this is the only message in its chunk.
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

  /** A separate method, because V8 optimizes a function that catches less well. */
  #tryTake(count: number): Buffer | undefined {
    try {
      return this.take(count);
    } catch {
      return undefined; // the regular read that follows rejects with the error
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
      this.#chunks[this.#head] = EMPTY; // releases the memory
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

  /** Puts bytes back at the front. The queue keeps them without a copy: the caller must not change them afterwards. */
  unshift(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.#reserved !== null) this.#giveUpReserved();
    const first = this.#chunks[this.#head];
    if (first !== undefined) this.#chunks[this.#head] = intact(first).subarray(this.#offset);
    this.#length += bytes.length;
    this.#putBack += 1;
    if (this.#head === this.#chunks.length - 1) this.#blockStart += this.#offset; // the chunk is the block's, if there is a block
    this.#offset = 0;
    if (this.#head > 0) this.#chunks[--this.#head] = asBuffer(bytes);
    else this.#chunks.unshift(asBuffer(bytes));
  }

  /** Drops everything, including detached chunks. */
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

  /** Copies the first `count` bytes to the beginning of `target`, without taking them. */
  copyTo(target: Uint8Array, count: number): void {
    let index = this.#head;
    let start = this.#offset;
    for (let filled = 0; filled < count; index += 1, start = 0) {
      filled += intact(this.#chunks[index]).copy(target, filled, start, start + count - filled);
    }
  }

  /** Returns a copy of the bytes from `from` up to, not including, `to`, without taking them. */
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

  /**
   * Returns the position of the first `needle` within the bytes from `from` up to, not including, `to`; -1 if they do not contain all of
   * it.
   */
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
      // A match that begins in this chunk and ends in a later one.
      if (seam > 0 && end < to) {
        const seamFrom = Math.max(from, end - seam);
        const foundAcross = this.copy(seamFrom, Math.min(to, end + seam)).indexOf(needle);
        if (foundAcross !== -1) return seamFrom + foundAcross;
      }
      start = end;
    }
    return -1;
  }

  /** Whether the bytes at `position` equal `bytes`. */
  matches(bytes: Uint8Array, position: number): boolean {
    return this.indexOf(bytes, position, Math.min(position + bytes.length, this.#length)) === position;
  }

  /**
   * Finds the chunk that holds `position`, and the position at which that chunk starts (negative for a first chunk that is partly taken).
   * Walks from the nearer end, so that a search that continues where it stopped does not walk over everything before that position.
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
