/**
 * The soak: thousands of connections that come and go, in every way at once, and each byte compared. `npm run soak -- --help` lists the
 * options.
 *
 * options -> rounds of conversations (converse.ts with serve.ts, as plan.ts throws them) over all routes (routes.ts), with cruel peers
 * (bare-peers.ts) and programs that exit (exits.ts) between them, a rest with a look at the memory and at what was kept of what was read
 * (retained.ts) after each -> everything closed -> what is left, what was found (ledger.ts), what the second run found (second-run.ts),
 * the verdict.
 */

import { Random } from "../test/support/random.js";
import { runtime } from "../test/support/runtime.js";
import { converse } from "./converse.js";
import { checkExit } from "./exits.js";
import { handlesLeft } from "./handles.js";
import { Ledger } from "./ledger.js";
import { growth, mebibytes, type Sample, takeSample } from "./memory.js";
import { parseOptions, USAGE } from "./options.js";
import { Retained } from "./retained.js";
import { Routes } from "./routes.js";
import { runWithPlainSockets } from "./second-run.js";
import { watchEventLoop } from "./stall.js";
import { blockIsUnchanged } from "./stretches.js";
import { summary } from "./summary.js";

if (process.argv.includes("--help")) {
  console.log(USAGE);
  process.exit();
}
const options = parseOptions(process.argv.slice(2));
const { minutes, seed, clients, without } = options;

/** The first third is the warm-up. */
const ROUNDS = 12;
const ROUND_MS = (minutes * 60_000) / ROUNDS;

/** Each restart meets conversations that are under way. */
const RESTARTS_PER_ROUND = 4;

/** One program that exits, or more in a long round. */
const EXIT_EVERY_MS = 10_000;

/** Conversations with a peer that is none of ours. */
const BARE_PEERS = 0.08;

/** Collections of garbage before a conversation, where a program may collect it: mostly of the young generation. */
const COLLECTIONS = 0.05;
const FULL_COLLECTIONS = 0.1;

/** With nothing left to do, a process ends at once. */
const EXIT_MS = 10_000;

const ledger = new Ledger();
const random = new Random(seed);
const retained = new Retained(ledger, random.fork());
const keepers = { ledger, retained, without };
const routes = new Routes(keepers);
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
    collectSometimes(dice);
    if (dice.chance(BARE_PEERS) && !without.has("peers")) await routes.barePeers.converse(dice);
    else await converse(dice.pick(routes.all), dice, keepers);
  }
}

/** Node: `--expose-gc`. */
function collectSometimes(dice: Random): void {
  const { gc } = globalThis as { readonly gc?: (options?: { readonly type: "minor" }) => void };
  if (gc === undefined || !dice.chance(COLLECTIONS)) return;
  ledger.count("collections");
  if (dice.chance(FULL_COLLECTIONS)) gc();
  else gc({ type: "minor" });
}

async function runExits(dice: Random): Promise<void> {
  if (runtime !== "node" || without.has("exits")) return;
  for (let exits = Math.max(1, Math.round(ROUND_MS / EXIT_EVERY_MS)); exits > 0; exits -= 1) await checkExit(dice, ledger);
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
const stopWatching = watchEventLoop();
const besides = runWithPlainSockets(options);
console.log(`soak: ${minutes} minutes, seed ${seed}, ${clients} clients at a time`);
await routes.start(random.fork());
for (let round = 1; round <= ROUNDS; round += 1) {
  const until = begun + round * ROUND_MS;
  const dice = Array.from({ length: clients }, () => random.fork());
  await Promise.all([...dice.map((own) => runClient(until, own)), runRestarts(until, random.fork()), runExits(random.fork())]);
  retained.verifyAll();
  samples.push(await takeSample(connections, retained.bytesHeld));
  showProgress(round);
}
await routes.close();
retained.verifyAll();
if (!blockIsUnchanged()) ledger.report("memory that was given to write() has been changed");
const second = await besides;
await stopWatching();
if (process.stderr.isTTY) process.stderr.write("\r\u001B[2K");

const left = await handlesLeft();
const grown = growth(samples);
const failures = [
  ...(ledger.wrongBytes > 0 ? [`${ledger.wrongBytes} wrong bytes`] : []),
  ...(ledger.findings.length > 0 ? [`${ledger.findings.length} findings`] : []),
  ...(left.length > 0 ? [`handles left: ${left.join(", ")}`] : []),
  ...(second?.passed === false ? ["the second run has failed"] : []),
  ...grown.filter(({ before, after, bound }) => after - before > bound).map(({ what }) => `the ${what} has grown`),
];
if (second !== null) console.log(`the second run, with ASYNCIO_STREAMS_PLAIN_SOCKETS:\n${second.output.replace(/^/gm, "  | ")}\n`);
console.log(summary({ ledger, retained, connections, left, grown, samples, seconds: (performance.now() - begun) / 1_000 }));
console.log(failures.length === 0 ? "passed" : `FAILED: ${failures.join("; ")}`);
if (failures.length > 0) process.exitCode = 1;
setTimeout(() => {
  console.error("FAILED: the process does not end by itself");
  process.exit(1);
}, EXIT_MS).unref();
