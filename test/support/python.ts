/** A Python to run scripts in. */
import { spawnSync } from "node:child_process";
import type { Need } from "./needs.js";

/** A CPython; `skip` tells that there is none. */
export interface Python extends Need {
  /** The binary itself, not a wrapper that finds it. */
  readonly binary: string;
}

/** Prints the path of the binary if it is a CPython of at least the version given. */
const SCRIPT = `
import sys
if sys.version_info < (3, int(sys.argv[1])) or sys.implementation.name != "cpython": sys.exit(1)
print(sys.executable)
`;

/**
 * Finds a CPython of at least this version. The environment variable `PYTHON` is tried first, then the usual names.
 *
 * @param minor of version 3
 */
export function findPython(minor: number = 8): Python {
  const asked = process.env["PYTHON"];
  for (const name of [...(asked === undefined ? [] : [asked]), "python3", "python3.14", "python3.13"]) {
    const { status, stdout } = spawnSync(name, ["-c", SCRIPT, String(minor)], { encoding: "utf8" });
    if (status === 0) return { binary: stdout.trim(), skip: false };
  }
  return { binary: "python3", skip: `needs a CPython >= 3.${minor}: name one in PYTHON` };
}
