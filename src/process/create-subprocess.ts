/** `createSubprocessExec()` and `createSubprocessShell()`: start child processes. Python's functions of the same names. */
import { invalidType } from "../base/arguments.js";
import { debugMode } from "../base/debug-mode.js";
import { refuseWithoutShell } from "../base/platform.js";
import { abortReason, forgetAborted, onceAborted, throwIfAborted } from "../base/waiting.js";
import type { StreamReader } from "../streams/reader.js";
import type { StreamWriter } from "../streams/writer.js";
import { checkPath, checkSubprocessOptions, type SubprocessOptions } from "./options.js";
import { Process } from "./process.js";
import type { PipeOf, Redirection } from "./redirection.js";
import { startChild } from "./start-child.js";

/** A `Process` with the streams that its options ask for. */
export type ProcessOf<In, Out, Err> = Process<PipeOf<In, StreamWriter>, PipeOf<Out, StreamReader>, PipeOf<Err, StreamReader>>;

/**
 * Starts a program. Python's `asyncio.create_subprocess_exec()`.
 *
 * The standard streams are those of this process, except where an option says otherwise. No shell takes part, so arguments need no
 * quoting.
 *
 * **If aborted** before the call, nothing is started. During the call, the process is ended again, and the call rejects. Later, the
 * signal ends the process.
 *
 * @param program the program: a path, or a name to search in the `PATH` of the child's environment
 * @param args its arguments
 * @param options `stdin`, `stdout`, `stderr`: `PIPE`, `DEVNULL`, `STDOUT` or a file; `limit`, `cwd`, `env`, `signal` and others
 * @returns the process, which is running
 * @throws TypeError for a wrong argument or an unknown option; RangeError for a number out of range
 * @throws a system error if the program cannot be started: `ENOENT` if it does not exist, `EACCES` if it cannot be executed; with the
 *   syscall `"chdir"` if the fault is in `cwd`
 *
 * @example
 * ```ts
 * const child = await createSubprocessExec("git", ["log", "-1"], { stdout: PIPE, cwd: "/srv/app" });
 * const [log] = await child.communicate();
 * ```
 */
export async function createSubprocessExec<
  In extends Redirection | undefined = undefined,
  Out extends Redirection | undefined = undefined,
  Err extends Redirection | undefined = undefined,
>(program: string | URL, args: readonly string[] = [], options?: SubprocessOptions<In, Out, Err>): Promise<ProcessOf<In, Out, Err>> {
  if (!Array.isArray(args)) throw invalidType("args", "an array of strings", args);
  for (const [index, arg] of args.entries()) if (typeof arg !== "string") throw invalidType(`args[${index}]`, "a string", arg);
  return start("createSubprocessExec", checkPath("program", program), args, options);
}

/**
 * Starts a command in the shell, `/bin/sh`. Python's `asyncio.create_subprocess_shell()`.
 *
 * A command that contains text from elsewhere can run anything: use `createSubprocessExec()` for that. A command that does not exist is
 * an error of the shell, which exits with 127.
 *
 * **If aborted**, see `createSubprocessExec()`. The signal ends the shell, but not the programs that it has started: write
 * `exec program` for a command of one program.
 *
 * @param command the command
 * @param options as for `createSubprocessExec()`
 * @returns the process of the shell, which is running
 * @throws TypeError for a wrong argument or an unknown option; RangeError for a number out of range
 * @throws a system error if the shell cannot be started, for example in `cwd`
 *
 * @example
 * ```ts
 * const child = await createSubprocessShell("ls -l | wc -l", { stdout: PIPE });
 * const [count] = await child.communicate();
 * ```
 */
export async function createSubprocessShell<
  In extends Redirection | undefined = undefined,
  Out extends Redirection | undefined = undefined,
  Err extends Redirection | undefined = undefined,
>(command: string, options?: SubprocessOptions<In, Out, Err>): Promise<ProcessOf<In, Out, Err>> {
  if (typeof command !== "string") throw invalidType("command", "a string", command);
  refuseWithoutShell("createSubprocessShell()");
  return start("createSubprocessShell", "/bin/sh", ["-c", command], options);
}

async function start<In, Out, Err>(
  call: string,
  program: string,
  args: readonly string[],
  options: SubprocessOptions | undefined,
): Promise<ProcessOf<In, Out, Err>> {
  const config = { ...checkSubprocessOptions(call, options), origin: debugMode?.origin("It was started here") };
  throwIfAborted(config.signal);
  const hold = (): void => {};
  onceAborted(config.signal, hold); // throws if the signal does, before anything is started; the process shares the listener
  try {
    const child: ProcessOf<In, Out, Err> = new Process(await startChild(program, args, config), config);
    if (config.signal?.aborted !== true) return child;
    await child[Symbol.asyncDispose]();
    throw abortReason(config.signal);
  } finally {
    forgetAborted(config.signal, hold);
  }
}
