/** Whether the memory stays as it is: measured at rest, again and again, with the garbage collected. */
import { collectGarbage } from "../test/support/garbage.js";
import { runtime } from "../test/support/runtime.js";

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
  // Bun: the heap includes the memory of typed arrays.
  return { heap: heapUsed - (runtime === "bun" ? heldBytes : 0), rss: rss - heldBytes, connections };
}

/**
 * What has grown since the warm-up: the second third of the samples is compared with the lowest sample of the last third. A young generation that has
 * not been given back yet makes single samples higher, by tens of MiB of RSS. A leak makes all samples higher.
 *
 * The heap holds what we hold, so its bound is close: in two minutes, some hundred bytes for each connection exceed it, and the runtime goes on
 * compiling for a while. The lowest sample of the second third counts. RSS also depends on how the allocators cut up their memory: single samples
 * are lower by as much as others are higher (Node 26: 168 MiB between two of 234 and 223). So the middle sample of the second third counts, and
 * the bound is a share.
 */
export function growth(samples: readonly Sample[]): readonly Growth[] {
  const third = Math.floor(samples.length / 3);
  const [early, late] = [samples.slice(third, 2 * third), samples.slice(-third)];
  const lowest = (some: readonly Sample[], what: "heap" | "rss"): number => Math.min(...some.map((sample) => sample[what]));
  const rss = early.map((sample) => sample.rss).sort((a, b) => a - b)[early.length >> 1] as number;
  return [
    { what: "heap", before: lowest(early, "heap"), after: lowest(late, "heap"), bound: 1.5 * MIB + leakOfRuntime(early, late) },
    { what: "RSS", before: rss, after: lowest(late, "rss"), bound: Math.max(48 * MIB, rss / 4) },
  ];
}

/** Deno 2.9: keeps several KiB for each TLS handshake that fails, with bare `node:tls`, too. One connection in ten is one of these. */
const LEAK_BYTES_PER_CONNECTION = 1024;

function leakOfRuntime(early: readonly Sample[], late: readonly Sample[]): number {
  const connections = (late.at(-1) as Sample).connections - (early[0] as Sample).connections;
  return runtime === "deno" ? connections * LEAK_BYTES_PER_CONNECTION : 0;
}

export function mebibytes(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}
