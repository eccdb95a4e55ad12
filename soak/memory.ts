/** Whether the memory stays as it is: measured at rest, again and again, with the garbage collected. */
import { collectGarbage } from "../test/support/garbage.js";

const MIB = 2 ** 20;

export interface Sample {
  readonly heap: number;
  readonly rss: number;
  readonly connections: number;
}

/** A figure before and after, and how much it may have grown. */
export interface Growth {
  readonly what: string;
  readonly before: number;
  readonly after: number;
  readonly bound: number;
}

/** @param heldBytes memory that we keep on purpose, and that does not count */
export async function takeSample(connections: number, heldBytes: number): Promise<Sample> {
  await collectGarbage();
  const { heapUsed, rss } = process.memoryUsage();
  return { heap: heapUsed, rss: rss - heldBytes, connections };
}

/**
 * What has grown since the warm-up: the lowest of the first samples after it, beside the lowest of the last. What a young generation has
 * not given back yet makes single samples higher, by tens of MiB of RSS; a leak makes all of them higher.
 *
 * The heap holds what we hold, so the bound is close: in two minutes, some hundred bytes for each connection are more, and compiling what
 * is used goes on for a while. What the process has from the system also depends on how its allocators cut it up, so there the bound is a
 * share.
 */
export function growth(samples: readonly Sample[]): readonly Growth[] {
  const third = Math.floor(samples.length / 3);
  const [early, late] = [samples.slice(third, 2 * third), samples.slice(-third)];
  const lowest = (some: readonly Sample[], what: "heap" | "rss"): number => Math.min(...some.map((sample) => sample[what]));
  const rss = lowest(early, "rss");
  return [
    { what: "heap", before: lowest(early, "heap"), after: lowest(late, "heap"), bound: 1.5 * MIB },
    { what: "RSS", before: rss, after: lowest(late, "rss"), bound: Math.max(48 * MIB, rss / 4) },
  ];
}

export function mebibytes(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}
