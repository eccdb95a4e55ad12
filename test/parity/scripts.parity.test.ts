/**
 * Random scripts of reader operations, judged by CPython: results, exceptions, fields and remaining bytes after every step.
 *
 * The same scripts each time. Others, and more of them: `PARITY_SEED=7 PARITY_SCRIPTS=300000 node scripts/test.mjs parity/scripts`.
 */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { needs } from "../support/needs.js";
import { findPython } from "../support/python.js";
import { compareAll, judge } from "./judge.js";
import { readRecording } from "./recordings.js";
import { compare, type Verdict } from "./script-player.js";
import { makeScript, type Script } from "./scripts.js";

const SEED = Number(process.env["PARITY_SEED"] ?? 1);
const SCRIPTS = Number(process.env["PARITY_SCRIPTS"] ?? 10_000);

/** The recording: scripts with CPython's verdicts. */
const recorded = readRecording("scripts.json") as readonly (readonly [Script, readonly Verdict[]])[];

const newest = findPython(13);
const python = newest.skip === false ? newest : findPython(11);

describe("random scripts of reader operations", () => {
  it("have the recorded results of CPython", async () => {
    assert.ok(recorded.length >= 150);
    for (const [script, verdicts] of recorded) await compare(script, verdicts);
  });

  it("have recorded results that CPython repeats", needs(newest), async () => {
    let index = 0;
    for await (const verdicts of judge(
      newest,
      recorded.map(([script]) => script),
    )) {
      const [script, before] = recorded[index] as (typeof recorded)[number];
      assert.deepEqual(verdicts, before, JSON.stringify(script));
      index += 1;
    }
    assert.equal(index, recorded.length);
  });

  it(`have CPython's results, ${SCRIPTS} scripts`, needs(python), async () => {
    const make = (number: number): Script => makeScript(SEED, number, { severalSeparators: newest.skip === false });
    assert.equal(await compareAll(python, SCRIPTS, make), SCRIPTS);
  });
});
