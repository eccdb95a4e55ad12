/**
 * `TurnBudget`: lets the event loop turn during a loop of awaited calls that never have to wait.
 *
 * When a program awaits a fulfilled promise, it continues before any timer, any other client, and even the ticks that send written data. So
 * `for (;;) { writer.write(event); await writer.drain(); }` would stop the whole process. A call that has used up the budget waits for a
 * turn of the event loop.
 *
 * Readers and writers implement the same count themselves, with the same numbers, because they count for each line.
 */

/** Number of bytes that may pass in a turn: as many as a socket accepts or delivers at once. */
export const TURN_BYTES = 65_536;

/**
 * Minimum number of bytes that a call counts for: 256 calls per turn. A turn of the event loop costs about as much as five calls, 2 % of
 * them.
 */
export const CALL_BYTES = 256;

export class TurnBudget {
  #left = TURN_BYTES;

  /** Whether the budget is exceeded. If so, this call or the next one has to wait for a turn, and to `renew()` then. */
  get isSpent(): boolean {
    return this.#left < 0;
  }

  /** Counts a call that has passed on this many bytes. */
  spend(bytes: number): void {
    this.#left -= bytes > CALL_BYTES ? bytes : CALL_BYTES;
  }

  /** Restores the budget after a turn of the event loop. */
  renew(): void {
    this.#left = TURN_BYTES;
  }
}
