/** The thread that watches the event loop of the main one. See stall.ts. */
import { writeSync } from "node:fs";
import { workerData } from "node:worker_threads";

const STDERR = 2;
const { beats, stalledAfterMs } = workerData as { readonly beats: Int32Array; readonly stalledAfterMs: number };

let seen = Atomics.load(beats, 0);
let since = performance.now();
setInterval(() => {
  const now = Atomics.load(beats, 0);
  if (now !== seen) {
    seen = now;
    since = performance.now();
  } else if (performance.now() - since > stalledAfterMs) {
    writeSync(STDERR, `FAILED: the event loop has not turned for ${stalledAfterMs / 1_000} s\n`);
    process.kill(process.pid, "SIGKILL");
  }
}, 1_000);
