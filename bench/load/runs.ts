/** What a load generator or a client in TypeScript has in common with load.c: it obeys "run <milliseconds>", and answers with a line of JSON. */
import { createInterface } from "node:readline";
import { percentile } from "../run/statistics.js";

/** Says "ready", then makes a run for each command, until there are no more. `run` returns how many units (lines, bytes, round trips) there were. */
export async function obeyRuns(run: (endMs: number, latenciesMs: number[]) => Promise<number>): Promise<void> {
  console.log("ready");
  for await (const command of createInterface({ input: process.stdin })) {
    const [, duration] = command.split(" ");
    const latencies: number[] = [];
    const began = performance.now();
    const units = await run(began + Number(duration), latencies);
    const seconds = (performance.now() - began) / 1e3;
    const [p50, p90, p99] = [0.5, 0.9, 0.99].map((share) => (latencies.length === 0 ? 0 : percentile(latencies, share) * 1e3));
    console.log(JSON.stringify({ units, seconds, p50, p90, p99 }));
  }
  process.exit();
}
