/**
 * Imported by every test file, first: after the file's tests nothing of them may be left.
 *
 * - no open handle: server, connection, timer (where the runtime tells);
 * - no socket file and no hidden directory in a temporary directory;
 * - no unhandled rejection, no uncaught exception, no warning that no test expected.
 *
 * Handles of finished connections take a few turns of the event loop to go, so the guard waits for that, turn by turn and not by the clock.
 */
import assert from "node:assert/strict";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after } from "node:test";
import { runtime } from "./runtime.js";
import { temporaryDirectories } from "./temporary.js";

const TURNS = 200;
const unexpected: unknown[] = [];
const expectedWarnings = new Set<string>();

process.on("unhandledRejection", (reason) => unexpected.push(reason));
process.on("uncaughtException", (error) => unexpected.push(error));
process.on("warning", (warning) => {
  if (!expectedWarnings.has(warning.name)) unexpected.push(warning);
});

/** Lets warnings of this name pass in this file. */
export function expectWarnings(name: string): void {
  expectedWarnings.add(name);
}

const WATCHED = new Set(["PipeWrap", "PipeServerWrap", "TCPWrap", "TCPSocketWrap", "TCPServerWrap", "Timeout", "FSEvent", "ProcessWrap"]);

function openHandles(): string[] {
  // Standard streams are pipes when the output is captured; each file's own are there before the first test.
  const counts = new Map(before);
  return process.getActiveResourcesInfo().filter((name) => {
    if (!WATCHED.has(name)) return false;
    const left = counts.get(name) ?? 0;
    counts.set(name, left - 1);
    return left <= 0;
  });
}

function count(names: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

/** Bun and Deno do not tell of their handles. */
const handlesAreTold = runtime === "node";
const before = handlesAreTold ? count(process.getActiveResourcesInfo()) : new Map<string, number>();

function* leftovers(directory: string): Generator<string> {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isSocket() || entry.name.startsWith(".as-")) yield path;
    else if (entry.isDirectory()) yield* leftovers(path);
  }
}

after(async () => {
  // A warning of the last test comes in a later turn.
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  for (let turn = 0; handlesAreTold && openHandles().length > 0 && turn < TURNS; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  const files = temporaryDirectories().flatMap((directory) => [...leftovers(directory)]);
  for (const directory of temporaryDirectories()) rmSync(directory, { recursive: true, force: true });
  assert.deepEqual(handlesAreTold ? openHandles() : [], [], "open handles are left");
  assert.deepEqual(files, [], "socket files are left");
  assert.deepEqual(unexpected, [], "unexpected rejections, exceptions or warnings");
});
