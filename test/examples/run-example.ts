/** Runs a compiled example in a process of its own, on the runtime that runs the tests. */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { root } from "../support/repository.js";
import { runtime } from "../support/runtime.js";
import { temporaryDirectory } from "../support/temporary.js";

/** How an example went. */
export interface ExampleRun {
  readonly stdout: string;
  readonly stderr: string;
  readonly status: number | null;
  /** What it left in its temporary directory. */
  readonly leftovers: readonly string[];
}

/** Much more than any example needs, in milliseconds. */
const TIME_LIMIT_MS = 30_000;

/** The command that runs `build/examples/<name>`. */
export function exampleCommand(name: string): readonly string[] {
  const file = join(root, "build", "examples", name);
  return runtime === "deno" ? [process.execPath, "run", "--allow-all", file] : [process.execPath, file];
}

/** The environment for it. */
export function exampleEnvironment(directory: string): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env, TMPDIR: directory, NO_COLOR: "1" };
  // The test runner tells its children to report to it; an example is no test.
  delete env["NODE_TEST_CONTEXT"];
  return env;
}

/** Runs `build/examples/<name>` with a temporary directory of its own. */
export function runExample(name: string, args: readonly string[] = [], more: NodeJS.ProcessEnv = {}): ExampleRun {
  const directory = temporaryDirectory();
  const [command, ...file] = exampleCommand(name) as [string, ...string[]];
  const env = { ...exampleEnvironment(directory), ...more };
  const { stdout, stderr, status, error } = spawnSync(command, [...file, ...args], { env, encoding: "utf8", timeout: TIME_LIMIT_MS });
  if (error !== undefined) throw error;
  return { stdout, stderr, status, leftovers: readdirSync(directory) };
}
