/**
 * Runs one program and ends: a worker, so that a loop without an end does not stop the page. It posts the events of the program, each with
 * its time, and last `{ kind: "done" }`.
 */

import "./shims/globals.js"; // before the library
import { modulesWith } from "./modules.js";
import { compile, lineOf } from "./program.js";
import { warnings } from "./shims/globals.js";
import { inspect } from "./shims/node-util.js";
import { traced } from "./trace.js";

/** A program that makes more events than this is only counted. */
const MOST_EVENTS = 4_000;

let events = 0;
let startedAt = 0;

function emit(event) {
  events += 1;
  if (events > MOST_EVENTS) return;
  const last = events === MOST_EVENTS ? { kind: "error", end: "program", text: `the log ends here, after ${MOST_EVENTS} events` } : event;
  self.postMessage({ time: performance.now() - startedAt, ...last });
}

const show = (values) => values.map((value) => (typeof value === "string" ? value : inspect(value))).join(" ");
const say =
  (kind) =>
  (...values) =>
    emit({ kind, end: "program", text: show(values) });
const console = { log: say("print"), info: say("print"), debug: say("print"), warn: say("warn"), error: say("error") };

function fail(error, prefix = "") {
  const line = lineOf(error);
  const code = typeof error?.code === "string" ? ` (${error.code})` : "";
  const text = error instanceof Error || typeof error?.message === "string" ? `${error.name}: ${error.message}${code}` : inspect(error);
  emit({ kind: "error", end: "program", line, text: `${prefix}${text}` });
}

warnings.addEventListener("warning", ({ detail }) => emit({ kind: "warn", end: "program", text: `${detail.name}: ${detail.message}` }));
self.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  fail(event.reason, "unhandled rejection: ");
});
self.addEventListener("error", (event) => {
  event.preventDefault();
  fail(event.error ?? new Error(event.message), "uncaught: ");
});

self.addEventListener("message", async ({ data }) => {
  startedAt = performance.now();
  let failed = false;
  try {
    const program = compile(
      data,
      modulesWith((memoryPair) => traced(memoryPair, emit)),
    );
    startedAt = performance.now();
    await program(console);
  } catch (error) {
    failed = true;
    fail(error);
  }
  // What the program has started may still end: closing takes some turns of the event loop.
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  self.postMessage({ time: performance.now() - startedAt, kind: "done", failed });
});
