/** Child processes: they run a script that lies beside the tests, on the same runtime, and tell what happens line by line. */
import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { runtime } from "../support/runtime.js";

export interface Child extends AsyncDisposable {
  readonly process: ChildProcess;
  /** The next line of its standard output, as JSON; rejects if there is none. */
  readonly next: <T>() => Promise<T>;
  /** Fulfilled when it has ended. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
}

/**
 * Starts a child process.
 *
 * @param script URL of the compiled script
 * @param extra what it finds at file descriptors 3 and up
 */
export function startChild(script: URL, args: readonly string[] = [], extra: readonly ("pipe" | number)[] = []): Child {
  const stdio: StdioOptions = ["pipe", "pipe", "inherit", ...extra];
  const runtimeArgs = runtime === "deno" ? ["run", "--allow-all", "--no-check", "--quiet"] : [];
  const child = spawn(process.execPath, [...runtimeArgs, fileURLToPath(script), ...args], { stdio });
  const lines: string[] = [];
  const waiting: (() => void)[] = [];
  let rest = "";
  let over = false;
  child.stdin!.on("error", () => {});
  child.stdout!.setEncoding("utf8").on("data", (text: string) => {
    const parts = (rest + text).split("\n");
    rest = parts.pop() as string;
    lines.push(...parts);
    for (const wake of waiting.splice(0)) wake();
  });
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once("close", (code, signal) => {
      over = true;
      for (const wake of waiting.splice(0)) wake();
      resolve({ code, signal });
    });
  });
  return {
    process: child,
    ended,
    async next<T>(): Promise<T> {
      while (lines.length === 0) {
        if (over) throw new Error("the child process has nothing more to tell");
        await new Promise<void>((resolve) => waiting.push(resolve));
      }
      return JSON.parse(lines.shift() as string) as T;
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      for (const stream of child.stdio.slice(3)) stream?.destroy();
      await ended;
    },
  };
}

/** For the child: tells the parent. */
export function tell(message: unknown): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}
