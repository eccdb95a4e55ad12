/** What a client does, thrown with dice. */
import type { Random } from "../test/support/random.js";
import type { Side } from "./ledger.js";
import type { RouteTraits } from "./route.js";
import { randomStretch, type Stretch } from "./stretches.js";

/** How the end of a conversation comes about. The ones that are rude may come at any moment before. */
export type Ending =
  | "client closes"
  | "client half-closes"
  | "server closes"
  | "server half-closes"
  | "client aborts"
  | "client resets"
  | "server aborts"
  | "client gives up connecting"
  | "client talks nonsense";

const POLITE: readonly Ending[] = ["client closes", "client half-closes", "server closes", "server half-closes"];
const RUDE: readonly Ending[] = ["client aborts", "client resets", "server aborts", "client gives up connecting", "client talks nonsense"];

/** Over TLS a side cannot be ended alone. */
const OVER_TLS: Readonly<Partial<Record<Ending, Ending>>> = {
  "client half-closes": "client closes",
  "server half-closes": "server closes",
};

/** In memory a client has no address: it cannot be late, and its server takes it for one of its own. */
const IN_MEMORY: Readonly<Partial<Record<Ending, Ending>>> = {
  "client gives up connecting": "client aborts",
  "client talks nonsense": "client aborts",
};

/**
 * Memory that one end gives away: the chunks that it reads, or what it wrote and what may not be sent yet. Then its connection may fail.
 */
export type Giving = "nothing" | "chunks" | "written memory";

/** A message there, and one back. */
export interface Exchange {
  readonly up: Stretch;
  readonly down: Stretch;
  /** Whether both are under way at the same time. */
  readonly together: boolean;
}

export interface Plan {
  readonly seed: number;
  readonly ending: Ending;
  readonly gives: Giving;
  /** The end that gives; the other must not notice more than that the connection failed. */
  readonly giver: Side;
  readonly exchanges: readonly Exchange[];
  readonly limit: number;
}

export function isRude(ending: Ending): boolean {
  return RUDE.includes(ending);
}

export function makePlan(random: Random, { secured, inMemory, feedsReader }: RouteTraits): Plan {
  const ending = random.pick(random.chance(0.6) ? POLITE : RUDE);
  const gives = random.chance(0.3) ? random.pick(["chunks", "written memory"] as const) : "nothing";
  return {
    seed: random.int(0, 2 ** 31 - 1),
    ending: (secured ? OVER_TLS : inMemory ? IN_MEMORY : {})[ending] ?? ending,
    // A sink is another's: what it holds of memory that is given away, it may lose.
    gives: gives === "written memory" && !feedsReader ? "chunks" : gives,
    giver: random.pick(["client", "server"]),
    exchanges: Array.from({ length: random.int(1, 4) }, () => ({
      up: randomStretch(random),
      down: randomStretch(random),
      together: random.chance(0.3),
    })),
    limit: random.pick([256, 4_096, 65_536]),
  };
}

/** What the server is told ahead of each exchange, in a line. */
export interface Order extends Exchange {
  readonly id: number;
  /** What the server gives away. */
  readonly gives: Giving;
  /** What the server does when it has answered. */
  readonly afterwards: "next" | "close" | "half-close" | "abort";
}

export function writeOrder(order: Order): string {
  return `${JSON.stringify(order)}\n`;
}

/** The order in a line; `null` if the line was cut, or is nonsense. */
export function parseOrder(line: Buffer): Order | null {
  return line.at(-1) === 0x0a && line[0] === "{".charCodeAt(0) ? (JSON.parse(line.toString()) as Order) : null;
}
