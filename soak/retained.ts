/**
 * Slices of what was read, kept: bytes that a read has handed out never change, whatever happens afterwards on this connection or on
 * others.
 *
 * It is a sample of all slices of the run, each as likely to be kept as the others ("reservoir sampling"), with a checksum that was made
 * when it was read.
 */
import type { Random } from "../test/support/random.js";
import type { Ledger } from "./ledger.js";

/** Slices that are kept at most. */
const MOST_SLICES = 10_000;

/** Memory that they keep alive at most: a small slice may lie in a block of 64 KiB. */
const MOST_BYTES = 128 * 2 ** 20;

/** The end of a connection that handed out a slice. What it has given away may be gone. */
export interface Owner {
  gave: boolean;
}

/** For memory that the program has got from another place: it may never be gone. */
export const OF_THE_PROGRAM: Owner = { gave: false };

interface Slice {
  readonly bytes: Uint8Array;
  readonly length: number;
  readonly checksum: number;
  readonly owner: Owner;
  /** The memory in which it lies, and its size then. */
  readonly memory: ArrayBufferLike;
  readonly memoryBytes: number;
}

export class Retained {
  readonly #ledger: Ledger;
  readonly #random: Random;
  readonly #slices: Slice[] = [];
  /** How many slices lie in each piece of memory. */
  readonly #users = new Map<ArrayBufferLike, number>();
  #offered = 0;
  /** No more slices than there are now. */
  #full = false;
  /** Bytes of memory that the slices keep alive. */
  bytesHeld = 0;
  verified = 0;

  constructor(ledger: Ledger, random: Random) {
    this.#ledger = ledger;
    this.#random = random;
  }

  get count(): number {
    return this.#slices.length;
  }

  /** Keeps what was read or a part of it, perhaps. */
  offer(bytes: Uint8Array, owner: Owner): void {
    this.#offered += 1;
    if (this.#full && this.#random.next() * this.#offered >= MOST_SLICES) return;
    const part = this.#random.chance(0.5) ? bytes : bytes.subarray(0, this.#random.size(bytes.length));
    if (this.#full) this.#dropAny();
    this.#keep(part, owner);
    this.#full ||= this.#slices.length >= MOST_SLICES || this.bytesHeld > MOST_BYTES;
    while (this.bytesHeld > MOST_BYTES) this.#dropAny();
  }

  #keep(bytes: Uint8Array, owner: Owner): void {
    const { buffer: memory, length } = bytes;
    const users = this.#users.get(memory) ?? 0;
    this.#users.set(memory, users + 1);
    if (users === 0) this.bytesHeld += memory.byteLength;
    this.#slices.push({ bytes, length, checksum: checksumOf(bytes), owner, memory, memoryBytes: memory.byteLength });
  }

  /** Verifies one for the last time, and lets go of it. */
  #dropAny(): void {
    const index = this.#random.below(this.#slices.length);
    this.#verify(this.#slices[index] as Slice);
    this.#drop(index);
  }

  #drop(index: number): void {
    const slice = this.#slices[index] as Slice;
    const last = this.#slices.pop() as Slice;
    if (last !== slice) this.#slices[index] = last;
    const users = (this.#users.get(slice.memory) as number) - 1;
    if (users > 0) this.#users.set(slice.memory, users);
    else {
      this.#users.delete(slice.memory);
      this.bytesHeld -= slice.memoryBytes;
    }
  }

  /** Verifies all of them. */
  verifyAll(): void {
    for (let index = this.#slices.length - 1; index >= 0; index -= 1) {
      if (!this.#verify(this.#slices[index] as Slice)) this.#drop(index);
    }
  }

  /** Returns whether the slice is as it was. */
  #verify({ bytes, length, checksum, owner }: Slice): boolean {
    this.verified += 1;
    if (bytes.length !== length) {
      if (!owner.gave)
        this.#ledger.report(
          `a slice of ${length} bytes that was read has ${bytes.length}: its memory was given away on another connection`,
        );
      return false;
    }
    if (checksumOf(bytes) === checksum) return true;
    this.#ledger.wrongBytes += length;
    this.#ledger.report(`a slice of ${length} bytes that was read has changed`);
    return false;
  }
}

/** FNV-1a. */
function checksumOf(bytes: Uint8Array): number {
  let sum = 0x811c9dc5;
  for (let index = 0; index < bytes.length; index += 1) sum = Math.imul(sum ^ (bytes[index] as number), 0x01000193);
  return sum;
}
