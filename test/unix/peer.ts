/** Other processes: scripts that lie beside the tests, on the same runtime or in Python. Parent and child exchange lines of JSON. */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { runtime } from "../support/runtime.js";

/** How a process ended. */
export interface PeerEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Another process. Disposing of it kills it. */
export class Peer implements AsyncDisposable {
  readonly process: ChildProcess;
  /** Fulfilled when it has ended, and has been reaped. */
  readonly ended: Promise<PeerEnd>;
  readonly #lines: string[] = [];
  readonly #waiting: (() => void)[] = [];
  #rest = "";
  #over = false;

  constructor(command: readonly string[], options: SpawnOptions = {}) {
    const [program, ...args] = command;
    this.process = spawn(program as string, args, { stdio: ["pipe", "pipe", "inherit"], ...options });
    this.process.stdin?.on("error", () => {});
    this.process.stdout?.setEncoding("utf8").on("data", (text: string) => this.#onOutput(text));
    this.ended = new Promise((resolve) => {
      this.process.once("close", (code, signal) => {
        this.#over = true;
        this.#wake();
        resolve({ code, signal });
      });
    });
  }

  #onOutput(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() as string;
    this.#lines.push(...lines);
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** The next thing that it tells. */
  async next<T>(): Promise<T> {
    while (this.#lines.length === 0) {
      if (this.#over) throw new Error("the process has ended and has nothing more to tell");
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    return JSON.parse(this.#lines.shift() as string) as T;
  }

  /** Sends a line, and returns what comes back. */
  ask<T>(...message: readonly unknown[]): Promise<T> {
    this.process.stdin?.write(`${JSON.stringify(message)}\n`);
    return this.next<T>();
  }

  /** Ends its input, by which it ends. */
  end(): Promise<PeerEnd> {
    this.process.stdin?.end();
    return this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.process.kill("SIGKILL");
    await this.ended;
  }
}

/** The command that runs a script beside the tests on this runtime. */
export function scriptCommand(name: string, ...args: readonly string[]): string[] {
  const runtimeArgs = runtime === "deno" ? ["run", "--allow-all", "--no-check", "--quiet"] : [];
  return [process.execPath, ...runtimeArgs, fileURLToPath(new URL(`./${name}.js`, import.meta.url)), ...args];
}

/** For a child: what it is told, line by line. */
export async function* commands(): AsyncGenerator<readonly [string, ...unknown[]]> {
  for await (const line of createInterface({ input: process.stdin })) yield JSON.parse(line) as [string, ...unknown[]];
}

/** For a child: tells its parent. */
export function tell(message: unknown): void {
  process.stdout.write(`${JSON.stringify(message ?? null)}\n`);
}
