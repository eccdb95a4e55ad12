/** Other processes: scripts of the tests on the same runtime, or whatever else is run. Parent and child exchange lines, of JSON mostly; `parent.ts` has the child's side. */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { runtime } from "./runtime.js";

/** How a process ended. */
export interface ChildEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Another process. Disposing of it kills it. */
export class Child implements AsyncDisposable {
  readonly process: ChildProcess;
  /** Fulfilled when it has ended, and has been reaped. */
  readonly ended: Promise<ChildEnd>;
  readonly #lines: string[] = [];
  readonly #waiting: (() => void)[] = [];
  #rest = "";
  #end: ChildEnd | null = null;

  constructor([program, ...args]: readonly string[], options: SpawnOptions = {}) {
    this.process = spawn(program as string, args, { stdio: ["pipe", "pipe", "inherit"], ...options });
    // It may be gone before its input is closed.
    this.process.stdin?.on("error", () => {});
    this.process.stdout?.setEncoding("utf8").on("data", (text: string) => this.#onOutput(text));
    this.ended = new Promise((resolve) => {
      this.process.once("close", (code, signal) => {
        this.#end = { code, signal };
        this.#wake();
        resolve(this.#end);
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

  /** The next line that it prints. */
  async nextLine(): Promise<string> {
    while (this.#lines.length === 0) {
      if (this.#end !== null) {
        const { code, signal } = this.#end;
        throw new Error(
          `the process has ended and has nothing more to tell: code ${code}, signal ${signal}, ${JSON.stringify(this.#rest)}`,
        );
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    return this.#lines.shift() as string;
  }

  /** The next thing that it tells. */
  async next<T>(): Promise<T> {
    return JSON.parse(await this.nextLine()) as T;
  }

  /** Sends a line, and returns what comes back. */
  ask<T>(...message: readonly unknown[]): Promise<T> {
    this.process.stdin?.write(`${JSON.stringify(message)}\n`);
    return this.next<T>();
  }

  /** Ends its input, by which it ends. */
  end(): Promise<ChildEnd> {
    this.process.stdin?.end();
    return this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.process.kill("SIGKILL");
    for (const stream of this.process.stdio.slice(3)) stream?.destroy();
    await this.ended;
  }
}

/** The command that runs a compiled script of the tests on this runtime: `scriptCommand("net/frozen-child")`. */
export function scriptCommand(name: string, ...args: readonly string[]): string[] {
  const runtimeArgs = runtime === "deno" ? ["run", "--allow-all", "--no-check", "--quiet"] : [];
  return [process.execPath, ...runtimeArgs, fileURLToPath(new URL(`../${name}.js`, import.meta.url)), ...args];
}
