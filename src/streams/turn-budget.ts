/** `TurnBudget`: how much a source may deliver before the event loop has to run. A source that never waits would otherwise starve every timer and every connection. */
import { nextTurn } from "../base/scheduling.js";

/** As much as a socket delivers in one step. */
const MAX_BYTES = 65_536;
const MAX_ITEMS = 256;

export class TurnBudget {
  #bytes = 0;
  #items = 0;

  /** Counts a chunk. Returns a promise of the next turn of the event loop if the source has to wait for it, and `null` if it may go on. */
  spend(chunk: Uint8Array | string): Promise<void> | null {
    this.#bytes += chunk.length;
    this.#items += 1;
    if (this.#bytes < MAX_BYTES && this.#items < MAX_ITEMS) return null;
    this.#bytes = this.#items = 0;
    return nextTurn();
  }
}
