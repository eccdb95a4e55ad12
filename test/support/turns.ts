/** Waiting for things to happen without looking at the clock. */

/** Lets the event loop turn. */
export async function turns(count: number = 1): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** Lets pending promise callbacks run, so many times, within this turn of the event loop. */
export async function microtasks(count: number): Promise<void> {
  for (let time = 0; time < count; time += 1) await Promise.resolve();
}

/** Lets the event loop turn until `condition` holds. A test that waits in vain is ended by its time limit. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turns();
}

/** Whether a promise has settled by now. */
export async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const note = (): void => {
    settled = true;
  };
  promise.then(note, note);
  await turns(2);
  return settled;
}
