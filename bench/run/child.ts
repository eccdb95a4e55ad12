/** A child process that says "ready", and then answers in lines: a server, a load generator or a client. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";

/** Longer than the slowest of them needs to start or to answer. */
const PATIENCE_MS = 60_000;

export interface Command {
  readonly program: string;
  readonly arguments: readonly string[];
}

export class Child {
  readonly #process: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #lines: AsyncIterator<string>;
  readonly #name: string;
  #errors = "";
  /** The port that it listens on, if it says one. */
  port: string | null = null;

  private constructor(command: Command) {
    this.#name = [command.program, ...command.arguments].join(" ");
    this.#process = spawn(command.program, command.arguments, { stdio: ["pipe", "pipe", "pipe"] });
    this.#process.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#errors += text;
    });
    // A program that is not there, or that ends early, shows itself by the end of its output.
    this.#process.on("error", (error) => {
      this.#errors += error.message;
    });
    this.#process.stdin.on("error", () => {});
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  /** Starts it and waits until it is ready. */
  static async start(command: Command): Promise<Child> {
    const child = new Child(command);
    const line = await child.readLine();
    const ready = /^ready(?: (\d+))?$/.exec(line);
    if (ready !== null) {
      child.port = ready[1] ?? null;
      return child;
    }
    await child.stop();
    throw new Error(`${child.#name} said ${line} before it was ready`);
  }

  get pid(): number {
    return this.#process.pid as number;
  }

  /** What it has written to its standard error. */
  get errors(): string {
    return this.#errors.trim();
  }

  tell(line: string): void {
    this.#process.stdin.write(`${line}\n`);
  }

  signal(name: NodeJS.Signals): void {
    this.#process.kill(name);
  }

  async readLine(): Promise<string> {
    let timer: NodeJS.Timeout | undefined;
    const silence = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${this.#name} was silent for ${PATIENCE_MS} ms: ${this.errors}`)), PATIENCE_MS);
    });
    try {
      const { value, done } = await Promise.race([this.#lines.next(), silence]);
      if (done === true) throw new Error(`${this.#name} ended: ${this.errors}`);
      return value;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends it at once. */
  async stop(): Promise<void> {
    const child = this.#process;
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  }
}
