/** Medians over the rounds, and ratios: of each round, then their median, because what else the machine did was the same for both. */
import { isOurs } from "../contestants.js";
import type { Entry, WorkResult } from "../run/rounds.js";
import { median } from "../run/statistics.js";

interface SummaryRow {
  readonly name: string;
  readonly missing: string | null;
  readonly cost: number;
  readonly rate: number;
  readonly latency: { readonly p50: number; readonly p90: number; readonly p99: number } | null;
  /** The cost of each of our forms divided by this one's. */
  readonly ratios: Readonly<Record<string, number>>;
}

interface TargetResult {
  readonly ours: string;
  readonly peer: string;
  readonly atMost: number;
  /** NaN if one of the two has no figures. */
  readonly ratio: number;
  readonly reached: boolean;
}

export interface WorkSummary {
  readonly id: string;
  readonly title: string;
  /** What cost and rate are, in words. */
  readonly cost: string;
  readonly rate: string;
  readonly rows: readonly SummaryRow[];
  readonly targets: readonly TargetResult[];
}

export function summarise({ work, entries }: WorkResult): WorkSummary {
  const ours = entries.filter(({ name }) => isOurs(name));
  const rows = entries.map((entry): SummaryRow => {
    const { name, missing, rounds } = entry;
    const latencyOf = (key: "p50" | "p90" | "p99"): number => median(rounds.map(({ latency }) => latency?.[key] ?? Number.NaN));
    return {
      name,
      missing,
      cost: median(rounds.map(({ cost }) => cost)) * work.cost.factor,
      rate: median(rounds.map(({ rate }) => rate)) * work.rate.factor,
      latency: rounds[0]?.latency ? { p50: latencyOf("p50"), p90: latencyOf("p90"), p99: latencyOf("p99") } : null,
      ratios: Object.fromEntries(ours.map((each) => [each.name, ratioOf(each, entry)])),
    };
  });
  const targets = work.targets.map((target): TargetResult => {
    const ratio = rows.find(({ name }) => name === target.peer)?.ratios[target.ours] ?? Number.NaN;
    return { ...target, ratio, reached: ratio <= target.atMost };
  });
  return { id: work.id, title: work.title, cost: work.cost.name, rate: work.rate.name, rows, targets };
}

function ratioOf(ours: Entry, peer: Entry): number {
  return median(ours.rounds.map(({ cost }, round) => cost / (peer.rounds[round]?.cost ?? Number.NaN)));
}
