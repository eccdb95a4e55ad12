/** The process warnings that an action gives. */
import { turns } from "./turns.js";

/** Runs the action, lets the event loop turn (a warning is emitted a tick later), and returns the warnings that came. */
export async function warningsOf(action: () => void | Promise<void>): Promise<(Error & { readonly code?: string })[]> {
  const warnings: Error[] = [];
  const note = (warning: Error): void => void warnings.push(warning);
  process.on("warning", note);
  try {
    await action();
    await turns(5);
  } finally {
    process.off("warning", note);
  }
  return warnings;
}
