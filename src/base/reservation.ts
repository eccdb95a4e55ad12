/**
 * `Reservation`: memory reserved for a long message, into which the system reads the rest of it. Belongs to a `ByteQueue`.
 *
 * Memory is reserved when a quarter of the message has arrived, or if the previous message was as long. So a peer cannot cause an
 * allocation by merely announcing a long message. The reservation ends when the message is complete, or is given up when no caller waits
 * for it any more. The system may then read into the memory once more, and such bytes are copied out of it (rule M1 in `memory.ts`).
 */
import type { NonSharedBuffer } from "./bytes.js";
import { isSmallPart, MAX_KEPT_ALIVE_FACTOR, ownCopy } from "./memory.js";

/** Memory is reserved for messages of these sizes: a shorter one arrives in one piece, a longer announced size should not be trusted. */
const MIN_RESERVED_BYTES = 65_536;
const MAX_RESERVED_BYTES = 16_777_216;

export class Reservation {
  /** The memory of the message that is being read. The bytes that have arrived are its beginning. `null` if nothing is reserved. */
  memory: NonSharedBuffer | null = null;
  /** Memory that was given up. The system may read into it once more. */
  #givenUp: NonSharedBuffer | null = null;
  /** Length of the last message that was read into reserved memory. Up to this length, memory is reserved immediately. */
  #proven = 0;

  /** Whether reserving can pay for a message of `count` bytes, of which `arrived` are there. */
  static isPossible(count: number, arrived: number): boolean {
    return count >= MIN_RESERVED_BYTES && count <= MAX_RESERVED_BYTES && arrived > 0 && arrived < count;
  }

  /** Whether it is likely that a message of `count` bytes will arrive, of which `arrived` are there. */
  isLikely(count: number, arrived: number): boolean {
    return count <= this.#proven || count <= arrived * MAX_KEPT_ALIVE_FACTOR;
  }

  /** The message is read into `memory` from now on, which holds what has arrived of it. */
  begin(memory: NonSharedBuffer): void {
    if (this.memory !== null) this.giveUp();
    this.memory = memory;
  }

  /** The message is complete: its memory may be handed out. */
  complete(memory: NonSharedBuffer): void {
    this.memory = null;
    this.#proven = memory.length;
  }

  /** The message is not wanted any more. Its bytes must have been copied out of the memory, or dropped. */
  giveUp(): void {
    this.#givenUp = this.memory;
    this.memory = null;
  }

  /** Returns bytes that may be kept: those that were read into reserved memory are copied if they are a small part of it. */
  own(bytes: Uint8Array): Uint8Array {
    const wasReserved = bytes.buffer === this.#givenUp?.buffer || bytes.buffer === this.memory?.buffer;
    this.#givenUp = null;
    return wasReserved && isSmallPart(bytes.length, bytes) ? ownCopy(bytes) : bytes;
  }

  /** Reading has ended: the system reads into no memory any more. */
  endReading(): void {
    this.#givenUp = null;
  }
}
