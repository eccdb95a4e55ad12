/**
 * `Process`: a child process, with its standard streams as a `StreamWriter` and `StreamReader`s. Python's `asyncio.subprocess.Process`.
 *
 * Theory of operation
 *
 * `spawn()` of Node gives its pipes as Node streams. The writer and the readers are made of those by `StreamWriter.from()` and
 * `StreamReader.from()`, so they have the same limits, back-pressure and errors as those of any other source. The class corrects
 * two things that the runtimes do when the child has exited:
 *   - They destroy the child's standard input, although a process that has inherited it may still have to read written data. Here it is
 *     closed after that data, once the outputs have ended, too.
 *   - They resume outputs that are paused. The reader pauses them again (see `streams/node-source.ts`), so a grandchild that still writes
 *     cannot fill the memory.
 *
 * `wait()` waits for the exit alone. The end of an output comes later if a grandchild has inherited it.
 */
import { constants } from "node:os";
import type { Readable } from "node:stream";
import { checkInteger, type Data, invalidType, invalidValue, type SignalOptions, toBytes } from "../base/arguments.js";
import type { NonSharedBuffer } from "../base/bytes.js";
import { callForeign, ignore } from "../base/errors.js";
import { cancellationOf, forgetAborted, onceAborted, Waiters, withOneDeadline } from "../base/waiting.js";
import { engineOf } from "../streams/base-reader.js";
import { StreamReader } from "../streams/reader.js";
import { StreamWriter } from "../streams/writer.js";
import type { SubprocessConfig } from "./options.js";
import type { RunningChild } from "./start-child.js";

/**
 * Makes a reader of an output. On Node the output is a Duplex, though nothing can be written to it. Without `write` it is a mere Readable,
 * which `cancel()` destroys.
 */
function readerOf(output: Readable | null, limit: number): StreamReader | null {
  return output === null ? null : StreamReader.from(Object.assign(output, { write: undefined }), { limit });
}

/** How long a process may take to end after SIGKILL, in milliseconds. One that the system holds in a call may take for ever. */
const KILL_PATIENCE_MS = 5000;

/** The highest number of a signal. */
const MAX_SIGNAL = 64;

/**
 * A signal was sent to a process that has ended. Its process ID may belong to another process by now. Python's `ProcessLookupError`.
 */
export class ProcessLookupError extends Error {
  static {
    Object.defineProperty(ProcessLookupError.prototype, "name", { value: "ProcessLookupError", configurable: true, writable: true });
  }

  /** Always `"ESRCH"`. */
  readonly code = "ESRCH";
}

/** What `communicate()` returns for a stream: its bytes, or `null` if it is not a pipe. */
export type OutputOf<Stream> = Stream extends StreamReader ? NonSharedBuffer : null;

/**
 * A child process. `createSubprocessExec()` and `createSubprocessShell()` start one.
 *
 * @typeParam In the type of `stdin`: a `StreamWriter` if it is a `PIPE`, else `null`
 * @typeParam Out the type of `stdout`: a `StreamReader` if it is a `PIPE`, else `null`
 * @typeParam Err the type of `stderr`: a `StreamReader` if it is a `PIPE`, else `null`
 *
 * @example
 * ```ts
 * await using child = await createSubprocessExec("sort", ["-u"], { stdin: PIPE, stdout: PIPE });
 * child.stdin.writelines(["b\n", "a\n", "b\n"]);
 * child.stdin.close();
 * for await (const line of child.stdout) console.log(line.toString().trimEnd());
 * console.log(await child.wait());
 * ```
 */
export class Process<
  In extends StreamWriter | null = StreamWriter | null,
  Out extends StreamReader | null = StreamReader | null,
  Err extends StreamReader | null = StreamReader | null,
