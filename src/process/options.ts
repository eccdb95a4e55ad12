/** The options of a child process, and their checks, which run before anything is started. */
import type { SpawnOptions } from "node:child_process";
import { fileURLToPath } from "node:url";
import { checkBoolean, checkInteger, checkSignal, checkTimeout, invalidType, invalidValue } from "../base/arguments.js";
import { checkKnownOptions, type KnownOptions, knownOptions } from "../base/known-options.js";
import { checkLimit } from "../base/limits.js";
import { type ChildStdio, childStdio, type Redirection } from "./redirection.js";

/** How long a child may take to end after SIGTERM, in milliseconds. */
const DEFAULT_GRACE_MS = 2000;

/** The highest user and group ID. The one above it means "none". */
const MAX_ID = 2 ** 32 - 2;

/**
 * Options of `createSubprocessExec()` and `createSubprocessShell()`.
 *
 * @typeParam In the type of `stdin`
 * @typeParam Out the type of `stdout`
 * @typeParam Err the type of `stderr`
 */
export interface SubprocessOptions<
  In extends Redirection | undefined = Redirection | undefined,
  Out extends Redirection | undefined = Redirection | undefined,
  Err extends Redirection | undefined = Redirection | undefined,
> {
  /** The child's standard input. Default: that of this process. */
  readonly stdin?: In | undefined;
  /** The child's standard output. Default: that of this process. */
  readonly stdout?: Out | undefined;
  /** The child's standard error. `STDOUT` sends it where standard output goes, in order. Default: that of this process. */
  readonly stderr?: Err | undefined;
  /** The longest line that `stdout.readline()` and `stderr.readline()` accept, in bytes. Default 65,536. */
  readonly limit?: number | undefined;
  /** The child's working directory. Default: that of this process. */
  readonly cwd?: string | URL | undefined;
  /** The whole environment of the child. A program without a slash is searched in its `PATH`. Default: that of this process. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** The numeric ID of the user that the child runs as. Needs privileges. Default: that of this process. */
  readonly user?: number | undefined;
  /** The numeric ID of the group that the child runs in. Needs privileges. Default: that of this process. */
  readonly group?: number | undefined;
  /** Whether the child gets a session and a process group of its own, so that signals of the terminal do not reach it. Default: no. */
  readonly startNewSession?: boolean | undefined;
  /**
   * How long the child may take to end after SIGTERM, in milliseconds, before `signal` or `await using` kill it. Default 2,000; `Infinity`
   * for no limit.
   */
  readonly graceMs?: number | undefined;
  /**
   * Ends the process when it is aborted: with SIGTERM, and after `graceMs` with SIGKILL. The streams stay, so that the last output can be
   * read. If it is aborted before the call, nothing is started, and the call rejects with the signal's reason.
   */
  readonly signal?: AbortSignal | undefined;
}

const SUBPROCESS_OPTIONS: KnownOptions = knownOptions<SubprocessOptions>({
  stdin: true,
  stdout: true,
  stderr: true,
  limit: true,
  cwd: true,
  env: true,
  user: true,
  group: true,
  startNewSession: true,
  graceMs: true,
  signal: true,
});

/** The checked options, with defaults filled in. */
export interface SubprocessConfig extends ChildStdio {
  readonly limit: number;
  readonly cwd: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  /** Further options for `spawn()`. */
  readonly others: SpawnOptions;
  readonly graceMs: number;
  /** Where the program has made the call, in debug mode. */
  readonly origin?: string | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Checks the options of a call. Refuses unknown ones, which would be ignored: Python and Node have many more. */
export function checkSubprocessOptions(call: string, options: SubprocessOptions | undefined): SubprocessConfig {
  checkKnownOptions(call, options, SUBPROCESS_OPTIONS);
  const given = options ?? {};
  const { cwd, env, user, group, startNewSession, graceMs } = given;
  if (env !== undefined && (typeof env !== "object" || env === null)) throw invalidType("env", "an object", env);
  return {
    ...childStdio(given),
    limit: checkLimit(given.limit),
    cwd: cwd === undefined ? undefined : checkPath("cwd", cwd),
    env: env ?? process.env,
    others: {
      ...(user === undefined ? {} : { uid: checkInteger("user", user, 0, MAX_ID) }),
      ...(group === undefined ? {} : { gid: checkInteger("group", group, 0, MAX_ID) }),
      detached: checkBoolean("startNewSession", startNewSession) ?? false,
    },
    graceMs: graceMs === undefined ? DEFAULT_GRACE_MS : checkTimeout("graceMs", graceMs, 0),
    signal: checkSignal(given.signal),
  };
}

/** Checks a path and returns it as text. */
export function checkPath(name: string, value: string | URL): string {
  if (value === "") throw invalidValue(`${name} must not be empty`);
  if (typeof value === "string") return value;
  if (typeof (value as Partial<URL> | null | undefined)?.href !== "string") throw invalidType(name, "a string or a file: URL", value);
  return fileURLToPath(value.href); // the text, because the URL may be of another realm
}
