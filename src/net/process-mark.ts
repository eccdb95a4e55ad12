/**
 * Marks by which processes recognise what others have left, also when process ids come again: in a container the next start has the id of the last one, and two
 * containers that share a directory have the same ids at the same time.
 *
 * A mark is the process id, and six characters for the namespace that it counts in and the time when the process started. Where the system does not tell
 * these (elsewhere than on Linux), there are none, and the process id is all.
 */
import { readFileSync, readlinkSync } from "node:fs";
import { wallClockMs } from "../base/scheduling.js";
import { codeOf } from "./system-error.js";

/** What another namespace's process has left is only known by its age: well over what a start can take. */
const FOREIGN_AGE_MS = 60_000;

let ownMark: string | undefined;

/** The mark of this process, the same in all its threads. */
export function processMark(): string {
  return (ownMark ??= `${process.pid.toString(36)}-${namespace()}${startTime(process.pid) ?? UNKNOWN}`);
}

/** Whether a mark is that of a process that is gone. */
export function isOfDeadProcess(mark: string, madeMs: number): boolean {
  const [pid = "", rest = ""] = mark.split("-");
  if (rest.slice(0, 3) !== namespace()) return wallClockMs() - madeMs > FOREIGN_AGE_MS;
  const id = Number.parseInt(pid, 36);
  if (!isAlive(id)) return true;
  const started = rest.slice(3);
  const now = startTime(id);
  return started !== UNKNOWN && now !== null && now !== started;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) !== "ESRCH";
  }
}

/** Of the namespace of process ids. */
function namespace(): string {
  try {
    return threeCharacters(/\d+/.exec(readlinkSync("/proc/self/ns/pid"))?.[0]);
    /* c8 ignore next 3 -- macOS: no /proc */
  } catch {
    return UNKNOWN;
  }
}

/** When a process started, in ticks; `""`: it has ended, and its parent has yet to take note; `null`: not told. */
function startTime(pid: number): string | null {
  try {
    // The second field is the program's name in brackets, which may contain anything; the start time is the 22nd.
    const fields = readFileSync(`/proc/${pid}/stat`, "latin1").replace(/^.*\)/s, "").trim().split(" ");
    return fields[0] === "Z" ? "" : threeCharacters(fields[19]);
    /* c8 ignore next 3 -- macOS, or a process that ends between two looks */
  } catch {
    return null;
  }
}

const UNKNOWN = "000";

function threeCharacters(number: string | undefined): string {
  return (Number(number ?? 0) % 36 ** 3).toString(36).padStart(3, "0");
}
