/**
 * The soak: thousands of connections that come and go, in every way at once, and each byte compared. `npm run soak -- --help` lists the options.
 *
 * options -> rounds of conversations (converse.ts with serve.ts, as plan.ts throws them) over all routes (routes.ts), a rest with a look at the memory after each
 * -> everything closed -> what is left, what was found (ledger.ts), the verdict.
 */

import { Random } from "../test/support/random.js";
import { converse } from "./converse.js";
import { handlesLeft } from "./handles.js";
import { Ledger } from "./ledger.js";
import { growth, mebibytes, type Sample, takeSample } from "./memory.js";
import { parseOptions, USAGE } from "./options.js";
import { Routes } from "./routes.js";
import { summary } from "./summary.js";

if (process.argv.includes("--help")) {
  console.log(USAGE);
  process.exit();
}
const options = parseOptions(process.argv.slice(2));
const { minutes, seed, clients } = options;

/** The first third is the warm-up. */
const ROUNDS = 12;
const ROUND_MS = (minutes * 60_000) / ROUNDS;

/** Each restart meets conversations that are under way. */
const RESTARTS_PER_ROUND = 4;

/** With nothing left to do, a process ends at once. */
const EXIT_MS = 10_000;

const ledger = new Ledger();
const random = new Random(seed);
const routes = new Routes(ledger);
const samples: Sample[] = [];
let connections = 0;

for (const event of ["unhandledRejection", "uncaughtException", "warning"] as const) {
  process.on(event as "uncaughtException", (error: unknown) => {
    ledger.unhandled += 1;
    ledger.report(`${event}: ${error instanceof Error ? error.stack : String(error)}`);
  });
}

async function runClient(until: number, dice: Random): Promise<void> {
  while (performance.now() < until) {
    connections += 1;
    await converse(dice.pick(routes.all), dice, ledger);
  }
}

async function runRestarts(until: number, dice: Random): Promise<void> {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, (dice.next() * 2 * ROUND_MS) / RESTARTS_PER_ROUND));
    if (performance.now() > until) return;
    ledger.count("restarts");
    await dice.pick(routes.all).restart(dice);
  }
}

function showProgress(round: number): void {
  const { heap, rss } = samples.at(-1) as Sample;
  const parts = [
    `round ${round} of ${ROUNDS}`,
    `${connections} connections`,
    `${mebibytes(ledger.bytesChecked)} checked`,
    `heap ${mebibytes(heap)}`,
    `RSS ${mebibytes(rss)}`,
    `${ledger.findings.length} findings`,
  ];
  process.stderr.write(process.stderr.isTTY ? `\r\u001B[2K${parts.join(" · ")}` : `${parts.join(" · ")}\n`);
}

const begun = performance.now();
console.log(`soak: ${minutes} minutes, seed ${seed}, ${clients} clients at a time`);
await routes.start(random.fork());
for (let round = 1; round <= ROUNDS; round += 1) {
  const until = begun + round * ROUND_MS;
  const dice = Array.from({ length: clients }, () => random.fork());
  await Promise.all([...dice.map((own) => runClient(until, own)), runRestarts(until, random.fork())]);
  samples.push(await takeSample(connections));
  showProgress(round);
}
await routes.close();
if (process.stderr.isTTY) process.stderr.write("\r\u001B[2K");

const left = await handlesLeft();
const grown = growth(samples);
const failures = [
  ...(ledger.wrongBytes > 0 ? [`${ledger.wrongBytes} wrong bytes`] : []),
  ...(ledger.findings.length > 0 ? [`${ledger.findings.length} findings`] : []),
  ...(left.length > 0 ? [`handles left: ${left.join(", ")}`] : []),
  ...grown.filter(({ before, after, bound }) => after - before > bound).map(({ what }) => `the ${what} has grown`),
];
console.log(summary({ ledger, connections, left, grown, samples, seconds: (performance.now() - begun) / 1_000 }));
console.log(failures.length === 0 ? "passed" : `FAILED: ${failures.join("; ")}`);
if (failures.length > 0) process.exitCode = 1;
setTimeout(() => {
  console.error("FAILED: the process does not end by itself");
  process.exit(1);
}, EXIT_MS).unref();
