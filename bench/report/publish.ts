/**
 * Writes the results down. A full run is what the documentation shows: bench/results.json, docs/performance/chart.svg, and the tables between the two
 * marks in docs/performance.md. Any other run leaves those alone, and writes to build/bench-results/.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { sourceFile } from "../run/tools.js";
import { drawChart } from "./chart.js";
import { type Machine, machineText } from "./machine.js";
import type { WorkSummary } from "./summary.js";
import { targetTable, workTable } from "./table.js";

export interface Report {
  readonly machine: Machine;
  readonly rounds: number;
  readonly works: readonly WorkSummary[];
}

const BEGIN = "<!-- begin: written by npm run bench -->";
const END = "<!-- end: written by npm run bench -->";

function reportText({ machine, works }: Report): string {
  return [machineText(machine), ...works.map(workTable), targetTable(works)].join("\n\n");
}

/** @returns the names of what was written */
export function publish(report: Report, full: boolean): string[] {
  const aside = "../build/bench-results";
  const results = full ? "results.json" : `${aside}/results.json`;
  const chart = full ? "../docs/performance/chart.svg" : `${aside}/chart.svg`;
  // JSON has no NaN: a figure that is not there is null.
  write(results, `${JSON.stringify(report, null, 2)}\n`);
  write(chart, drawChart(report.works));
  const written = [results, chart];
  const page = "../docs/performance.md";
  if (full && existsSync(sourceFile(page))) {
    const text = readFileSync(sourceFile(page), "utf8");
    const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
    if (begin !== -1 && end > begin) {
      write(page, `${text.slice(0, begin)}${BEGIN}\n\n\`\`\`text\n${reportText(report)}\n\`\`\`\n\n${text.slice(end)}`);
      written.push(page);
    }
  }
  return written.map((name) => join("bench", name));
}

export function write(name: string, text: string): void {
  const path = sourceFile(name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