> implements AsyncDisposable
{
  /**
   * Writes to the child's standard input; `null` if that is not a `PIPE`. `close()` ends the input. If the child has ended or has closed
   * its input, `drain()` rejects with `ConnectionLostError`, and `waitClosed()` with `EPIPE`.
   */
  readonly stdin: In;
  /** Reads the child's standard output; `null` if that is not a `PIPE`. */
  readonly stdout: Out;
  /** Reads the child's standard error; `null` if that is not a `PIPE`. */
  readonly stderr: Err;
  /** The process ID. */
  readonly pid: number;
  readonly #graceMs: number;
  readonly #exited: Waiters = new Waiters();
  #returncode: number | null = null;

  /**
   * Takes over a child that has just been started.
   *
   * @internal
   */
  constructor(child: RunningChild, { limit, graceMs, signal }: SubprocessConfig) {
    this.#graceMs = graceMs;
    this.pid = child.pid;
    this.stdin = (child.stdin === null ? null : StreamWriter.from(child.stdin)) as In;
    this.stdout = readerOf(child.stdout, limit) as Out;
    this.stderr = readerOf(child.stderr, limit) as Err;
    child.stdin = null; // else it is destroyed when the child exits
    const onAbort = (): void => void this.#end().catch(ignore);
    child.once("exit", (code, signalName) => {
      forgetAborted(signal, onAbort);
      this.#returncode = code ?? -constants.signals[signalName as NodeJS.Signals];
      this.#exited.wake();
    });
    // CPython: closes it when the process and its outputs have ended.
    child.once("close", () => this.stdin?.close());
    onceAborted(signal, onAbort);
  }

  /** The exit status; `-n` if signal number n has ended the process; `null` as long as it runs. */
  get returncode(): number | null {
    return this.#returncode;
  }

  /**
   * Waits until the process has ended. Does not read its output: a child that fills a pipe which the program does not read never ends, so
   * read `stdout` and `stderr`, or call `communicate()`.
   *
   * **If aborted**, only the wait ends: the process continues.
   *
   * @param options `signal` and `timeout` end the wait
   * @returns the `returncode`
   *
   * @example
   * ```ts
   * const child = await createSubprocessShell("exit 7");
   * console.log(await child.wait({ timeout: 10_000 })); // 7
   * ```
   */
  async wait(options?: SignalOptions): Promise<number> {
    const cancellation = cancellationOf(options);
    if (this.#returncode === null) await this.#exited.wait(cancellation);
    return this.#returncode as unknown as number;
  }

  /**
   * Sends input, ends it, reads both outputs to their ends, and waits until the process has ended. All of this happens at the same time,
   * so no full pipe can block it. Input that the child does not read is not an error.
   *
   * The output is collected in memory, whatever its size: read a large one from `stdout`. An output ends when every process that has
   * inherited it has ended, so a grandchild in the background can keep the call waiting: give it a `timeout`.
   *
   * **If aborted**, the process continues, and what was read is put back into the readers: call `communicate()` again to continue.
   *
   * @param input bytes or text for the child's standard input. Bytes are copied.
   * @param options `signal` and `timeout` end the call
   * @returns both outputs; `null` for one that is not a `PIPE`
   * @throws TypeError if there is `input`, and `stdin` is not a `PIPE`
   * @throws ConcurrentReadError if another read of an output is waiting
   *
   * @example
   * ```ts
   * const child = await createSubprocessExec("wc", ["-c"], { stdin: PIPE, stdout: PIPE });
   * const [output] = await child.communicate("hello");
   * console.log(String(output), child.returncode);
   * ```
   */
  async communicate(input?: Data, options?: SignalOptions): Promise<[stdout: OutputOf<Out>, stderr: OutputOf<Err>]> {
    const bytes = input === undefined ? null : toBytes("input", input);
    const cancellation = cancellationOf(options);
    if (bytes !== null && this.stdin === null) throw invalidValue("input is only meaningful with stdin: PIPE");
    if (bytes !== null && this.stdin?.isClosing() === false) this.stdin.write(bytes);
    this.stdin?.close();
    const outputs: [Buffer | null, Buffer | null] = [null, null];
    const readers = [this.stdout, this.stderr];
    const collect = async (signal: AbortSignal | undefined): Promise<void> => {
      const read = async (reader: StreamReader | null, index: number): Promise<void> => {
        if (reader !== null) outputs[index] = await reader.read(-1, { signal });
      };
      await Promise.all(readers.map(read));
      if (this.#returncode === null) await this.#exited.wait(signal);
    };
    try {
      await withOneDeadline(cancellation, collect);
    } catch (error) {
      for (const [index, reader] of readers.entries()) reader?.unread(outputs[index] ?? "");
      throw error;
    }
    return outputs as [OutputOf<Out>, OutputOf<Err>];
  }

  /**
   * Sends a signal to the process.
   *
   * @param signal its name, such as `"SIGHUP"`, or its number
   * @throws ProcessLookupError if the process has ended
   * @throws TypeError `ERR_UNKNOWN_SIGNAL` if there is no such signal
   * @throws `EPERM`, from the system, if the process runs as another user
   */
  sendSignal(signal: NodeJS.Signals | number): void {
    if (typeof signal === "number") checkInteger("signal", signal, 0, MAX_SIGNAL);
    else if (typeof signal !== "string") throw invalidType("signal", "the name or number of a signal", signal);
    if (this.#returncode !== null) throw new ProcessLookupError(`the process ${this.pid} has ended`);
    // Deno: `child.kill()` sends one signal at most, and makes up the `signalCode` of the end.
    process.kill(this.pid, signal);
  }

  /**
   * Asks the process to end, with SIGTERM.
   *
   * @throws ProcessLookupError if the process has ended
   */
  terminate(): void {
    this.sendSignal("SIGTERM");
  }

  /**
   * Ends the process at once, with SIGKILL.
   *
   * @throws ProcessLookupError if the process has ended
   */
  kill(): void {
    this.sendSignal("SIGKILL");
  }

  /** Ends the process: sends SIGTERM, and SIGKILL after `graceMs`. A signal that cannot be sent is treated like one that is ignored. */
  async #end(): Promise<void> {
    callForeign(() => this.terminate(), ignore);
    await this.wait({ timeout: this.#graceMs }).catch(() => {
      callForeign(() => this.kill(), ignore);
      return this.wait({ timeout: KILL_PATIENCE_MS });
    });
  }

  /**
   * Ends the process and releases its streams, for `await using`. A process that still runs gets the end of its input and SIGTERM, and
   * after `graceMs` SIGKILL. What it writes meanwhile is dropped unless a read waits for it, so that a full pipe does not keep it from
   * ending. Processes that it has started are not signalled, but their pipes to this process are closed.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    const readers = [this.stdout, this.stderr].filter((reader) => reader !== null);
    this.stdin?.close();
    for (const reader of readers) engineOf(reader).dropUnawaited();
    try {
      await this.#end();
    } finally {
      this.stdin?.abort();
      await Promise.all(readers.map((reader) => reader.cancel()));
    }
  }
}
