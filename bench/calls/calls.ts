/** The table of calls: each row beside its reference in a process of their own, and all rows in one process. */
import { execFileSync } from "node:child_process";
import { columns, figure, ratio } from "../report/table.js";
import { javascript } from "../run/commands.js";
import { median } from "../run/statistics.js";
import { ROWS } from "./rows.js";

type Costs = Readonly<Record<string, readonly number[]>>;

function measure(runtime: string, names: readonly string[]): Costs {
  const { program, arguments: args } = javascript(runtime, "calls/child", names);
  return JSON.parse(execFileSync(program, args, { encoding: "utf8" })) as Costs;
}

/** The cost of a row, and the median of its ratios to the reference in the same round. */
function compare(costs: Costs, name: string, reference: string): { readonly cost: number; readonly share: number } {
  const [own, other] = [costs[name] ?? [], costs[reference] ?? []];
  return { cost: median(own), share: median(own.map((cost, round) => cost / (other[round] ?? Number.NaN))) };
}

export function runCalls(runtime: string, progress: (text: string) => void): string {
  const heading = ["", "ns a message", "to its reference", "goal", "", "all in one process: ns", "to its reference"];
  progress("calls: all rows in one process");
  const together = measure(
    runtime,
    ROWS.map(({ name }) => name),
  );
  const rows = ROWS.map(({ name, reference, goal }) => {
    progress(`calls: ${name}`);
    const alone = compare(measure(runtime, [name, reference]), name, reference);
    const all = compare(together, name, reference);
    const judged = goal === null ? "" : alone.share <= goal ? "reached" : "MISSED";
    return [name, figure(alone.cost), ratio(alone.share), goal === null ? "" : String(goal), judged, figure(all.cost), ratio(all.share)];
  });
  return `Reading what is at hand: messages of 64 bytes, CPU time. The reference is readline() for a call, for await for an iteration.\n${columns([heading, ...rows])}`;
}
