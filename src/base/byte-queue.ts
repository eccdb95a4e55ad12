/**
 * `ByteQueue`: a queue of bytes, which enter at the end and leave at the front. Bytes are cut and joined only here.
 *
 * Theory of operation
 *
 * Bytes stay in the chunks in which they arrived. `take()` returns a view of the first chunk if possible, and copies only bytes that span
 * several chunks. Taking from the front advances an offset and never moves the rest. `chunks.ts` looks at bytes without taking them.
 *
 * Small chunks that follow others are copied into blocks that this queue owns. So each byte of a message that arrives byte by byte costs a
 * copied byte and not a `Buffer`. A longer chunk is also copied if it is less than a quarter of the memory that it was read into. Otherwise
 * a peer could choose its pieces so that each keeps a whole block alive. So the queue of a connection keeps at most five times its length
 * alive, plus 128 KiB. Kept chunks take four times the length, and the short blocks behind them once. The 128 KiB are the first chunk,
 * partly taken, and the block behind it.
 *
 * For a long message, memory can be reserved, into which the system reads the rest of the message. Pushed bytes are then already in place.
 * `reservation.ts` decides for which messages.
 *
 * A view keeps alive the chunk (or block) that it was cut from: at most CHUNK_BYTES, or the size of one pushed piece. Each chunk, block
 * and copy has its own `ArrayBuffer` (`memory.ts`).
 *
 * The queue does not check whether bytes lie in a `SharedArrayBuffer`: `feedData()` and `unread()` copy those (`toOwnBytes()`).
 *
 * Memory rules (listed in `memory.ts`)
 *   - M1, M3. Memory that was handed out is never written to again. A block that this queue still appends to is not handed out: its bytes
 *     are copied, or the block is closed. Reserved memory is not handed out before the message is complete. If a part is needed earlier,
 *     the queue first copies its bytes out of the reserved memory, because the system may still read into it.
 *   - M4. Memory that the program has detached is noticed on access, as a `DetachedMemoryError`.
 *   - M5. A failed allocation changes nothing. If no memory can be reserved, the message is collected in chunks.
 *
 * Invariants
 *   - `size` is the number of bytes left in all chunks. No chunk in the list is empty, unless its memory was detached.
 *   - `offset` is inside the first chunk (`chunks[head]`), and 0 if there is no chunk.
 *   - If `#block` is set, the last chunk is `block[blockStart .. blockUsed)`.
 *   - If memory is reserved, the queue holds only the beginning of it.
 */

import { asBuffer } from "./arguments.js";
import type { NonSharedBuffer } from "./bytes.js";
import { Chunks } from "./chunks.js";
import { CHUNK_BYTES } from "./limits.js";
import {
  allocate,
  bytesThere,
  copyShort,
  intact,
  isWorthCopying,
  MAX_KEPT_ALIVE_FACTOR,
  MAX_LOOPED_BYTES,
  makeView,
  ownCopy,
  Viewer,
} from "./memory.js";
import { Reservation } from "./reservation.js";
import type { Separators } from "./separators.js";

/** Size of the first block. It is small because most queues stay small. Each further block doubles the size, until a chunk is kept. */
const MIN_BLOCK_BYTES = 1024;
/** Maximum number of consumed entries at the front of the list before they are removed. */
const MAX_DEAD_ENTRIES = 64;

/** Replaces a consumed chunk; never handed out. */
const EMPTY: NonSharedBuffer = Buffer.alloc(0);

