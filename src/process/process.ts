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
import type { Readable } from "node:stream";
import { type Data, invalidValue, type SignalOptions, toBytes } from "../base/arguments.js";
import type { NonSharedBuffer } from "../base/bytes.js";
import { debugMode } from "../base/debug-mode.js";
import { checkKnownOptions, WAIT_OPTIONS } from "../base/known-options.js";
import { abortReason, cancellationOf, forgetAborted, onceAborted, withOneDeadline } from "../base/waiting.js";
import { engineOf } from "../streams/base-reader.js";
import { StreamReader } from "../streams/reader.js";
import { StreamWriter } from "../streams/writer.js";
import { ChildState } from "./child-state.js";
import type { SubprocessConfig } from "./options.js";
import type { RunningChild } from "./start-child.js";

/**
 * Makes a reader of an output. On Node the output is a Duplex, though nothing can be written to it. Without `write` it is a mere Readable,
 * which `cancel()` destroys.
 */
function readerOf(output: Readable | null, limit: number): StreamReader | null {
  return output === null ? null : StreamReader.from(Object.assign(output, { write: undefined }), { limit });
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
  readonly #state: ChildState;

  /**
   * Takes over a child that has just been started.
   *
   * @internal
   */
  constructor(child: RunningChild, config: SubprocessConfig) {
    this.pid = child.pid;
    this.stdin = (child.stdin === null ? null : StreamWriter.from(child.stdin)) as In;
    this.stdout = readerOf(child.stdout, config.limit) as Out;
    this.stderr = readerOf(child.stderr, config.limit) as Err;
    child.stdin = null; // else it is destroyed when the child exits
    const outputs = [this.stdout, this.stderr];
    this.#state = new ChildState(child, config, this.stdin, outputs);
    if (config.origin === undefined) return;
    const engines = outputs.map((reader) => (reader === null ? null : engineOf(reader)));
    debugMode?.watch(this.#state, config.origin, [this, this.stdin, ...outputs], engines);
  }

  /** The exit status; `-n` if signal number n has ended the process; `null` as long as it runs. */
  get returncode(): number | null {
    return this.#state.returncode;
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
    checkKnownOptions("wait", options, WAIT_OPTIONS);
    return await this.#state.wait(cancellationOf(options));
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
    checkKnownOptions("communicate", options, WAIT_OPTIONS);
    const cancellation = cancellationOf(options);
    if (bytes !== null && this.stdin === null) throw invalidValue("input is only meaningful with stdin: PIPE");
    if (bytes !== null && this.stdin?.isClosing() === false) this.stdin.write(bytes);
    this.stdin?.close();
    const outputs: [Buffer | null, Buffer | null] = [null, null];
    const readers = [this.stdout, this.stderr];
    const collect = async (signal: AbortSignal | undefined): Promise<void> => {
      const stop = new AbortController();
      const onAbort = (): void => stop.abort(abortReason(signal));
      const read = async (reader: StreamReader | null, index: number): Promise<void> => {
        if (reader !== null) outputs[index] = await reader.read(-1, { signal: stop.signal });
      };
      onceAborted(signal, onAbort);
      const reads = readers.map(read);
      try {
        await Promise.all(reads);
      } finally {
        forgetAborted(signal, onAbort);
        stop.abort(); // a read that still waits, because the other one has failed, must not take what comes later
        await Promise.allSettled(reads);
      }
      await this.#state.wait(signal);
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
    this.#state.sendSignal(signal);
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
      await this.#state.end();
    } finally {
      this.stdin?.abort();
      await Promise.all(readers.map((reader) => reader.cancel()));
    }
  }
}
