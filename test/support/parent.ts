/** For a process that a test has started as a `Child`: what its parent tells it, and what it tells its parent. */
import { createInterface } from "node:readline";

/** What it is told, line by line. */
export async function* commands(): AsyncGenerator<readonly [string, ...unknown[]]> {
  for await (const line of createInterface({ input: process.stdin })) yield JSON.parse(line) as [string, ...unknown[]];
}

/** Tells the parent. */
export function tell(message: unknown): void {
  process.stdout.write(`${JSON.stringify(message ?? null)}\n`);
}
