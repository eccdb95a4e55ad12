/** Runs an example that needs a server, in a process of its own, with the server that a test has started. */
import assert from "node:assert/strict";
import { runExample } from "../examples/run-example.js";

/** Runs `build/examples/<name>`, which must end well and leave no file; returns the lines that it printed. */
export function exampleOutput(name: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): string[] {
  const { stdout, stderr, status, leftovers } = runExample(name, args, env);
  assert.equal(stderr, "");
  assert.equal(status, 0);
  assert.deepEqual(leftovers, []);
  return stdout.split("\n");
}
