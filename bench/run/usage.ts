/** What a process has used, as the system counts it: CPU time (user and system, all threads) and resident memory. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

/** Clock ticks of /proc/<pid>/stat; Linux shows 100 a second to programs, whatever the kernel's own clock. */
const TICKS_PER_SECOND = 100;

export interface CpuReading {
  /** To 10 ms, with the threads that have ended. */
  readonly seconds: number;
  /** To the nanosecond, of the threads that live: their ids and their sum. Null where the system does not tell. */
  readonly threads: { readonly ids: string; readonly seconds: number } | null;
}

export function readCpu(pid: number): CpuReading {
  try {
    const [, fields = ""] = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ");
    const [user, system] = fields.split(" ").slice(11, 13).map(Number) as [number, number];
    return { seconds: (user + system) / TICKS_PER_SECOND, threads: readThreads(pid) };
  } catch {
    return { seconds: parseClock(execFileSync("ps", ["-o", "time=", "-p", String(pid)], { encoding: "utf8" })), threads: null };
  }
}

function readThreads(pid: number): CpuReading["threads"] {
  try {
    const ids = readdirSync(`/proc/${pid}/task`);
    const times = ids.map((id) => Number.parseInt(readFileSync(`/proc/${pid}/task/${id}/schedstat`, "latin1"), 10));
    return { ids: ids.join(), seconds: times.reduce((sum, time) => sum + time, 0) / 1e9 };
  } catch {
    return null;
  }
}

/** The CPU seconds between two readings, as exact as they allow. */
export function cpuBetween(before: CpuReading, after: CpuReading): number {
  const exact = before.threads !== null && after.threads !== null && before.threads.ids === after.threads.ids;
  return exact
    ? (after.threads as { seconds: number }).seconds - (before.threads as { seconds: number }).seconds
    : after.seconds - before.seconds;
}

export function residentBytes(pid: number): number {
  try {
    return 1024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1]);
  } catch {
    return 1024 * Number(execFileSync("ps", ["-o", "rss=", "-p", String(pid)], { encoding: "utf8" }));
  }
}

/** `[[days-]hours:]minutes:seconds[.fraction]` of ps, in seconds. */
function parseClock(text: string): number {
  return text
    .trim()
    .split(/[-:]/)
    .map(Number)
    .reduce((sum, part) => sum * 60 + part, 0);
}
