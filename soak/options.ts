/** The command line: `npm run soak -- [minutes] [options]`. */
import { parseArgs } from "node:util";

export const USAGE = `npm run soak -- [minutes] [options]

  minutes             how long (2); 0.5 is half a minute
  --seed n            repeats the throws of another run
  --clients n         conversations at the same time (40)
  --without a,b       leaves cruelties out, to find out which of them does harm: chunks, written, protocols, peers, exits
  --alone             without the second run, with ASYNCIO_STREAMS_PLAIN_SOCKETS=1, that goes on beside this one on Node

With globalThis.gc, garbage is collected at random moments:
  node --expose-gc --max-semi-space-size=1 build/soak/main.js [minutes]
On another runtime: npm run build && bun build/soak/main.js [minutes]`;

const DEFAULT_MINUTES = 2;
const DEFAULT_CLIENTS = 40;
const MOST_MINUTES = 7 * 24 * 60;

/**
 * Cruelties that can be left out: chunks given away; written memory given away; protocols that take over; peers that are none of ours;
 * programs that exit.
 */
const CRUELTIES = ["chunks", "written", "protocols", "peers", "exits"] as const;
export type Cruelty = (typeof CRUELTIES)[number];

export interface Options {
  readonly minutes: number;
  readonly seed: number;
  readonly clients: number;
  readonly without: ReadonlySet<Cruelty>;
  readonly alone: boolean;
}

export function parseOptions(args: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { seed: { type: "string" }, clients: { type: "string" }, without: { type: "string" }, alone: { type: "boolean" } },
  });
  if (positionals.length > 1) throw new Error(`one number of minutes was expected, not ${positionals.join(" ")}`);
  const minutes = Number(positionals[0] ?? DEFAULT_MINUTES);
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
  const clients = Number(values.clients ?? DEFAULT_CLIENTS);
  const without = (values.without?.split(",") ?? []) as Cruelty[];
  const unknown = without.find((name) => !CRUELTIES.includes(name));
  if (unknown !== undefined) throw new Error(`--without takes ${CRUELTIES.join(", ")}, not ${unknown}`);
  if (!(minutes > 0 && minutes <= MOST_MINUTES))
    throw new Error(`minutes have to be a number up to ${MOST_MINUTES}, not ${positionals[0]}`);
  if (!Number.isInteger(seed)) throw new Error(`--seed has to be an integer, not ${values.seed}`);
  if (!Number.isInteger(clients) || clients < 1) throw new Error(`--clients has to be a positive integer, not ${values.clients}`);
  return { minutes, seed, clients, without: new Set(without), alone: values.alone ?? false };
}
