/**
 * `Securing`: the state of a reader during `startTls()`. Plaintext must never be read as if it were secured.
 *
 * Three rules ensure that:
 *   - While `startTls()` is in progress, reads wait. The unread bytes belong to the handshake.
 *   - Once the handshake has taken the unread bytes, no bytes may be fed or put back.
 *   - `startTls()` is refused while an adapter or a loop over chunks may hold plaintext that the program has not seen (`taker.ts`), and
 *     while a `skip()` waits, which drops bytes as they arrive.
 *
 * A loop over lines or frames passes on one at a time, so a program that calls `startTls()` in its body has seen everything that was taken.
 * But a loop that asks for the next line meanwhile is ahead of the program: a `Readable.from(reader)`, or a task that fills a queue, may
 * hold a line that was inserted after the command. So `startTls()` is also refused while such a loop waits.
 */

import type { ByteQueue } from "../base/byte-queue.js";
import type { NonSharedBuffer } from "../base/bytes.js";
import { InvalidStateError } from "../base/errors.js";

/** What matters here of a read that waits. */
interface WaitingRead {
  readonly takesAsTheyCome?: boolean;
  readonly isAhead?: boolean;
}

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

  /** The call whose adapter or loop may hold bytes; `undefined` if there is none. */
  get taker(): string | undefined {
    for (const [method, count] of this.#takers ?? []) if (count > 0) return method;
    return undefined;
  }

  /**
   * Begins, unless another `startTls()` is in progress.
   *
   * @param waiting the read that waits, if any
   * @returns whether it has begun
   * @throws InvalidStateError if plaintext could later be mistaken for secured data
   */
  begin(waiting: WaitingRead | undefined): boolean {
    if (this.isInProgress) return false;
    const { taker } = this;
    if (taker !== undefined)
      throw new InvalidStateError(`cannot startTls(): ${taker}() may hold plaintext that it has taken from the reader`);
    if (waiting?.takesAsTheyCome === true) throw new InvalidStateError("cannot startTls(): a skip() is waiting for data");
    if (waiting?.isAhead === true)
      throw new InvalidStateError(
        "cannot startTls(): a loop that waits for more data may hold plaintext that it has taken from the reader",
      );
    this.isInProgress = true;
    return true;
  }

  /** Takes everything that is unread, for the handshake. */
  handOver(queue: ByteQueue): NonSharedBuffer {
    this.#isHandedOver = this.isInProgress;
    return queue.takeAll();
  }

  /** Whether the handshake has taken what was unread. */
  get isHandedOver(): boolean {
    return this.#isHandedOver;
  }

  /** Throws once the handshake has taken the unread bytes: the call would add plaintext after them. */
  refuseIfHandedOver(method: string): void {
    if (this.isHandedOver) throw new InvalidStateError(`cannot ${method}() during startTls()`);
  }

  /** Ends the state. Returns whether a `startTls()` was in progress. */
  end(): boolean {
    const was = this.isInProgress;
    this.isInProgress = this.#isHandedOver = false;
    return was;
  }
}
