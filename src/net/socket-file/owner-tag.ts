/**
 * Owner tags: names by which a process recognises files that a dead process has left behind, even if process ids repeat. In a
 * container, the next start has the same id as the last one, and two containers that share a directory use the same ids at the same
 * time.
 *
 * A tag consists of the process id and six characters for the process's PID namespace and start time. On systems other than Linux,
 * which do not report these, the six characters are constant and only the process id counts.
 */
import { readFileSync, readlinkSync } from "node:fs";
import { codeOf } from "../system-error.js";

let own: string | undefined;

/** Returns the tag of this process. It is the same in all threads. */
export function ownerTag(): string {
  return (own ??= `${process.pid.toString(36)}-${namespace()}${startTime(process.pid) ?? UNKNOWN}`);
}

/**
 * Returns what is known of the process that has a tag. `"unknown"`: it lives or lived in another PID namespace, so its id says nothing
 * here.
 */
export function stateOfOwner(tag: string): "alive" | "dead" | "unknown" {
  const [pid = "", rest = ""] = tag.split("-");
  if (rest.slice(0, 3) !== namespace()) return "unknown";
  const id = Number.parseInt(pid, 36);
  if (!isAlive(id)) return "dead";
  const started = rest.slice(3);
  const now = startTime(id);
  return started !== UNKNOWN && now !== null && now !== started ? "dead" : "alive";
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) !== "ESRCH";
  }
}

/** Returns three characters for the PID namespace. */
function namespace(): string {
  try {
    return threeCharacters(/\d+/.exec(readlinkSync("/proc/self/ns/pid"))?.[0]);
    /* c8 ignore next 3 -- macOS: no /proc */
  } catch {
    return UNKNOWN;
  }
}

/**
 * Returns three characters for a process's start time in ticks; `""` for a zombie (ended but not yet reaped), `null` if the system does
 * not report it.
 */
function startTime(pid: number): string | null {
  try {
    // The second field is the program's name in brackets, which may contain anything; the start time is the 22nd.
    const fields = readFileSync(`/proc/${pid}/stat`, "latin1").replace(/^.*\)/s, "").trim().split(" ");
    return fields[0] === "Z" ? "" : threeCharacters(fields[19]);
    /* c8 ignore next 3 -- macOS, or a process that ends between two checks */
  } catch {
    return null;
  }
}

const UNKNOWN = "000";

function threeCharacters(number: string | undefined): string {
  return (Number(number ?? 0) % 36 ** 3).toString(36).padStart(3, "0");
}
