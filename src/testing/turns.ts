/** Turns of the event loop, the only clock that this folder uses. */

import { setImmediate } from "../base/scheduling.js";

/** Calls `callback` in the next turn of the event loop. */
export function nextTurn(callback: () => void): void {
  setImmediate(callback);
}

/** Waits for `count` turns of the event loop. */
export async function turns(count: number = 1): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise<void>((resolve) => nextTurn(resolve));
}
