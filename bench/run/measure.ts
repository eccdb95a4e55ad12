/** One measurement: a server of its own, a load that drives it, and what the server used meanwhile. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Contestant } from "../contestants.js";
import type { Options } from "../options.js";
import type { Work } from "../works.js";
import { Child } from "./child.js";
import { clientCommand, connectCommand, echoCommand, loadCommand, type Surroundings, serverCommand, startCommand } from "./commands.js";
import { median } from "./statistics.js";
import { cpuBetween, readCpu, residentBytes } from "./usage.js";

/** In base units: seconds and bytes, for each line, byte, connection or round trip. */
export interface Figures {
  readonly cost: number;
  /** Units per second; for memory, how many connections there were. */
  readonly rate: number;
  /** Microseconds until a whole batch is back; null where there are no answers. */
  readonly latency: { readonly p50: number; readonly p90: number; readonly p99: number } | null;
}

/** What a load or a client prints after a run. */
interface Run {
  readonly units: number;
  readonly seconds: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

export interface Place extends Surroundings {
  /** For the sockets. */
  readonly directory: string;
}

/** Connections that warm a server up before the memory of idle ones is measured, and how long the system needs to take back what is free. */
const WARM_UP_CONNECTIONS = 100;
const SETTLE_MS = 300;

let sockets = 0;

export async function measure(work: Work, contestant: Contestant, place: Place, options: Options): Promise<Figures> {
  sockets += 1;
  const path = join(place.directory, `${sockets}.sock`);
  if (work.kind === "start") return measureStart(contestant, place);
  if (work.kind === "connect") return await measureConnections(work, contestant, path, place, options);
  const upstream = work.kind === "relay" ? await Child.start(echoCommand(`${path}.up`, place)) : null;
  const server = await Child.start(serverCommand(contestant, work, path, place));
  try {
    if (work.kind === "idle") return await measureMemory(server, contestant, work, path, place, options);
    const command = work.kind === "round-trip" ? clientCommand(contestant, work, path, place) : loadCommand(work, path, place);
    const driver = await Child.start(command);
    try {
      return await measureRun(work, server, driver, options);
    } finally {
      await driver.stop();
    }
  } catch (error) {
    throw new Error(`${work.id}, ${contestant.name}: ${(error as Error).message}\nthe server said: ${server.errors}`, { cause: error });
  } finally {
    await server.stop();
    await upstream?.stop();
  }
}

/** Starts that one figure is the median of. */
const STARTS = 8;

let modules: string | undefined;

/** The modules as they are published. */
function publishedModules(place: Place): string {
  if (modules === undefined) {
    modules = join(place.directory, "modules");
    execFileSync(process.execPath, [fileURLToPath(new URL("../../../scripts/bundle.mjs", import.meta.url)), modules]);
  }
  return modules;
}

function measureStart(contestant: Contestant, place: Place): Figures {
  const { program, arguments: args } = startCommand(contestant, publishedModules(place), place);
  const began = performance.now();
  const costs = Array.from({ length: STARTS }, () => Number(execFileSync(program, args, { encoding: "utf8" })));
  return { cost: median(costs), rate: (STARTS * 1e3) / (performance.now() - began), latency: null };
}

/** Measures a client that connects to an echo. The first connections of a process are measured without a warm-up. */
async function measureConnections(work: Work, contestant: Contestant, path: string, place: Place, options: Options): Promise<Figures> {
  const server = await Child.start(echoCommand(work.connect?.over === "tcp" ? "tcp" : path, place));
  try {
    const client = await Child.start(connectCommand(contestant, work, server.port ?? path, place));
    try {
      if (work.connect?.count === null) await warmUp(work, client, client, options);
      const before = readCpu(client.pid);
      const { units, seconds } = await run(client, options.measureMs);
      return { cost: cpuBetween(before, readCpu(client.pid)) / units, rate: units / seconds, latency: null };
    } catch (error) {
      throw new Error(`${work.id}, ${contestant.name}: ${(error as Error).message}\n${client.errors}`, { cause: error });
    } finally {
      await client.stop();
    }
  } finally {
    await server.stop();
  }
}

async function run(driver: Child, milliseconds: number): Promise<Run> {
  driver.tell(`run ${milliseconds}`);
  return JSON.parse(await driver.readLine()) as Run;
}

/**
 * A handshake costs as much as fifty lines, so a server makes few in a second, and its compiler is busy for the first ten thousand. That
 * work is a third of the CPU time of the first thousand, and the more code a server has, the more of it.
 */
const HANDSHAKE_WARM_UPS = 6;

/** Drives the server until it has worked for a while: what counts for its compiler is its own time, which on a busy machine is less than the clock's. */
async function warmUp(work: Work, server: Child, driver: Child, { warmUpCpuMs, warmUpMaxMs }: Options): Promise<void> {
  const times = work.handshake === undefined ? 1 : HANDSHAKE_WARM_UPS;
  const before = readCpu(server.pid);
  const end = performance.now() + times * warmUpMaxMs;
  do await run(driver, warmUpCpuMs / 2);
  while (cpuBetween(before, readCpu(server.pid)) * 1e3 < times * warmUpCpuMs && performance.now() < end);
}

async function measureRun(work: Work, server: Child, driver: Child, options: Options): Promise<Figures> {
  await warmUp(work, server, driver, options);
  const before = readCpu(server.pid);
  const { units, seconds, p50, p90, p99 } = await run(driver, options.measureMs);
  const cpu = cpuBetween(before, readCpu(server.pid));
  const latency = work.kind === "swallow" ? null : { p50, p90, p99 };
  // A round trip is judged by the time that it takes, everything else by the server's work.
  return { cost: work.kind === "round-trip" ? p50 / 1e6 : cpu / units, rate: units / seconds, latency };
}

async function measureMemory(
  server: Child,
  { language }: Contestant,
  work: Work,
  path: string,
  place: Place,
  options: Options,
): Promise<Figures> {
  const connections = Math.min(options.idleConnections, place.tools.maxConnections);
  const collects = language === "javascript";
  const first = await Child.start(loadCommand({ ...work, connections: WARM_UP_CONNECTIONS }, path, place));
  await warmUp(work, server, first, options);
  await first.stop();
  const before = await settledMemory(server, collects);
  const load = await Child.start(loadCommand({ ...work, connections }, path, place));
  try {
    await run(load, 0); // one line each
    return { cost: ((await settledMemory(server, collects)) - before) / connections, rate: connections, latency: null };
  } finally {
    await load.stop();
  }
}

/** Without the garbage: a server in JavaScript is asked to collect it. */
async function settledMemory(server: Child, collects: boolean): Promise<number> {
  if (collects) server.signal("SIGUSR2");
  await new Promise((resolve) => {
    setTimeout(resolve, SETTLE_MS);
  });
  return residentBytes(server.pid);
}
