/** Turns of the event loop: the only clock of this folder. */

import { setImmediate } from "../base/scheduling.js";

/** Calls back in the next turn of the event loop. */
export function nextTurn(callback: () => void): void {
  setImmediate(callback);
}

/** Lets the event loop turn. */
export async function turns(count: number = 1): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise<void>((resolve) => nextTurn(resolve));
}
