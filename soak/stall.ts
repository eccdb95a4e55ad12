/**
 * Whether the event loop turns. A loop that never comes back, in JavaScript or in native code, stops every watchdog of this thread;
 * another thread sees it, says so, and ends the process.
 */
import { Worker } from "node:worker_threads";

/** Half of what the watchdogs of conversations wait: they tell more, but only if the event loop turns. */
const STALLED_AFTER_MS = 30_000;

const BEAT_MS = 500;

/** Watches from now on; returns how to end it. */
export function watchEventLoop(): () => Promise<void> {
  const beats = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const timer = setInterval(() => Atomics.add(beats, 0, 1), BEAT_MS);
  timer.unref();
  const worker = new Worker(new URL("./stall-worker.js", import.meta.url), { workerData: { beats, stalledAfterMs: STALLED_AFTER_MS } });
  worker.unref();
  return async () => {
    clearInterval(timer);
    await worker.terminate();
  };
}
