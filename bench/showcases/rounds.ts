/** Runs contestants in turn, so that what else the machine does meets all of them, and takes the median of each figure. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { median } from "../run/statistics.js";
import type { Sample } from "./child.js";

const run = promisify(execFile);

export interface Contestant {
  readonly name: string;
  readonly isOurs: boolean;
  /** A file of this folder, without its ending, and its arguments. */
  readonly program: string;
  readonly args: readonly string[];
  /** Default: the Node.js that runs this. */
  readonly runtime?: readonly [string, ...string[]];
}

export interface Figures extends Sample {
  readonly name: string;
  readonly isOurs: boolean;
}

/** Longer than any of it takes, in milliseconds. */
const TIME_LIMIT_MS = 120_000;

async function runOnce({ runtime = [process.execPath], program, args }: Contestant): Promise<Sample> {
  const [command, ...options] = runtime;
  const file = fileURLToPath(new URL(`${program}.js`, import.meta.url));
  const { stdout } = await run(command, [...options, file, ...args], { timeout: TIME_LIMIT_MS });
  return JSON.parse(stdout) as Sample;
}

/** @returns the medians of each contestant, in the given order */
export async function runRounds(contestants: readonly Contestant[], rounds: number): Promise<Figures[]> {
  const samples = contestants.map((): Sample[] => []);
  for (let round = 0; round < rounds; round += 1) {
    for (let turn = 0; turn < contestants.length; turn += 1) {
      const index = (round + turn) % contestants.length;
      const contestant = contestants[index] as Contestant;
      const sample = await runOnce(contestant);
      samples[index]?.push(sample);
      console.error(`round ${round + 1}: ${contestant.name}: ${Math.round(sample.milliseconds)} ms`);
    }
  }
  const results = new Set(samples.flat().map(({ result }) => result));
  if (results.size !== 1) throw new Error(`the contestants do not agree: ${[...results].join("; ")}`);
  return contestants.map(({ name, isOurs }, index) => {
    const of = (key: "milliseconds" | "cpuMilliseconds" | "peakBytes"): number => median((samples[index] ?? []).map((each) => each[key]));
    const [result = ""] = results;
    return { name, isOurs, milliseconds: of("milliseconds"), cpuMilliseconds: of("cpuMilliseconds"), peakBytes: of("peakBytes"), result };
  });
}
