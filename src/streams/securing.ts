/**
 * `Securing`: what a reader has to do with `startTls()`. Nothing that was received in the clear may be read as if it were secured.
 *
 * Three rules ensure that. Reads wait while `startTls()` is in progress: what has been received and not read belongs to the handshake.
 * Nothing is fed or put back once the handshake has taken it. And `startTls()` is refused while an adapter or a loop over chunks may hold
 * bytes that the program has not seen (`taker.ts`), or while a `skip()` waits, which drops bytes as they come.
 */
import type { ByteQueue } from "../base/byte-queue.js";
import { InvalidStateError } from "../base/errors.js";

export class Securing {
  #isHandedOver = false;
  /** How many adapters and loops of each kind may hold bytes. Created on first use. */
  #takers: Map<string, number> | null = null;

  /** Whether reads have to wait. */
  isInProgress = false;

  /** Counts the adapters and loops that may hold bytes. */
  noteTaker(method: string, change: 1 | -1): void {
    const takers = (this.#takers ??= new Map());
    takers.set(method, (takers.get(method) ?? 0) + change);
  }

  /**
   * Begins, unless another `startTls()` is in progress.
   *
   * @param isSkipping whether a `skip()` waits
   * @returns whether it has begun
   * @throws InvalidStateError if bytes received in the clear would count as secured later
   */
  begin(isSkipping: boolean): boolean {
    if (this.isInProgress) return false;
    for (const [method, count] of this.#takers ?? []) {
      if (count > 0)
        throw new InvalidStateError(`cannot startTls(): ${method}() may hold bytes that it has taken from the reader in the clear`);
    }
    if (isSkipping) throw new InvalidStateError("cannot startTls(): a skip() is waiting for data");
    this.isInProgress = true;
    return true;
  }

  /** Takes everything that is unread, for the handshake. */
  handOver(queue: ByteQueue): Buffer {
    this.#isHandedOver = this.isInProgress;
    return queue.takeAll();
  }

  /** Whether the handshake has taken what was unread. */
  get isHandedOver(): boolean {
    return this.#isHandedOver;
  }

  /** Refuses a call that would add bytes in the clear behind what the handshake has taken. */
  refuseIfHandedOver(method: string): void {
    if (this.isHandedOver) throw new InvalidStateError(`cannot ${method}() during startTls()`);
  }

  /** Returns whether it was in progress. */
  end(): boolean {
    const was = this.isInProgress;
    this.isInProgress = this.#isHandedOver = false;
    return was;
  }
}
