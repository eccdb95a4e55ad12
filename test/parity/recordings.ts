/** What CPython was recorded to do. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Python } from "../support/python.js";
import { testFile } from "../support/repository.js";

/** A recording as data. */
export function readRecording(name: string): unknown {
  return JSON.parse(readFileSync(testFile(`parity/${name}`), "utf8"));
}

/** Records again: the recording as this Python makes it. */
export function recordAgain({ binary }: Python, what: "reader" | "sockets"): unknown {
  const { status, stdout, stderr } = spawnSync(binary, [testFile("parity/record.py"), "--stdout", what], { encoding: "utf8" });
  if (status !== 0) throw new Error(`record.py failed: ${stderr}`);
  return JSON.parse(stdout);
}
