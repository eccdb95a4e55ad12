/**
 * `Chunks`: the bytes of a `ByteQueue` in the chunks in which they arrived, and everything that looks at them without taking them.
 *
 * Positions (`from`, `to`, results of `indexOf`) count from the front of the queue.
 */
import type { NonSharedBuffer } from "./bytes.js";
import { allocate, intact } from "./memory.js";

export class Chunks {
  /** The chunks, behind `head` consumed entries. */
  protected chunks: NonSharedBuffer[] = [];
  protected head = 0;
  /** Number of bytes at the front of the first chunk that were taken. */
  protected offset = 0;
  /** Number of bytes in the queue. */
  protected size = 0;

  /** Number of bytes in the queue. */
  get length(): number {
    return this.size;
  }

  /** The first chunk, to look at: what is in front of `firstOffset` was taken. `undefined` if there is none. */
  get first(): NonSharedBuffer | undefined {
    return this.chunks[this.head];
  }

  /** Where the front of the queue is in the first chunk. */
  get firstOffset(): number {
    return this.offset;
  }

  /** Copies the first `count` bytes to the beginning of `target`, without taking them. */
  copyTo(target: Uint8Array, count: number): void {
    let index = this.head;
    let start = this.offset;
    for (let filled = 0; filled < count; index += 1, start = 0) {
      filled += intact(this.chunks[index]).copy(target, filled, start, start + count - filled);
    }
  }

  /** Returns the position behind the last `byte` among the first `max` bytes of the first chunk; 0 if it is not there. */
  endOfLast(byte: number, max: number): number {
    const first = this.chunks[this.head];
    if (first === undefined) return 0;
    const found = first.lastIndexOf(byte, this.offset + max - 1);
    return Math.max(0, found + 1 - this.offset);
  }

  /** Decodes the first `count` bytes, which the first chunk has. */
  textOf(count: number, encoding: BufferEncoding): string {
    return (this.chunks[this.head] as NonSharedBuffer).toString(encoding, this.offset, this.offset + count);
  }

  /** Returns a copy of the bytes from `from` up to, not including, `to`, without taking them. */
  copy(from: number, to: number): NonSharedBuffer {
    const copied = allocate(to - from);
    let { index, start } = this.#locate(from);
    for (let filled = 0; filled < copied.length; index += 1) {
      const chunk = intact(this.chunks[index]);
      filled += chunk.copy(copied, filled, Math.max(0, from - start), Math.min(chunk.length, to - start));
      start += chunk.length;
    }
    return copied;
  }

  /**
   * Returns the position of the first `needle` within the bytes from `from` up to, not including, `to`; -1 if they do not contain all of
   * it.
   */
  indexOf(needle: Uint8Array, from: number = 0, to: number = this.length): number {
    const seam = needle.length - 1;
    if (to - from <= seam) return -1;
    let { index, start } = this.#locate(from);
    for (; start < to; index += 1) {
      const chunk = intact(this.chunks[index]);
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
    return this.indexOf(bytes, position, Math.min(position + bytes.length, this.size)) === position;
  }

  /**
   * Finds the chunk that holds `position`, and the position at which that chunk starts (negative for a first chunk that is partly taken).
   * Walks from the nearer end, so that a search that continues where it stopped does not walk over everything before that position.
   */
  #locate(position: number): { index: number; start: number } {
    if (position < this.size / 2) {
      let index = this.head;
      let start = -this.offset;
      for (;;) {
        const size = intact(this.chunks[index]).length;
        if (position < start + size) return { index, start };
        start += size;
        index += 1;
      }
    }
    let index = this.chunks.length;
    let start = this.size;
    do {
      index -= 1;
      start -= intact(this.chunks[index]).length;
    } while (start > position);
    return { index, start };
  }
}
