/**
 * `TurnBudget`: lets the event loop run in a loop of awaited calls that never have to wait.
 *
 * Awaiting a promise that is fulfilled already runs the program on before any timer, any other client, and even the ticks in which what was written
 * is sent. So `for (;;) { writer.write(event); await writer.drain(); }` would stop the whole process. A call that has used up the budget waits for
 * a turn of the event loop.
 */
import { nextTurn } from "./scheduling.js";
import { DONE } from "./waiting.js";

/** So many bytes may pass in a turn: as much as a socket takes or brings at once. */
export const TURN_BYTES = 65_536;

/** A call counts as so many bytes at least: 256 calls a turn. A turn costs about as much as five calls, so no more than 2 %. */
export const CALL_BYTES = 256;

export class TurnBudget {
  #left = TURN_BYTES;
  /** The caller's count of bytes when it last passed. */
  #seen = 0;

  /** A new turn has begun. */
  renew(): void {
    this.#left = TURN_BYTES;
  }

  /** @param count all bytes that the caller has counted so far */
  pass(count: number): Promise<void> {
    const bytes = count - this.#seen;
    this.#seen = count;
    this.#left -= bytes > CALL_BYTES ? bytes : CALL_BYTES;
    if (this.#left > 0) return DONE;
    this.#left = TURN_BYTES;
    return nextTurn();
  }
}
