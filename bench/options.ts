/** The command line: `npm run bench -- [options]`. */
import { parseArgs } from "node:util";

export const USAGE = `npm run bench -- [options]

  --quick             every work once, small, in less than a minute
  --only W1,W2        only these works
  --rounds n          rounds, interleaved over the contestants (5)
  --ours-only         no peers
  --runtime <binary>  runs our servers and those on node:net on another node, Bun or Deno
  --python <binary>   for asyncio (python3)
  --growth            the growth curves instead of the works
  --calls             what a message costs by each reading call instead of the works`;

export interface Options {
  readonly quick: boolean;
  readonly only: readonly string[] | null;
  readonly rounds: number;
  readonly oursOnly: boolean;
  readonly runtime: string;
  readonly python: string;
  readonly growth: boolean;
  readonly calls: boolean;
  /** How long each server works before anything is measured, by its own CPU time. */
  readonly warmUpCpuMs: number;
  /** How long that may take: a server that waits most of the time never gets there. On a machine that others use, too, it takes several times as long as on one's own. */
  readonly warmUpMaxMs: number;
  /** How long it is driven while it is measured. */
  readonly measureMs: number;
  /** Connections of the work that measures their memory. */
  readonly idleConnections: number;
}

export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: "boolean", default: false },
      only: { type: "string" },
      rounds: { type: "string" },
      "ours-only": { type: "boolean", default: false },
      runtime: { type: "string", default: process.execPath },
      python: { type: "string", default: "python3" },
      growth: { type: "boolean", default: false },
      calls: { type: "boolean", default: false },
    },
  });
  const { quick } = values;
  const rounds = Number(values.rounds ?? (quick ? 1 : 5));
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds has to be a number of rounds, not ${values.rounds}`);
  return {
    quick,
    only: values.only?.toUpperCase().split(",") ?? null,
    rounds,
    oursOnly: values["ours-only"],
    runtime: values.runtime,
    python: values.python,
    growth: values.growth,
    calls: values.calls,
    warmUpCpuMs: quick ? 50 : 1_500,
    warmUpMaxMs: quick ? 200 : 12_000,
    measureMs: quick ? 100 : 1_200,
    idleConnections: quick ? 1_000 : 10_000,
  };
}
