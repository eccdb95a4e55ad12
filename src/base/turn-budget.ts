/**
 * `TurnBudget`: lets the event loop run in a loop of awaited calls that never have to wait.
 *
 * Awaiting a promise that is fulfilled already runs the program on before any timer, any other client, and even the ticks in which what was written
 * is sent. So `for (;;) { writer.write(event); await writer.drain(); }` would stop the whole process. A call that has used up the budget waits for
 * a turn of the event loop.
 *
 * Readers and writers count for themselves, by the same numbers: they do so for each line.
 */

/** So many bytes may pass in a turn: as much as a socket takes or brings at once. */
export const TURN_BYTES = 65_536;

/** A call counts as so many bytes at least: 256 calls a turn. A turn of the event loop costs about as much as five calls, 2 % of them. */
export const CALL_BYTES = 256;

export class TurnBudget {
  #left = TURN_BYTES;

  /** Whether more than the budget has passed: the call at hand, or the next one, has to wait for a turn, and `renew()` then. */
  get isSpent(): boolean {
    return this.#left < 0;
  }

  /** Counts a call that has passed on so many bytes. */
  spend(bytes: number): void {
    this.#left -= bytes > CALL_BYTES ? bytes : CALL_BYTES;
  }

  /** The event loop has turned. */
  renew(): void {
    this.#left = TURN_BYTES;
  }
}
