/** What this machine has beside Node.js: a C compiler, Python, uvloop. A contestant that needs what is not there is left out, and the table says so. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Need } from "../contestants.js";

/** The sources, seen from build/bench/run. */
const SOURCES = fileURLToPath(new URL("../../../bench/", import.meta.url));

export interface Tools {
  /** Compiled programs, or null without gcc. */
  readonly load: string | null;
  readonly epollServer: string | null;
  readonly spliceRelay: string | null;
  readonly python: string | null;
  readonly uvloopPython: string | null;
  /** How many connections a process can have open here; it raises its own limit as far as the system lets it. */
  readonly maxConnections: number;
}

/** Descriptors that a process needs beside its connections. */
const OTHER_DESCRIPTORS = 100;

export function findTools(directory: string, python: string): Tools {
  const maxFiles = Number(execFileSync("sh", ["-c", "ulimit -Hn"], { encoding: "utf8" })); // NaN: unlimited
  return {
    maxConnections: (Number.isNaN(maxFiles) ? Number.POSITIVE_INFINITY : maxFiles) - OTHER_DESCRIPTORS,
    load: compile("load/load.c", join(directory, "load")),
    epollServer: compile("servers/epoll-server.c", join(directory, "epoll-server")),
    spliceRelay: compile("servers/splice-relay.c", join(directory, "splice-relay")),
    python: ask(python, "import sys; print(sys.executable)"),
    // Debian's package python3-uvloop belongs to Debian's python.
    uvloopPython:
      [python, "/usr/bin/python3"].map((each) => ask(each, "import sys, uvloop; print(sys.executable)")).find((found) => found !== null) ??
      null,
  };
}

export function has(tools: Tools, need: Need): boolean {
  return { gcc: tools.epollServer, python: tools.python, uvloop: tools.uvloopPython }[need] !== null;
}

export const sourceFile = (name: string): string => join(SOURCES, name);

function compile(source: string, program: string): string | null {
  // macOS has a gcc, but no epoll.
  if (process.platform !== "linux") return null;
  try {
    execFileSync("gcc", ["-O2", "-pthread", "-o", program, sourceFile(source)], { stdio: ["ignore", "ignore", "pipe"] });
    return program;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

/** What a line of Python prints, or null if it cannot be run. */
export function ask(python: string, line: string): string | null {
  try {
    return execFileSync(python, ["-c", line], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return null;
  }
}