export class ByteQueue extends Chunks {
  #taken = 0;
  #putBack = 0;
  /** Makes the views of a first chunk that holds several messages. */
  #viewer: Viewer | null = null;
  /** Memory reserved for long messages. While there is any, the only chunk is the beginning of it. Created on first use. */
  #reservation: Reservation | null = null;
  #block: NonSharedBuffer | null = null;
  #blockStart = 0;
  #blockUsed = 0;
  #blockSize: number = MIN_BLOCK_BYTES;

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
    if (this.#reservation !== null) {
      if (this.#reservation.memory !== null && this.#pushReserved(this.#reservation, this.#reservation.memory, bytes)) return;
      bytes = this.#reservation.own(bytes);
      if (this.#isReserved) this.#giveUpReserved();
    }
    if (this.size > 0 && isWorthCopying(bytes)) this.#pushCopy(bytes);
    else {
      this.chunks.push(asBuffer(bytes) as NonSharedBuffer);
      this.#block = null;
      this.#blockSize = MIN_BLOCK_BYTES;
    }
    this.size += bytes.length;
  }

  /**
   * Returns memory for the system to read into: the rest of a message of `count` bytes that begins at the front of the queue. The caller
   * must push the bytes that were read, as a view of the beginning of this memory. Returns `null` if reserving does not pay, or if there is
   * no memory for it.
   */
  reserve(count: number): NonSharedBuffer | null {
    if (!Reservation.isPossible(count, this.size)) return null;
    const reservation = (this.#reservation ??= new Reservation());
    if (reservation.memory?.length !== count) {
      if (!reservation.isLikely(count, this.size) || !this.#beginReserved(reservation, count)) return null;
    }
    return makeView(reservation.memory as NonSharedBuffer, this.size, count - this.size);
  }

  #beginReserved(reservation: Reservation, count: number): boolean {
    let reserved: NonSharedBuffer;
    try {
      reserved = allocate(count);
      this.copyTo(reserved, this.size);
    } catch {
      return false; // no memory, or a chunk is detached, which taking it reports
    }
    reservation.begin(reserved);
    this.chunks = [makeView(reserved, 0, this.size)];
    this.head = this.offset = 0;
    this.#viewer = null;
    this.#block = null;
    return true;
  }

  /** Adds bytes that were read into the reserved memory, where they belong. For any other bytes, returns false. */
  #pushReserved(reservation: Reservation, reserved: NonSharedBuffer, bytes: Uint8Array): boolean {
    if (bytes.buffer !== reserved.buffer || bytes.byteOffset !== this.size) return false;
    this.size += bytes.length;
    this.chunks = [makeView(reserved, 0, this.size)];
    this.head = 0;
    if (this.size === reserved.length) reservation.complete(reserved);
    return true;
  }

  /** Whether the only chunk is the beginning of reserved memory, into which the system may still read. */
  get #isReserved(): boolean {
    return this.#reservation !== null && this.#reservation.memory !== null;
  }

