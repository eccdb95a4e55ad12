/**
 * What a contestant of a showcase runs in: a process of its own, so that its CPU time and its memory are its own. It prints one line of
 * JSON.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

/** What one run of a contestant took. */
export interface Sample {
  readonly milliseconds: number;
  /** User and system time of all threads. */
  readonly cpuMilliseconds: number;
  /** The most memory that was resident at any time of the process. */
  readonly peakBytes: number;
  /** What the work came to. It must be the same for all contestants. */
  readonly result: string;
}

/** Loads a package that `main.ts` has installed for a showcase. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters
export function packageOf<Package>(showcase: string, name: string): Package {
  return createRequire(fileURLToPath(new URL(`../../showcases/${showcase}/node_modules/index.js`, import.meta.url)))(name) as Package;
}

/** Runs the work, and prints what it took. */
export async function measureWork(work: () => Promise<string>): Promise<void> {
  const start = performance.now();
  const before = process.cpuUsage();
  const result = await work();
  const milliseconds = performance.now() - start;
  const { user, system } = process.cpuUsage(before);
  const sample: Sample = { milliseconds, cpuMilliseconds: (user + system) / 1_000, peakBytes: peakBytes(), result };
  process.stdout.write(`${JSON.stringify(sample)}\n`, () => process.exit(0));
}

/** Linux: `ru_maxrss` of a new process begins with the memory of its parent; this does not. */
function peakBytes(): number {
  if (process.platform !== "linux") return process.resourceUsage().maxRSS * 1024;
  return 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "latin1"))?.[1]);
}
