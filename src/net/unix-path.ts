/**
 * The names of Unix sockets: what may be one, and what it is called towards Node.
 *
 * Promises: a name that passes is used whole. Node cuts a path that is too long, and binds or connects to what is left; here it is refused, with the
 * limit and the length.
 */
import { fileURLToPath } from "node:url";
import { invalidType, invalidValue } from "../base/arguments.js";
import { systemError } from "./system-error.js";

/** The path of a Unix socket: text, bytes, or a `file:` URL. A leading `"\0"` is a name in Linux's abstract namespace. */
export type PathLike = string | Uint8Array | URL;

/** Bytes that fit into the system's `sun_path` beside the NUL at its end: 108 - 1 on Linux, 104 - 1 on macOS and the BSDs. */
export const MAX_PATH_BYTES: number = process.platform === "linux" ? 107 : 103;

/** A name that has been checked. */
export interface UnixPath {
  /** As Node and `getExtraInfo()` have it. */
  readonly name: string;
  /** In the abstract namespace: there is no file. */
  readonly abstract: boolean;
}

/** Checks a path; throws a `TypeError`, or an `ENAMETOOLONG` error. */
export function parseUnixPath(syscall: "connect" | "listen", path: PathLike): UnixPath {
  const name = toText(path);
  if (name.length === 0) throw invalidValue("path must not be empty");
  const abstract = name.startsWith("\0");
  if (abstract && process.platform !== "linux") {
    throw invalidValue(`path must not begin with a NUL: ${process.platform} has no abstract namespace, ${JSON.stringify(name)}`);
  }
  if (!abstract && name.includes("\0")) throw invalidValue(`path must not contain a NUL, but at the front: ${JSON.stringify(name)}`);
  checkLength(syscall, name, name);
  return { name, abstract };
}

/** Checks the length of a name; `path` is the one the caller knows. */
export function checkLength(syscall: "connect" | "listen", name: string, path: string): void {
  const bytes = Buffer.byteLength(name);
  if (bytes > MAX_PATH_BYTES) {
    throw systemError(
      "ENAMETOOLONG",
      syscall,
      `the path of a Unix socket has at most ${MAX_PATH_BYTES} bytes here, and this one has ${bytes}`,
      path,
    );
  }
}

function toText(path: PathLike): string {
  if (typeof path === "string") return path;
  if (path instanceof URL) {
    if (path.protocol !== "file:") throw invalidValue(`path must be a file: URL, not ${path.href}`);
    return fileURLToPath(path);
  }
  if (!(path instanceof Uint8Array)) throw invalidType("path", "a string, a Uint8Array or a file: URL", path);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(path);
  } catch (cause) {
    throw Object.assign(invalidValue(`path must be UTF-8, which these bytes are not: ${Buffer.from(path).toString("latin1")}`), { cause });
  }
}
