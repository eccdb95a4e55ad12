/** OpenSSL's program at the other end of a connection: `openssl s_client` and `openssl s_server`. */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import type { SocketAddress } from "asyncio-streams";
import { type CertificateName, certificateFile, keyFile } from "../support/certificates.js";
import type { Need } from "../support/needs.js";

const MIB = 1_048_576;

const program = process.env["OPENSSL"] ?? "openssl";
const found = spawnSync(program, ["version"], { encoding: "utf8" }).stdout ?? "";
/** Options for `it()`: skips the test where the program is missing. */
export const options: Need = {
  skip: found.startsWith("OpenSSL") ? false : "needs OpenSSL's program: name it in OPENSSL",
};

/** The program, waited for. */
export class OpenSsl implements AsyncDisposable {
  readonly #child;
  readonly #ended: Promise<[code: number | null, signal: string | null]>;
  readonly #hash = createHash("sha1");
  /** What it printed, as long as that is little. */
  output = "";
  /** What it said of errors. */
  complaints = "";
  bytes = 0;

  constructor(...args: readonly string[]) {
    this.#child = spawn(program, args, { stdio: "pipe" });
    this.#ended = once(this.#child, "close") as Promise<[number | null, string | null]>;
    this.#child.stdout.on("data", (chunk: Buffer) => {
      this.#hash.update(chunk);
      this.bytes += chunk.length;
      if (this.bytes < MIB) this.output += chunk.toString();
    });
    this.#child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.complaints += text;
    });
    // It may be gone before its input is closed.
    this.#child.stdin.on("error", () => {});
  }

  /** A client of a server of ours. */
  static client(address: SocketAddress, ...args: readonly string[]): OpenSsl {
    const where = typeof address === "string" ? ["-unix", address] : ["-connect", `127.0.0.1:${address[1]}`];
    const trusts = ["-CAfile", certificateFile("ca"), "-verify_return_error", "-verify_hostname", "localhost", "-servername", "localhost"];
    return new OpenSsl("s_client", ...where, "-quiet", ...trusts, ...args);
  }

  /** Gives it input; the promise is for those who give it much. */
  type(input: string | Buffer): Promise<void> {
    return new Promise((resolve) => this.#child.stdin.write(input, () => resolve()));
  }

  endInput(): void {
    this.#child.stdin.end();
  }

  checksum(): string {
    return this.#hash.copy().digest("hex");
  }

  async end(): Promise<number | null> {
    const [code] = await this.#ended;
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }
}

/** Its arguments for showing a certificate. */
export function shown(name: CertificateName): string[] {
  return ["-cert", certificateFile(name), "-key", keyFile(name)];
}
