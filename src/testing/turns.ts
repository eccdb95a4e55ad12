/** Turns of the event loop: the only clock of this folder. */

/** Taken once, so that tests that replace the global with a fake do not stop us. */
const immediately = setImmediate;

/** Calls back in the next turn of the event loop. */
export function nextTurn(callback: () => void): void {
  immediately(callback);
}

/** Lets the event loop turn. */
export async function turns(count: number = 1): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise<void>((resolve) => nextTurn(resolve));
}
