/** `peer.py` as a child process that is always waited for. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import type { Python } from "../support/python.js";
import { testFile } from "../support/repository.js";

export class PeerProcess implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #closed: Promise<[code: number | null, signal: string | null]>;
  #output = "";

  /** Starts it; what it says of its errors goes to our own standard error. */
  constructor({ binary }: Python, ...args: readonly string[]) {
    this.#child = spawn(binary, [testFile("parity/peer.py"), ...args], { stdio: ["pipe", "pipe", "inherit"] });
    this.#closed = once(this.#child, "close") as Promise<[number | null, string | null]>;
    this.#child.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.#output += text;
    });
    // It may be gone before its input is closed.
    this.#child.stdin.on("error", () => {});
  }

  /** The first line of its output, in words. */
  async firstLine(): Promise<string[]> {
    while (!this.#output.includes("\n")) {
      const more = await Promise.race([once(this.#child.stdout, "data"), this.#closed.then(() => null)]);
      if (more === null && !this.#output.includes("\n")) throw new Error("the peer ended without a word");
    }
    return this.#output.trim().split(" ");
  }

  /** Waits for its end by itself. */
  async end(): Promise<{ code: number | null; output: string }> {
    const [code] = await this.#closed;
    return { code, output: this.#output.trim() };
  }

  /** Kills it in the middle of whatever it does. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#closed;
  }

  /** Closes its input, which ends a server, and waits. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    await this.#closed;
  }
}
