import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { needs } from "../support/needs.js";
import { findPython } from "../support/python.js";
import { DIVERGENCES, type Divergence } from "./divergences.js";
import { playCase, type ReaderCase } from "./reader-player.js";
import { readRecording, recordAgain } from "./recordings.js";
import { asHere, type Step } from "./transcript.js";

const { cases } = readRecording("cases.json") as { cases: readonly ReaderCase[] };
const divergences = new Map(DIVERGENCES.map((divergence) => [divergence.name, divergence]));

/** The recorded case in our terms. What cannot be compared of the pausing is left out: see `record.py`. */
function expectedHere(recorded: ReaderCase): Omit<ReaderCase, "name" | "pausing"> {
  const { limit, gives, remains, atEof, paused } = recorded;
  if (gives !== undefined) return { limit, gives: asHere(gives, "constructor") };
  const started = new Map<unknown, string>();
  const steps = (recorded.steps as readonly Step[]).map((step) => {
    const [name, id, call] = step.do;
    if (name === "start") started.set(id, (call as [string])[0]);
    const method = name === "await" ? (started.get(id) as string) : name;
    return { ...step, ...(step.gives === undefined ? {} : { gives: asHere(step.gives, method) }) };
  });
  return { limit, steps, remains, atEof: atEof as boolean, paused: paused as boolean };
}

/** Takes out of both sides what cannot be compared. */
function comparable(played: Omit<ReaderCase, "name" | "pausing">, recorded: ReaderCase): unknown {
  if (recorded.pausing !== "state") return played;
  const steps = played.steps?.map(({ transport: _transport, ...step }) => step);
  const { paused, ...rest } = played;
  const { remains, limit } = recorded;
  const size = typeof remains === "string" ? remains.length : ((remains as { length: number } | null)?.length ?? 0);
  return size > limit && size <= 2 * limit ? { ...rest, steps } : { ...rest, steps, paused };
}

/** Puts in what is different here on purpose; refuses what is not different. */
function diverge(expected: Omit<ReaderCase, "name" | "pausing">, divergence: Divergence): Omit<ReaderCase, "name" | "pausing"> {
  const steps = expected.steps?.map((step, index): Step => {
    const { gives, transport, ...rest } = step;
    const changed: Step = {
      ...rest,
      ...pick("gives", divergence.gives?.[index], gives),
      ...pick("transport", divergence.transport?.[index], transport),
    };
    return changed;
  });
  const { paused, remains = expected.remains } = divergence;
  const changed = { ...expected, steps: steps as Step[], remains, ...(paused === undefined ? {} : { paused }) };
  assert.notDeepEqual(changed, expected, "listed as different, but the same");
  return changed;
}

function pick(name: "gives" | "transport", here: unknown, there: unknown): object {
  if (here === null || (Array.isArray(here) && here.length === 0)) return {};
  const value = here ?? there;
  return value === undefined ? {} : { [name]: value };
}

describe("StreamReader, StreamWriter and StreamReaderProtocol compared with CPython's", () => {
  for (const recorded of cases) {
    const divergence = divergences.get(recorded.name);
    it(divergence === undefined ? recorded.name : `${recorded.name} (different on purpose)`, async () => {
      const script = recorded.steps?.map((step) => step.do) ?? [];
      const played = await playCase(recorded.limit, script, recorded.remains === null);
      const expected = expectedHere(recorded);
      assert.deepEqual(
        comparable(played, recorded),
        comparable(divergence === undefined ? expected : diverge(expected, divergence), recorded),
      );
    });
  }
});

describe("cases.json", () => {
  it("has a case for every listed divergence", () => {
    const names = new Set(cases.map(({ name }) => name));
    assert.deepEqual(
      DIVERGENCES.filter(({ name }) => !names.has(name)),
      [],
    );
    assert.equal(divergences.size, DIVERGENCES.length);
  });

  const python = findPython(13);
  it("is what CPython records", needs(python), () => {
    const again = recordAgain(python, "reader") as { cases: unknown };
    assert.deepEqual(again.cases, cases);
  });
});
