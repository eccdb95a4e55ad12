/** The growth curves: whether a byte costs the same in a large message as in a small one, and a line the same on many connections as on few. */
import { execFileSync } from "node:child_process";
import { findContestant } from "../contestants.js";
import type { Options } from "../options.js";
import { describeMachine, machineText } from "../report/machine.js";
import { write } from "../report/publish.js";
import { columns, figure, ratio } from "../report/table.js";
import { javascript } from "../run/commands.js";
import { measure, type Place } from "../run/measure.js";
import { median } from "../run/statistics.js";
import { has } from "../run/tools.js";
import { WORKS, type Work } from "../works.js";

/** The last is the floor: what it costs to put chunks together at all, with memory that has to be fetched and, for large messages, does not fit the cache. */
const METHODS = ["readline", "readuntil", "readexactly", "lines({ encoding })", "readlines()", "frames", "Buffer.concat"];
const CHUNK_BYTES = [1, 64, 4096, 65_536];
const CONNECTIONS = [10, 100, 1000, 10_000];
const SERVERS = ["ours: for await", "ours: readline()", "node:net", "uvloop", "C epoll"].map(findContestant);
/** How flat a curve has to be. */
const READER_FLATNESS = 1.5;
const SERVER_FLATNESS = 1.3;

interface Curve {
  readonly name: string;
  readonly points: readonly { readonly at: number; readonly cost: number }[];
}

/** The dearest point against the first. That something becomes cheaper is no growth. */
function growth({ points }: Curve): number {
  return Math.max(...points.map(({ cost }) => cost)) / (points[0]?.cost ?? Number.NaN);
}

function curveTable(title: string, unit: string, curves: readonly Curve[], atLabel: (at: number) => string, flatness: number): string {
  const places = [...new Set(curves.flatMap(({ points }) => points.map(({ at }) => at)))];
  const heading = [unit, ...places.map(atLabel), "growth", ""];
  const rows = curves.map((curve) => {
    const cells = places.map((place) => figure(curve.points.find(({ at }) => at === place)?.cost ?? Number.NaN));
    const grown = growth(curve);
    return [curve.name, ...cells, ratio(grown), grown <= flatness ? "flat" : "GROWS"];
  });
  return `${title}; growth: the dearest against the first, flat up to ${flatness}\n${columns([heading, ...rows])}`;
}

const bytes = (count: number): string =>
  count >= 2 ** 20 ? `${count / 2 ** 20} MiB` : count >= 1024 ? `${count / 1024} KiB` : `${count} B`;

function readerCurves(options: Options, progress: (text: string) => void): Curve[] {
  return METHODS.flatMap((method) =>
    CHUNK_BYTES.map((chunkBytes) => {
      const name = `${method}, chunks of ${bytes(chunkBytes)}`;
      progress(`growth: ${name}`);
      const { program, arguments: args } = javascript(options.runtime, "growth/reader-curve", [method, String(chunkBytes)]);
      const points = JSON.parse(execFileSync(program, args, { encoding: "utf8" })) as { messageBytes: number; nsPerByte: number }[];
      return { name, points: points.map(({ messageBytes, nsPerByte }) => ({ at: messageBytes, cost: nsPerByte })) };
    }),
  );
}

async function serverCurves(place: Place, options: Options, progress: (text: string) => void): Promise<Curve[]> {
  const work = WORKS.find(({ id }) => id === "W1") as Work;
  const servers = SERVERS.filter(({ needs }) => needs.every((need) => has(place.tools, need)));
  const steps = CONNECTIONS.filter((connections) => connections <= place.tools.maxConnections);
  const costs = new Map<string, number[]>();
  for (let round = 1; round <= options.rounds; round += 1) {
    for (const connections of steps) {
      for (const server of servers) {
        progress(`growth, round ${round} of ${options.rounds}: ${server.name}, ${connections} connections`);
        const { cost } = await measure({ ...work, connections }, server, place, options);
        const key = `${server.name} ${connections}`;
        costs.set(key, [...(costs.get(key) ?? []), cost * work.cost.factor]);
      }
    }
  }
  return servers.map(({ name }) => ({
    name,
    points: steps.map((connections) => ({ at: connections, cost: median(costs.get(`${name} ${connections}`) ?? []) })),
  }));
}

/** Measures and prints all curves, and writes them to bench/growth.json. */
export async function runGrowth(place: Place, options: Options, progress: (text: string) => void): Promise<string> {
  const machine = describeMachine(place.tools, options.runtime);
  const reader = readerCurves(options, progress);
  const server = await serverCurves(place, options, progress);
  if (!options.quick) write("growth.json", `${JSON.stringify({ machine, reader, server }, null, 2)}\n`);
  return [
    machineText(machine),
    curveTable("CPU nanoseconds per byte, by message size", "ns/byte", reader, bytes, READER_FLATNESS),
    curveTable("CPU microseconds per line, by connections with one line in flight each", "µs/line", server, String, SERVER_FLATNESS),
  ].join("\n\n");
}
