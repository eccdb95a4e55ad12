/** The chart: for each work a panel with a bar for each contestant. */
import { isOurs } from "../contestants.js";
import { drawBars } from "./bars.js";
import type { WorkSummary } from "./summary.js";

export function drawChart(summaries: readonly WorkSummary[]): string {
  const panels = summaries.map(({ id, title, cost, rows }) => ({
    title: `${id}: ${title}`,
    unit: cost,
    bars: rows.filter(({ missing }) => missing === null).map(({ name, cost }) => ({ name, value: cost, isOurs: isOurs(name) })),
  }));
  return drawBars("What each server costs: shorter is better", panels);
}