  /** Gives up the reserved memory, if any, because no caller waits for its message any more. */
  release(): void {
    if (!this.#isReserved) return;
    try {
      this.#giveUpReserved();
    } catch {
      // No memory for a copy. Taking the bytes reports it if there is still none then.
    }
  }

  /** Drops all memory that the system might have read into. Called when reading has ended. */
  endReading(): void {
    this.release();
    this.#reservation?.endReading();
  }

  #giveUpReserved(): void {
    this.chunks = [ownCopy(this.chunks[this.head] as NonSharedBuffer)];
    this.head = 0;
    (this.#reservation as Reservation).giveUp();
  }

  #pushCopy(bytes: Uint8Array): void {
    if (this.#block === null || this.#block.length - this.#blockUsed < bytes.length) this.#beginBlock(bytes.length);
    const block = this.#block as NonSharedBuffer;
    block.set(bytes, this.#blockUsed);
    this.#blockUsed += bytes.length;
    this.chunks[this.chunks.length - 1] = makeView(block, this.#blockStart, this.#blockUsed - this.#blockStart);
  }

  #beginBlock(atLeast: number): void {
    let size = this.#blockSize;
    while (size < atLeast) size *= 2;
    this.#block = allocate(size);
    this.#blockSize = Math.min(2 * size, CHUNK_BYTES);
    this.#blockStart = this.#blockUsed = 0;
    this.chunks.push(EMPTY); // replaced by the caller
  }

  /**
   * Ensures that nothing more is written behind the first `count` bytes, so that a view of them may be handed out. Returns false if they
   * must be copied instead. A block with little data stays open, because taking and pushing in turn would need a new block each time.
   */
  #mayShow(count: number): boolean {
    if (this.#isReserved) this.#giveUpReserved();
    const block = this.#block;
    if (block === null || this.head < this.chunks.length - 1 || count === this.size) return true;
    if (this.#blockUsed * MAX_KEPT_ALIVE_FACTOR < block.length) return false;
    this.#block = null;
    return true;
  }

  /** Takes the first `count` bytes, 0 <= count <= length. */
  take(count: number): NonSharedBuffer {
    if (count === 0) return allocate(0);
    const mayShow = this.#mayShow(count);
    const first = this.chunks[this.head] as NonSharedBuffer;
    const size = bytesThere(first);
    const end = this.offset + count;
    if (end > size || !mayShow) {
      const joined = this.copy(0, count);
      this.skip(count);
      return joined;
    }
    const taken = this.offset === 0 && end === size ? first : makeView(first, this.offset, count);
    this.skip(count);
    return taken;
  }

  /**
   * Optional fast path: takes the bytes through the first `byte`, if it comes after at most `limit` others and within the first chunk.
   *
   * Returns `undefined` when the fast path does not apply, not when the byte is absent.
   */
  takeThroughByte(byte: number, limit: number): NonSharedBuffer | undefined {
    const first = this.chunks[this.head];
    if (first === undefined) return undefined;
    const start = this.offset;
    const found = first.indexOf(byte, start);
    if (found === -1 || found - start > limit) return undefined;
    const count = found + 1 - start;
    if (this.#block !== null || this.#isReserved) return this.#takeOrNothing(count);
    return this.#takeView(first, count, 0, count);
  }

  /**
   * Optional fast path: takes the bytes through the first of several separators, if it ends within the first chunk and after at most
   * `limit` other bytes.
   *
   * Returns `undefined` when the fast path does not apply, not when there is no separator.
   */
  takeThrough(separators: Separators, limit: number, keepSeparator: boolean): NonSharedBuffer | undefined {
    const first = this.chunks[this.head];
    if (first === undefined || this.#block !== null || this.#isReserved) return undefined;
    const start = this.offset;
    const end = separators.endIn(first, start);
    if (end === -1 || end - start - separators.shortestAt(first, start, end) > limit) return undefined;
    const count = end - start;
    return this.#takeView(first, count, 0, keepSeparator ? count : count - separators.longestAt(first, start, end));
  }

  /**
   * Optional fast path: takes the first `count` bytes, 0 < count <= length.
   *
   * Returns `undefined` where `take()` throws.
   */
  tryTake(count: number): NonSharedBuffer | undefined {
    const first = this.chunks[this.head] as NonSharedBuffer;
    if (this.#block !== null || this.#isReserved || !(this.offset + count <= bytesThere(first))) return this.#takeOrNothing(count);
    return this.#takeView(first, count, 0, count);
  }

  /**
   * Optional fast path: takes the first `count` bytes, and returns those from `from` up to, not including, `to`. `count` may be NaN, as
   * parsed from bytes that are not there any more.
   */
  takePart(count: number, from: number, to: number): NonSharedBuffer | undefined {
    const first = this.chunks[this.head];
    if (first === undefined || this.#block !== null || this.#isReserved || !(this.offset + count <= bytesThere(first))) return undefined;
    return this.#takeView(first, count, from, to);
  }

  /**
   * Optional fast path: takes the bytes through the first `byte`, like `takeThroughByte()`, as text. Without `keepSeparator`, `byte` is not
   * part of the text, and neither is `before` in front of it.
   */
  takeTextThroughByte(byte: number, limit: number, encoding: BufferEncoding, keepSeparator: boolean, before: number): string | undefined {
    const first = this.chunks[this.head];
    if (first === undefined || this.#isReserved) return undefined;
    const start = this.offset;
    const found = first.indexOf(byte, start);
    if (found === -1 || found - start > limit) return undefined;
    const cut = found > start && first[found - 1] === before ? found - 1 : found;
    const text = first.toString(encoding, start, keepSeparator ? found + 1 : cut);
    this.#advance(first, found + 1 - start);
    return text;
  }

  /** Drops the first `count` bytes, at least one, if the first chunk has them; otherwise returns false. */
  trySkip(count: number): boolean {
    const first = this.chunks[this.head];
    if (first === undefined || this.#isReserved || !(this.offset + count <= bytesThere(first))) return false;
    this.#advance(first, count);
    return true;
  }

  /** Drops `count` bytes of the first chunk, all of which exist. */
  #advance(first: NonSharedBuffer, count: number): void {
    const end = this.offset + count;
    if (end === first.length) this.skip(count);
    else {
      this.offset = end;
      this.size -= count;
      this.#taken += count;
    }
  }

  /** Optional fast path: copies the first `count` bytes, which the first chunk has, to `target`, without taking them. */
  copyFirst(target: Uint8Array, count: number): boolean {
    const first = this.chunks[this.head];
    const start = this.offset;
    if (first === undefined || !(count <= MAX_LOOPED_BYTES && start + count <= bytesThere(first) && count <= bytesThere(target)))
      return false;
    copyShort(target, first, start, count);
    return true;
  }

  /** Takes `count` bytes of the first chunk, all of which exist, and returns a view of a part. There is no open block. */
  #takeView(first: NonSharedBuffer, count: number, from: number, to: number): NonSharedBuffer {
    const start = this.offset;
    if (this.#viewer === null || !this.#viewer.isOf(first)) {
      // Often this is the only message in its chunk.
      if (start + count === first.length && to - from === count) return this.take(count);
      this.#viewer = new Viewer(first);
    }
    const viewer = this.#viewer;
    this.#advance(first, count);
    return viewer.view(start + from, to - from);
  }

  /** A separate method, because V8 optimizes a function that catches less well. */
  #takeOrNothing(count: number): NonSharedBuffer | undefined {
    try {
      return this.take(count);
    } catch {
      return undefined; // the regular read that follows rejects with the error
    }
  }

  /** Takes everything. */
  takeAll(): NonSharedBuffer {
    return this.take(this.size);
  }

  /** Drops the first `count` bytes, 0 <= count <= length. */
  skip(count: number): void {
    if (this.#isReserved) this.#giveUpReserved();
    if (count === this.size) {
      this.clear();
      return;
    }
    let end = this.offset + count;
    while (end > 0) {
      const size = intact(this.chunks[this.head]).length;
      if (end < size) break;
      end -= size;
      this.chunks[this.head] = EMPTY; // releases the memory
      this.#viewer = null;
      this.head += 1;
    }
    this.size -= count;
    this.#taken += count;
    this.offset = end;
    if (this.head > MAX_DEAD_ENTRIES && this.head * 2 > this.chunks.length) {
      this.chunks.splice(0, this.head);
      this.head = 0;
    }
  }

  /** Puts bytes back at the front. The queue keeps them without a copy: the caller must not change them afterwards. */
  unshift(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.#isReserved) this.#giveUpReserved();
    const first = this.chunks[this.head];
    if (first !== undefined) this.chunks[this.head] = intact(first).subarray(this.offset);
    this.size += bytes.length;
    this.#putBack += 1;
    if (this.head === this.chunks.length - 1) this.#blockStart += this.offset; // the chunk is the block's, if there is a block
    this.offset = 0;
    if (this.head > 0) this.chunks[--this.head] = asBuffer(bytes) as NonSharedBuffer;
    else this.chunks.unshift(asBuffer(bytes) as NonSharedBuffer);
  }

  /** Drops everything, including detached chunks. */
  clear(): void {
    if (this.#isReserved) (this.#reservation as Reservation).giveUp();
    this.#taken += this.size;
    this.size = 0;
    this.#reset();
  }

  #reset(): void {
    if (this.chunks.length === 1) this.chunks.pop();
    else this.chunks = [];
    this.head = this.offset = 0;
    this.#viewer = null;
    this.#block = null;
    this.#blockSize = MIN_BLOCK_BYTES;
  }
}
