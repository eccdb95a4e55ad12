/**
 * The failures of the command, each with its exit code, and the one line that the user reads about them.
 *
 * A message never has a stack trace. An error of the system is put into words, with its code at the end, so that it can be searched.
 */

/** The exit codes, which docs/command.md lists. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  timedOut: 124,
  cannotExecute: 126,
  notFound: 127,
  /** An end by signal N is 128 + N, as in a shell. */
  signalled: 128,
  /** The reader of the output has ended: SIGPIPE in a shell. */
  brokenPipe: 141,
} as const;

/** A failure that is reported by its message alone. */
export class Failure extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number = EXIT.failed, cause?: unknown) {
    super(message, { cause });
    this.exitCode = exitCode;
  }
}

/** A wrong command line. */
export class UsageError extends Failure {
  constructor(message: string) {
    super(message, EXIT.usage);
  }
}

/** The meaning of the system's errors. */
const MEANINGS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EADDRINUSE: "the address is in use: another server listens there",
  EADDRNOTAVAIL: "this machine does not have the address",
  EAI_AGAIN: "the name server does not answer",
  EAFNOSUPPORT: "this machine has no addresses of this family",
  ECONNREFUSED: "connection refused: no server listens there",
  ECONNRESET: "the peer has reset the connection",
  EHOSTUNREACH: "the host cannot be reached",
  EISDIR: "it is a directory",
  ELOOP: "too many symbolic links",
  EMFILE: "this process has too many open files",
  ENAMETOOLONG: "the path is too long for a Unix socket: the system allows 107 bytes",
  ENETUNREACH: "the network cannot be reached",
  ENOENT: "no such file",
  ENOSPC: "no space is left on the device",
  ENOTDIR: "a part of the path is not a directory",
  ENOTFOUND: "unknown host",
  ENOTSOCK: "not a socket",
  EPERM: "not permitted",
  EPIPE: "the peer has closed the connection",
  EPROTOTYPE: "the socket is not a stream socket",
  EROFS: "the file system is read-only",
  ETIMEDOUT: "the host does not answer",
  ERR_OSSL_PEM_NO_START_LINE: "the file has no certificate or key in PEM form",
};

/** Certificates that a client does not accept. */
const UNTRUSTED = /^(?:CERT_|DEPTH_|SELF_SIGNED|UNABLE_TO_|ERR_TLS_CERT)/;

/** The message of an error of `node:fs` or of this library, which explains more than its code: `CODE: text, syscall 'path'`. */
const DETAILED = /^([A-Z]+): (.*), \w+ '[^']*'$/s;

interface Described {
  readonly code?: unknown;
  readonly message?: unknown;
  readonly cause?: unknown;
  readonly errors?: unknown;
}

/** How deep to look into causes, which may be circular. */
const MOST_CAUSES = 5;

/** Returns the innermost error with a code of the system, among an error, its causes, and the first of its parts; otherwise the error. */
function withCode(error: Described): Described {
  let [found, inner]: [Described, unknown] = [error, error];
  for (let depth = 0; depth < MOST_CAUSES && typeof inner === "object" && inner !== null; depth += 1) {
    const { code, cause, errors }: Described = inner;
    if (typeof code === "string" && code in MEANINGS) found = inner;
    inner = cause ?? (Array.isArray(errors) ? (errors as unknown[])[0] : undefined);
  }
  return found;
}

/** Returns the code of an error or of its cause; `undefined` if it has none. */
export function codeOf(thrown: unknown): string | undefined {
  if (typeof thrown !== "object" || thrown === null) return undefined;
  const { code } = withCode(thrown);
  return typeof code === "string" ? code : undefined;
}

/** Returns the reason of a failure in one line. */
export function reasonOf(thrown: unknown): string {
  if (typeof thrown !== "object" || thrown === null) return oneLine(String(thrown));
  if (thrown instanceof Failure) return thrown.message;
  const [, ownCode, text] = DETAILED.exec(String((thrown as Described).message)) ?? [];
  if (text !== undefined && ownCode === (thrown as Described).code) return `${text} (${ownCode})`;
  const error = withCode(thrown);
  const code = typeof error.code === "string" ? error.code : undefined;
  const meaning = code === undefined ? undefined : MEANINGS[code];
  if (meaning !== undefined) return `${meaning} (${code})`;
  const message = oneLine(typeof error.message === "string" ? error.message : "unknown error");
  const hint = code !== undefined && UNTRUSTED.test(code) ? "; --ca FILE trusts another authority, --insecure any certificate" : "";
  return `${message}${code === undefined || message.includes(code) ? "" : ` (${code})`}${hint}`;
}

function oneLine(text: string): string {
  return text.split("\n", 1)[0] as string;
}
