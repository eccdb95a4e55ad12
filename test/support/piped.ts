/** A program whose standard input and output are the ends of a connection, as those of `openssl s_client`, socat and ncat are. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";

const MUCH_BYTES = 100_000;

export class Piped implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #ended: Promise<[code: number | null, signal: string | null]>;
  readonly #hash = createHash("sha1");
  /** How many bytes it has put out. */
  bytes = 0;
  /** What it has put out, as long as that is little. */
  output = "";
  /** What it has said of errors. */
  complaints = "";
  /** Hears what it puts out. */
  onOutput: (chunk: Buffer) => void = () => {};

  constructor([program, ...args]: readonly string[]) {
    this.#child = spawn(program as string, args, { stdio: "pipe" });
    this.#ended = once(this.#child, "close") as Promise<[number | null, string | null]>;
    this.#child.stdout.on("data", (chunk: Buffer) => {
      this.#hash.update(chunk);
      this.bytes += chunk.length;
      this.onOutput(chunk);
      if (this.bytes < MUCH_BYTES) this.output += chunk.toString();
    });
    this.#child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.complaints += text;
    });
    // It may be gone before its input is closed.
    this.#child.stdin.on("error", () => {});
  }

  /** Gives it input; the promise is for those who give it much. */
  send(input: Uint8Array | string): Promise<void> {
    return new Promise((resolve) => this.#child.stdin.write(input, () => resolve()));
  }

  /** Waits for its first line. */
  async firstLine(): Promise<string> {
    while (!this.output.includes("\n")) {
      const more = await Promise.race([once(this.#child.stdout, "data"), this.#ended.then(() => null)]);
      if (more === null) throw new Error(`it has ended without a word: ${this.complaints}`);
    }
    return this.output.slice(0, this.output.indexOf("\n"));
  }

  /** Ends its input. */
  endInput(): void {
    this.#child.stdin.end();
  }

  /** The checksum of what it has put out. */
  checksum(): string {
    return this.#hash.copy().digest("hex");
  }

  /** Waits for its end; returns its exit code. */
  async end(): Promise<number | null> {
    const [code] = await this.#ended;
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }
}
