/** The command as a process of its own, as a shell runs it. */
import assert from "node:assert/strict";
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { root } from "../support/repository.js";
import { runtime } from "../support/runtime.js";

/** How it ended, and what it printed. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** The words that run the command on this runtime. */
export function commandLine(...args: readonly string[]): string[] {
  const runtimeArgs = runtime === "deno" ? ["run", "--allow-all", "--no-check", "--quiet"] : [];
  return [process.execPath, ...runtimeArgs, join(root, "dist/command/main.js"), ...args];
}

/** The same as text for a shell. */
export function commandText(...args: readonly string[]): string {
  return commandLine(...args)
    .map((word) => `'${word.replaceAll("'", "'\\''")}'`)
    .join(" ");
}

/** The environment without what the test runner's own output depends on. */
export function plainEnvironment(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const env = { ...process.env };
  delete env["NO_COLOR"];
  delete env["FORCE_COLOR"];
  return { ...env, ...more };
}

/** What a terminal gets, with a visible character for ESC. */
export function visible(output: Buffer | string): string {
  return String(output).replaceAll("\x1b", "\u241b");
}

export class Running implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  readonly #chunks: Buffer[] = [];
  #errors = "";

  constructor([program, ...args]: readonly string[], options: SpawnOptions = {}) {
    this.child = spawn(program as string, args, { stdio: "pipe", env: plainEnvironment(), ...options });
    this.child.stdout?.on("data", (chunk: Buffer) => this.#chunks.push(chunk));
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#errors += text;
    });
    this.child.stdin?.on("error", () => {}); // it may have ended
    this.ended = new Promise((resolve) => {
      this.child.once("close", (code, signal) => resolve({ code, signal, stdout: this.stdout, stderr: this.#errors }));
    });
  }

  get stdout(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  get stderr(): string {
    return this.#errors;
  }

  send(data: string | Uint8Array): void {
    this.child.stdin?.write(data);
  }

  /** Ends its input, and waits for its end. */
  async end(input: string | Uint8Array = ""): Promise<Ended> {
    this.child.stdin?.end(input);
    return await this.ended;
  }

  /** Deno: after `child.kill()`, a process that exits by itself counts as ended by the signal. */
  signal(signal: NodeJS.Signals): void {
    process.kill(this.child.pid as number, signal);
  }

  /** Sends a signal unless it has ended, and waits for the end. */
  async kill(signal: NodeJS.Signals): Promise<Ended> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.signal(signal);
    return await this.ended;
  }

  /** Waits until its output, or what it has said, matches. */
  async until(stream: "stdout" | "stderr", pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(visible(stream === "stdout" ? this.stdout : this.#errors));
      if (match !== null) return match;
      const source = this.child[stream];
      assert.ok(source !== null && !source.closed, `it has ended without ${pattern}: ${this.stdout}${this.#errors}`);
      await Promise.race([once(source, "data"), once(source, "close")]);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill("SIGKILL");
    await this.ended;
  }
}

/** Starts the command. */
export function start(...args: readonly string[]): Running {
  return new Running(commandLine(...args));
}

/** Runs the command to its end, with this input. */
export async function run(args: readonly string[], input: string | Uint8Array = ""): Promise<Ended> {
  return await start(...args).end(input);
}

/** Runs the command to its end. It has to fail with this exit code, and to say this in one line. */
export async function failure(code: number, args: readonly string[], input: string = ""): Promise<string> {
  const ended = await run(args, input);
  assert.match(ended.stderr, /^asyncio-streams: [^\n]+\n$/);
  assert.equal(ended.code, code, ended.stderr);
  return ended.stderr.slice("asyncio-streams: ".length, -1);
}

/** Starts `serve`, and waits until it listens. Returns the address that it reports. */
export async function startServe(...args: readonly string[]): Promise<{ readonly server: Running; readonly address: string }> {
  const server = start("serve", ...args);
  const [, address = ""] = await server.until("stderr", /listening on (.*)\n/);
  return { server, address };
}
