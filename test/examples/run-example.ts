/** Runs a compiled example in a process of its own, on the runtime that runs the tests. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { StreamReader } from "asyncio-streams";
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
function exampleEnvironment(directory: string): NodeJS.ProcessEnv {
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

/** An example that runs until it is told to end, with its successors: they all write to one output. */
export interface RunningExample {
  readonly process: ChildProcess;
  readonly output: StreamReader;
  /** The next line that it prints. */
  nextLine(): Promise<string>;
  /** Waits until the last process has ended, as it should; all that is left of the output. */
  ended(): Promise<string>;
}

/** Starts one. Its temporary directory is that of the path it serves on. */
export function startExample([command, ...args]: readonly string[], path: string): RunningExample {
  const child = spawn(command as string, args, { stdio: ["ignore", "pipe", "inherit"], env: exampleEnvironment(dirname(path)) });
  const closed = once(child, "close");
  const output = StreamReader.from(child.stdout);
  return {
    process: child,
    output,
    nextLine: async () => (await output.readline()).toString().trimEnd(),
    async ended() {
      const [status] = (await closed) as [number | null];
      assert.equal(status, 0);
      return (await output.read()).toString();
    },
  };
}
