/**
 * `asyncio-streams connect ADDRESS`: the standard input goes to a connection, and what comes back to the standard output.
 *
 * The end of the input is passed on as a half-close, and the answer is still received. When the peer has ended, the command ends too: at
 * once if the input is a terminal, otherwise when no more input comes for `LINGER_MS`, so that input which is on its way is not lost.
 */
import type { StreamReader, StreamWriter } from "../index.js";
import { connectReadPipe } from "../process/index.js";
import { parseAddress } from "./address.js";
import { type CommandLine, type OptionSpecs, parseCommandLine, quoted } from "./command-line.js";
import { CERTIFICATE_OPTIONS, CLIENT_TLS_OPTIONS, open, targetOf } from "./connection.js";
import { EXIT, Failure, reasonOf, UsageError } from "./failure.js";
import { hexDump } from "./hex-dump.js";
import { LineEnds } from "./line-ends.js";
import { Output } from "./output.js";
import { Progress } from "./progress.js";
import { exitCodeOf, onTermination } from "./termination.js";

export const CONNECT_OPTIONS: OptionSpecs = {
  ...CLIENT_TLS_OPTIONS,
  ...CERTIFICATE_OPTIONS,
  crlf: { type: "boolean" },
  hex: { type: "boolean" },
  "keep-open": { type: "boolean" },
  timeout: { type: "string" },
  quiet: { type: "boolean", short: "q" },
};

const CHUNK_BYTES = 65_536;

/** How long input may pause, in milliseconds, after the peer has ended. */
const LINGER_MS = 500;

/** Ends the conversation when nothing has been sent or received for some time. */
class Silence {
  readonly #limitMs: number | undefined;
  readonly #controller = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(limitMs: number | undefined) {
    this.#limitMs = limitMs;
    this.touch();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Notes that a byte has been sent or received. */
  touch(): void {
    if (this.#limitMs === undefined) return;
    if (this.#timer === undefined) this.#timer = setTimeout(() => this.#onTimeout(), this.#limitMs);
    else this.#timer.refresh();
  }

  #onTimeout(): void {
    const seconds = (this.#limitMs as number) / 1000;
    this.#controller.abort(new Failure(`nothing was sent or received for ${seconds} s (--timeout)`, EXIT.timedOut));
  }
}

/** The input of the command on its way to the connection. */
class Sending {
  readonly #writer: StreamWriter;
  readonly #progress: Progress;
  readonly #silence: Silence;
  readonly #lineEnds: LineEnds | null;
  readonly #endsWriting: boolean;
  readonly #stop = new AbortController();
  /** Whether input was read and is not sent yet. */
  #isWriting = false;
  #sentAt = 0;
  /** Fulfilled with the error that ended sending, or with `null`. */
  readonly done: Promise<unknown>;
  #isDone = false;

  constructor(writer: StreamWriter, progress: Progress, silence: Silence, line: CommandLine) {
    this.#writer = writer;
    this.#progress = progress;
    this.#silence = silence;
    this.#lineEnds = line.has("crlf") ? new LineEnds() : null;
    this.#endsWriting = !line.has("keep-open");
    silence.signal.addEventListener("abort", () => this.#stop.abort());
    this.done = this.#settled(connectReadPipe(process.stdin));
  }

  async #settled(input: StreamReader): Promise<unknown> {
    try {
      await this.#run(input);
      return null;
    } catch (error) {
      return error;
    } finally {
      this.#isDone = true;
    }
  }

  async #run(input: StreamReader): Promise<void> {
    const { signal } = this.#stop;
    for (;;) {
      const chunk = await this.#read(input);
      if (chunk.length === 0) break;
      this.#isWriting = true;
      this.#writer.write(this.#lineEnds?.convert(chunk) ?? chunk);
      await this.#writer.drain({ signal });
      this.#isWriting = false;
      this.#sentAt = performance.now();
      this.#progress.sent += chunk.length;
      this.#silence.touch();
    }
    // TLS has no half-close: the server does not see the end of the input.
    if (this.#endsWriting && this.#writer.canWriteEof()) this.#writer.writeEof();
  }

  /** An input that cannot be read ends the connection, because the peer must not take it for the end of the input. */
  async #read(input: StreamReader): Promise<Uint8Array> {
    const { signal } = this.#stop;
    try {
      return await input.read(CHUNK_BYTES, { signal });
    } catch (error) {
      if (!signal.aborted) this.#writer.abort(new Failure(`cannot read the standard input: ${reasonOf(error)}`));
      throw error;
    }
  }

  /** Waits for the rest of the input after the peer has ended. Returns the error that ended sending, or `null`. */
  async rest(): Promise<unknown> {
    this.#sentAt = performance.now();
    for (;;) {
      const left = process.stdin.isTTY ? 0 : LINGER_MS - (performance.now() - this.#sentAt);
      if (left <= 0 || this.#isDone) break;
      let timer: NodeJS.Timeout | undefined;
      await Promise.race([this.done, new Promise((resolve) => void (timer = setTimeout(resolve, left)))]);
      clearTimeout(timer);
    }
    if (this.#isDone) return await this.done;
    return this.#isWriting ? new Failure("it has ended") : null;
  }
}

/** Runs the subcommand. Returns the exit code. */
export async function connect(args: readonly string[]): Promise<number> {
  const line = parseCommandLine("connect", args, CONNECT_OPTIONS);
  const target = targetOf(parseAddress(onlyArgument(line)), line, true);
  const silence = new Silence(line.milliseconds("timeout"));
  const { stdin, stdout, stderr } = process;
  const isWatched = stderr.isTTY && !stdin.isTTY && !stdout.isTTY && !line.has("quiet");
  const output = new Output();
  const [reader, writer] = await open(target, silence.signal);
  const progress = new Progress(stderr, isWatched);
  onTermination((signal) => {
    progress.end();
    process.exit(exitCodeOf(signal));
  });
  try {
    const sending = new Sending(writer, progress, silence, line);
    await receive(reader, output, progress, silence, line.has("hex"));
    const failure = await sending.rest();
    writer.close();
    if (failure !== null) throw new Failure(`not all input was sent to ${target.address.text}: ${reasonOf(failure)}`);
    await writer.waitClosed({ signal: silence.signal });
    return EXIT.ok;
  } catch (error) {
    writer.abort();
    await output.flush(); // with the error of the output, if that is what failed
    if (error instanceof Failure) throw error;
    throw new Failure(`the connection to ${target.address.text} failed: ${reasonOf(error)}`, undefined, error);
  } finally {
    progress.end();
  }
}

function onlyArgument({ positionals: [address, surplus], command }: CommandLine): string {
  if (address === undefined) throw new UsageError("connect needs an ADDRESS, such as /run/app.sock or localhost:8080");
  const more = surplus ?? command?.[0];
  if (more !== undefined) throw new UsageError(`connect takes one ADDRESS, but got ${quoted(more)}, too`);
  return address;
}

async function receive(reader: StreamReader, output: Output, progress: Progress, silence: Silence, hex: boolean): Promise<void> {
  for (;;) {
    const chunk = await reader.read(CHUNK_BYTES, { signal: silence.signal });
    if (chunk.length === 0) break;
    await output.write(hex ? hexDump(chunk, progress.received) : chunk);
    progress.received += chunk.length;
    silence.touch();
  }
  await output.flush();
}
