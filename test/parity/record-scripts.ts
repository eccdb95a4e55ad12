/**
 * Records `scripts.json`: `npm run build && node build/test/parity/record-scripts.js`. Needs CPython 3.13 or newer.
 *
 * Scripts that once went another way are kept: what `scripts.json` has beyond the made ones is judged again and stays. Add one at its end with `[]` for verdicts.
 */
import { existsSync, writeFileSync } from "node:fs";
import { findPython } from "../support/python.js";
import { testFile } from "../support/repository.js";
import { judge } from "./judge.js";
import { readRecording } from "./recordings.js";
import type { Verdict } from "./script-player.js";
import { makeScript, type Script } from "./scripts.js";

const MADE = 150;
/** Another seed than the test's. */
const SEED = 20;

const python = findPython(13);
if (python.skip !== false) throw new Error(python.skip);
const before = existsSync(testFile("parity/scripts.json")) ? (readRecording("scripts.json") as [Script, readonly Verdict[]][]) : [];
const made = Array.from({ length: MADE }, (_, number) => makeScript(SEED, number, { severalSeparators: true }));
const scripts = [...made, ...before.slice(MADE).map(([script]) => script)];
const lines: string[] = [];
for await (const verdicts of judge(python, scripts)) lines.push(JSON.stringify([scripts[lines.length], verdicts]));
writeFileSync(testFile("parity/scripts.json"), `[\n${lines.join(",\n")}\n]\n`);
