/** Finding this folder's Python scripts and recordings (the build copies neither), and a Python to run them. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { testFile } from "../support/repository.js";

/** A recording as data. */
export function readRecording(name: string): unknown {
  return JSON.parse(readFileSync(testFile(`parity/${name}`), "utf8"));
}

/**
 * A CPython of at least this version, or `null`. The environment variable `PYTHON` is tried first, then the usual names.
 *
 * @param minor of version 3
 */
export function findPython(minor: number): string | null {
  const asked = process.env["PYTHON"];
  const names = [...(asked === undefined ? [] : [asked]), "python3", "python3.14", "python3.13"];
  return names.find((name) => isNewEnough(name, minor)) ?? null;
}

function isNewEnough(name: string, minor: number): boolean {
  const check = `import sys; sys.exit(sys.version_info < (3, ${minor}) or sys.implementation.name != "cpython")`;
  return spawnSync(name, ["-c", check], { stdio: "ignore" }).status === 0;
}

/** Options for `it()`: skips the test where there is no such Python. */
export function needsPython(python: string | null, minor: number): { skip: string | false } {
  return { skip: python === null ? `needs a CPython >= 3.${minor}: name one in PYTHON` : false };
}

/** Records again: the text of a recording as this Python makes it. */
export function recordAgain(python: string, what: string): string {
  const { status, stdout, stderr } = spawnSync(python, [testFile("parity/record.py"), "--stdout", what], { encoding: "utf8" });
  if (status !== 0) throw new Error(`record.py failed: ${stderr}`);
  return stdout;
}
