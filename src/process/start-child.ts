/**
 * `startChild()`: starts a process by `spawn()` of Node, and turns each of its failures into a rejection.
 *
 * Theory of operation
 *
 * `spawn()` reports a failure in three ways: it throws, it emits `'error'`, or, if the working directory is missing, it reports that the
 * program is missing. This module rejects in all three cases with the system's error, which names a bad working directory.
 *
 * `spawn()` cannot use one pipe for both outputs of a child, and on Deno it cannot inherit one output twice. Joining two pipes in this
 * process would lose the order of what the child writes. So `stderr: STDOUT` starts a shell that runs `exec program 2>&1`. The shell
 * becomes the program, with the same process ID. If the shell cannot run the program, it writes its message to the child's output. So this
 * module checks first that the program exists.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { constants as system } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { refuseWithoutShell } from "../base/platform.js";
import type { SubprocessConfig } from "./options.js";

/** Where a program is searched if the environment has no `PATH`. */
const DEFAULT_PATH = "/usr/local/bin:/bin:/usr/bin";

/** Variables that a shell exports by itself. */
const VARIABLES_OF_SHELLS = ["PWD", "OLDPWD", "SHLVL", "_"];

/** Variables that a shell replaces if they do not name a directory, or not the working directory. */
const REPLACED_VARIABLES = ["PWD", "OLDPWD"];

/** A process that runs, or has just ended. */
export type RunningChild = ChildProcess & { readonly pid: number };

/** Starts a process. Rejects if that is not possible. */
export async function startChild(program: string, args: readonly string[], config: SubprocessConfig): Promise<RunningChild> {
  try {
    if (!config.mergesErrors) return await spawned(program, args, config);
    refuseWithoutShell("stderr: STDOUT");
    refuseMissing(program, config);
    const kept = REPLACED_VARIABLES.filter((name) => config.env[name] !== undefined);
    const values = kept.map((name) => config.env[name] as string);
    return await spawned("/bin/sh", ["-c", mergingScript(config.env, kept), program, ...values, ...args], config);
  } catch (error) {
    throw directoryError(config.cwd, error) ?? error;
  }
}

function spawned(program: string, args: readonly string[], { stdio, cwd, env, others }: SubprocessConfig): Promise<RunningChild> {
  return new Promise((fulfill, reject) => {
    const child = spawn(program, args, { ...others, stdio, cwd, env });
    child.once("error", (error) => {
      for (const stream of [child.stdin, child.stdout, child.stderr]) stream?.destroy();
      reject(error);
    });
    if (child.pid !== undefined) fulfill(child as RunningChild);
  });
}

/**
 * A shell script that runs its arguments as a command, with one pipe for both outputs, in the environment that was asked for. Its first
 * arguments are the values of the variables to restore.
 */
function mergingScript(env: NodeJS.ProcessEnv, restored: readonly string[]): string {
  const exported = VARIABLES_OF_SHELLS.filter((name) => env[name] === undefined);
  const restore = restored.map((name) => `export ${name}="$1"\nshift\n`).join("");
  return `unset ${exported.join(" ")}\n${restore}exec "$0" "$@" 2>&1`;
}

/** Throws the error that `spawn()` reports for a program that does not exist or cannot be executed. */
function refuseMissing(program: string, { cwd = ".", env }: SubprocessConfig): void {
  const directories = program.includes("/") ? [""] : (env["PATH"] ?? DEFAULT_PATH).split(delimiter);
  let reason: keyof typeof system.errno = "ENOENT";
  for (const directory of directories) {
    const code = refusalOf(resolve(cwd, join(directory, program)));
    if (code === null) return;
    if (reason !== "EACCES") reason = code; // as execvp() reports it: EACCES of any, or the error of the last
  }
  throw systemError(reason, `spawn ${program}`, program, `spawn ${program} ${reason}`);
}

/** Returns why a file cannot be executed; `null` if it can. */
function refusalOf(path: string): keyof typeof system.errno | null {
  try {
    if (!statSync(path).isFile()) return "EACCES";
    accessSync(path, constants.X_OK);
    return null;
  } catch (error) {
    const { code } = error as { readonly code: keyof typeof system.errno };
    if (!(code in system.errno)) throw error; // a path that is no path
    return code;
  }
}

/** Returns the error of a working directory that cannot be entered; `null` if `spawn()` failed for another reason. */
function directoryError(cwd: string | undefined, cause: unknown): Error | null {
  if (cwd === undefined) return null;
  try {
    accessSync(`${cwd}/.`, constants.X_OK);
    return null;
  } catch (error) {
    const { code } = error as { readonly code: keyof typeof system.errno };
    return systemError(code, "chdir", cwd, `${code}: cannot enter the working directory, chdir '${cwd}'`, cause);
  }
}

/** Makes an error in the form of Node's system errors. */
function systemError(code: keyof typeof system.errno, syscall: string, path: string, message: string, cause?: unknown): Error {
  const error = new Error(message, cause === undefined ? undefined : { cause });
  return Object.assign(error, { code, errno: -system.errno[code], syscall, path });
}
