/** The signals that end the command: the first one may end it gracefully, the second one ends it at once. */
import { constants } from "node:os";
import { EXIT } from "./failure.js";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export type TerminationSignal = (typeof SIGNALS)[number];

/** Returns the exit code by which a shell names the signal: 130 for SIGINT, 143 for SIGTERM. */
export function exitCodeOf(signal: TerminationSignal): number {
  return EXIT.signalled + constants.signals[signal];
}

/** Calls back at the first signal; the second one ends the process. */
export function onTermination(callback: (signal: TerminationSignal) => void): void {
  let isEnding = false;
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (isEnding) process.exit(exitCodeOf(signal));
      isEnding = true;
      callback(signal);
    });
  }
}
