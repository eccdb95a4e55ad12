/** What a standard stream of a child process is connected to: `PIPE`, `DEVNULL`, `STDOUT`, or a file of this process. */
import { checkInteger, invalidType, invalidValue, MAX_INT } from "../base/arguments.js";

/** Connects a standard stream of the child to a stream of the `Process`. Python's `asyncio.subprocess.PIPE`. */
export const PIPE: -1 = -1;

/** Sends the child's standard error where its standard output goes. Python's `asyncio.subprocess.STDOUT`. */
export const STDOUT: -2 = -2;

/** Connects a standard stream of the child to `/dev/null`. Python's `asyncio.subprocess.DEVNULL`. */
export const DEVNULL: -3 = -3;

/**
 * What a standard stream of the child is connected to: `PIPE`, `DEVNULL`, `STDOUT` for `stderr`, a file descriptor, or an object that has
 * one, such as a `FileHandle` of `node:fs/promises`.
 */
export type Redirection =
  | number
  | {
      /** The file descriptor. */
      readonly fd: number;
    };

/** A `Stream` if the option is `PIPE`, `null` if it is anything else. Both if the type of the option does not tell. */
export type PipeOf<Option, Stream> = Option extends typeof PIPE ? Stream : typeof PIPE extends Option ? Stream | null : null;

/** The three standard streams, as the options name them. */
export interface Redirections {
  readonly stdin?: unknown;
  readonly stdout?: unknown;
  readonly stderr?: unknown;
}

/** A standard stream as `spawn()` of Node takes it. */
type NodeStdio = "pipe" | "ignore" | "inherit" | number;

/** The standard streams for `spawn()`. */
export interface ChildStdio {
  readonly stdio: [stdin: NodeStdio, stdout: NodeStdio, stderr: NodeStdio];
  /** Whether standard error must go where standard output goes, and `spawn()` cannot express that. */
  readonly mergesErrors: boolean;
}

/** Checks the three options and translates them. */
export function childStdio({ stdin, stdout, stderr }: Redirections): ChildStdio {
  const input = nodeStdio("stdin", stdin);
  const output = nodeStdio("stdout", stdout);
  if (stderr !== STDOUT) return { stdio: [input, output, nodeStdio("stderr", stderr)], mergesErrors: false };
  // A file or /dev/null can be named twice, anything else cannot.
  if (typeof output === "number" || output === "ignore") return { stdio: [input, output, output], mergesErrors: false };
  return { stdio: [input, output, "ignore"], mergesErrors: true };
}

function nodeStdio(name: string, value: unknown): NodeStdio {
  if (value === undefined) return "inherit";
  if (value === PIPE) return "pipe";
  if (value === DEVNULL) return "ignore";
  if (value === STDOUT) throw invalidValue(`${name} must not be STDOUT, which is only meaningful for stderr`);
  const fd = typeof value === "object" && value !== null ? (value as { readonly fd?: unknown }).fd : value;
  if (typeof fd !== "number") throw invalidType(name, "PIPE, DEVNULL, a file descriptor or an object that has one", value);
  return checkInteger(name, fd, 0, MAX_INT);
}
