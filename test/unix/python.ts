/** The scripts of this folder that are written in Python: any CPython will do. */
import { findPython, type Python } from "../support/python.js";
import { testFile } from "../support/repository.js";

export const python: Python = findPython();

/** The command that runs one. */
export function pythonCommand(name: string, ...args: readonly string[]): string[] {
  return [python.binary, "-u", testFile(`unix/${name}.py`), ...args];
}
