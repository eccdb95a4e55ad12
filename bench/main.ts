/**
 * The benchmark: what a server on asyncio-streams costs, beside its peers. `npm run bench -- --help` lists the options.
 *
 * options -> tools (what is installed) -> works x contestants, in rounds (run/) -> summary, tables, chart, results.json (report/).
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCalls } from "./calls/calls.js";
import { isOurs } from "./contestants.js";
import { runGrowth } from "./growth/growth.js";
import { parseOptions, USAGE } from "./options.js";
import { describeMachine, machineText } from "./report/machine.js";
import { publish, publishCalls, type Report } from "./report/publish.js";
import { summarise, type WorkSummary } from "./report/summary.js";
import { targetTable, workTable } from "./report/table.js";
import { makeCertificate } from "./run/certificate.js";
import type { Place } from "./run/measure.js";
import { Progress } from "./run/progress.js";
import { runWork } from "./run/rounds.js";
import { findTools } from "./run/tools.js";
import { WORKS } from "./works.js";

if (process.argv.includes("--help")) {
  console.log(USAGE);
  process.exit();
}
const options = parseOptions(process.argv.slice(2));
const progress = new Progress();
const show = (text: string): void => progress.show(text);
if (options.calls) {
  const table = runCalls(options.runtime, show);
  progress.clear();
  console.log(table);
  if (options.runtime === process.execPath) console.log(`\nwritten: ${publishCalls(table).join(", ")}`);
  process.exit();
}
const works = WORKS.filter(({ id }) => options.only === null || options.only.some((wanted) => id.toUpperCase().startsWith(wanted)));
if (works.length === 0) throw new Error(`--only has to name works of ${WORKS.map(({ id }) => id).join(", ")}`);
const directory = mkdtempSync(join(tmpdir(), "bench-"));

async function runWorks(place: Place): Promise<Report> {
  const machine = describeMachine(place.tools, options.runtime);
  const results: WorkSummary[] = [];
  console.log(`${machineText(machine)}\n`);
  for (const work of works) {
    const result = await runWork(work, place, options, show);
    const summary = summarise(result);
    results.push(summary);
    progress.clear();
    console.log(`${workTable(summary)}\n`);
    const failed = result.entries.filter(({ name, missing }) => isOurs(name) && missing !== null);
    for (const { name, missing } of failed) console.error(`${work.id} ${name} FAILED: ${missing}`);
    if (failed.length > 0) process.exitCode = 1;
  }
  return { machine, rounds: options.rounds, works: results };
}

try {
  const place = {
    directory,
    runtime: options.runtime,
    tools: findTools(directory, options.python),
    certificate: makeCertificate(),
  };
  if (options.growth) {
    const text = await runGrowth(place, options, show);
    progress.clear();
    console.log(text);
  } else {
    const report = await runWorks(place);
    if (!options.oursOnly) console.log(`${targetTable(report.works)}\n`);
    const full = !options.quick && !options.oursOnly && options.only === null && options.runtime === process.execPath;
    if (options.quick) console.log("This was a quick run: it shows that everything works, and its figures are worth little.");
    console.log(`written: ${publish(report, full).join(", ")}`);
  }
} finally {
  progress.clear();
  rmSync(directory, { recursive: true });
}
