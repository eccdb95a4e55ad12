import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { needs } from "../support/needs.js";
import { findPython } from "../support/python.js";
import { SOCKET_DIVERGENCES } from "./divergences.js";
import { readRecording, recordAgain } from "./recordings.js";
import { playSockets, type SocketCase } from "./socket-player.js";
import { asHere, type Outcome, type Step } from "./transcript.js";

const { cases } = readRecording("sockets.json") as { cases: readonly SocketCase[] };
const divergences = new Map(SOCKET_DIVERGENCES.map((divergence) => [divergence.name, divergence]));

/** The error of a step by what was called: `readuntil` of an end, `serveForever` of a server. */
function inOurTerms(gives: Outcome, step: readonly unknown[]): Outcome {
  if (gives["error"] === "OSError" || gives["error"] === "connection gone") return gives;
  const [name, method] = step as [string, string];
  if (gives["error"] === "TypeError") return { error: "TypeError", code: "ERR_INVALID_ARG_TYPE" };
  // How much readline() dropped is not recorded here, and taken out on our side.
  if (gives["error"] === "ValueError" && method === "readline") return { error: "LineTooLongError", code: "ERR_LINE_TOO_LONG" };
  return asHere(gives, name === "connect" ? name : method);
}

function expectedHere(recorded: SocketCase): Step[] {
  const started = new Map<unknown, readonly unknown[]>();
  return recorded.steps.map((step) => {
    const [name, id, call] = step.do;
    if (name === "start") started.set(id, call as unknown[]);
    if (step.gives === undefined) return step;
    return { ...step, gives: inOurTerms(step.gives, name === "await" ? (started.get(id) as unknown[]) : step.do) };
  });
}

function withoutDropped({ gives, ...step }: Step): Step {
  if (gives?.["error"] !== "LineTooLongError") return gives === undefined ? step : { ...step, gives };
  const { consumed: _consumed, ...rest } = gives;
  return { ...step, gives: rest };
}

function diverge(expected: readonly Step[], gives: Readonly<Record<number, Outcome | null>>): Step[] {
  const changed = expected.map((step, index): Step => {
    const here = gives[index];
    if (here === undefined) return step;
    return here === null ? { do: step.do } : { do: step.do, gives: here };
  });
  assert.notDeepEqual(changed, expected, "listed as different, but the same");
  return changed;
}

describe("streams over sockets compared with CPython's", () => {
  for (const recorded of cases) {
    const divergence = divergences.get(recorded.name);
    it(divergence === undefined ? recorded.name : `${recorded.name} (different on purpose)`, async () => {
      const played = await playSockets(
        recorded.kind,
        recorded.steps.map((step) => step.do),
      );
      const expected = expectedHere(recorded);
      assert.deepEqual(played.map(withoutDropped), divergence === undefined ? expected : diverge(expected, divergence.gives));
    });
  }
});

describe("sockets.json", () => {
  it("has a case for every listed divergence", () => {
    const names = new Set(cases.map(({ name }) => name));
    assert.deepEqual(
      SOCKET_DIVERGENCES.filter(({ name }) => !names.has(name)),
      [],
    );
  });

  const python = findPython(13);
  it("is what CPython records", needs(python), () => {
    const again = recordAgain(python, "sockets") as { cases: unknown };
    assert.deepEqual(again.cases, cases);
  });
});
