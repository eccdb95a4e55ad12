/**
 * Writes the results. A full run updates the documentation: bench/results.json, docs/performance/chart.svg, the summary in docs/performance.md and
 * the full tables in docs/performance-notes.md, each between its two marks. Any other run writes to build/bench-results/ and leaves these alone.
 * `--calls` writes its table in docs/performance.md.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { sourceFile } from "../run/tools.js";
import { drawChart } from "./chart.js";
import { type Machine, machineText } from "./machine.js";
import type { WorkSummary } from "./summary.js";
import { summaryTable, targetTable, workTable } from "./table.js";

export interface Report {
  readonly machine: Machine;
  readonly rounds: number;
  readonly works: readonly WorkSummary[];
}

const marksOf = (command: string): [begin: string, end: string] => [
  `<!-- begin: written by ${command} -->`,
  `<!-- end: written by ${command} -->`,
];
const RUN_MARKS = marksOf("npm run bench");
/** A comment of HTML has no two hyphens in it. */
const CALLS_MARKS = marksOf("the option calls of npm run bench");

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
  if (full) {
    const summary = `${summaryTable(report.works)}\n\n${machineText(report.machine).replaceAll("\n", ".\n")}.`;
    written.push(...writeBetweenMarks("../docs/performance.md", RUN_MARKS, summary));
    written.push(...writeBetweenMarks("../docs/performance-notes.md", RUN_MARKS, `\`\`\`text\n${reportText(report)}\n\`\`\``));
  }
  return written.map((name) => join("bench", name));
}

/** Writes the table of calls. Returns the names of what was written. */
export function publishCalls(table: string): string[] {
  return writeBetweenMarks("../docs/performance.md", CALLS_MARKS, `\`\`\`text\n${table}\n\`\`\``).map((name) => join("bench", name));
}

/** Replaces the part of a page that a run writes. Returns the page's name, or nothing if the page or its marks are missing. */
function writeBetweenMarks(page: string, [beginMark, endMark]: readonly [string, string], content: string): string[] {
  if (!existsSync(sourceFile(page))) return [];
  const text = readFileSync(sourceFile(page), "utf8");
  const [begin, end] = [text.indexOf(beginMark), text.indexOf(endMark)];
  if (begin === -1 || end <= begin) return [];
  write(page, `${text.slice(0, begin)}${beginMark}\n\n${content}\n\n${text.slice(end)}`);
  return [page];
}

export function write(name: string, text: string): void {
  const path = sourceFile(name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
