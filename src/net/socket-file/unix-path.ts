/**
 * The names of Unix sockets: checks them and converts them for Node.
 *
 * A name that passes the check is used in full. Node truncates a path that is too long, and binds or connects to the rest; this module
 * refuses it with the limit and the length.
 */
import { isAbsolute } from "node:path";
import { fileURLToPath } from "node:url";
import { asBuffer, invalidType, invalidValue, isBytes, toBytes } from "../../base/arguments.js";
import { systemError } from "../system-error.js";

/** The path of a Unix socket: text, bytes, or a `file:` URL. A leading `"\0"` is a name in Linux's abstract namespace. */
export type PathLike = string | Uint8Array | URL;

/** The maximum length of a path in the system's `sun_path`, without the NUL at its end: 108 - 1 on Linux, 104 - 1 on macOS and the BSDs. */
const MAX_PATH_BYTES: number = process.platform === "linux" ? 107 : 103;

/** The maximum length of an abstract name, including its leading NUL. It may fill `sun_path`, because it is not NUL-terminated. */
const ABSTRACT_BYTES = 108;

/** libuv before 1.49 passes names of pipes without their length on Linux. */
const PADS_ABSTRACT_NAMES: boolean =
  process.versions["bun"] === undefined && process.versions["deno"] === undefined && Number.parseInt(process.versions.node, 10) < 22;

/** A name that has been checked. */
export interface UnixPath {
  /** The name as used by Node and `getExtraInfo()`. */
  readonly name: string;
  /** Whether the name is in the abstract namespace, where there is no file. */
  readonly abstract: boolean;
}

/** Checks a path. Throws a `TypeError`, or an `ENAMETOOLONG` error. */
export function parseUnixPath(syscall: "connect" | "listen", path: PathLike): UnixPath {
  const name = toText(path);
  if (name.length === 0) throw invalidValue("path must not be empty");
  const abstract = name.startsWith("\0");
  if (abstract) checkAbstract(name);
  else if (name.includes("\0")) throw invalidValue(`path must not contain a NUL after its first character: ${JSON.stringify(name)}`);
  else if (name.endsWith("/")) throw invalidValue(`path must name a socket, not end in "/": ${JSON.stringify(name)}`);
  const bytes = Buffer.byteLength(name);
  const limit = abstract ? ABSTRACT_BYTES : MAX_PATH_BYTES;
  if (bytes > limit) {
    throw systemError("ENAMETOOLONG", syscall, `the path of the Unix socket has ${bytes} bytes: the limit is ${limit}`, name);
  }
  return { name, abstract };
}

function checkAbstract(name: string): void {
  /* c8 ignore next 3 -- macOS */
  if (process.platform !== "linux") {
    throw invalidValue(`path must not begin with a NUL on ${process.platform}, which has no abstract namespace: ${JSON.stringify(name)}`);
  }
  // Node 20: passes all of sun_path to the system, so a shorter name is padded with NULs and is a different name to every other
  // program. To see it: listen on "\0name" and read /proc/net/unix.
  if (PADS_ABSTRACT_NAMES && Buffer.byteLength(name) < ABSTRACT_BYTES) {
    throw invalidValue(
      `path must not be an abstract name on Node.js ${process.versions.node}, which pads it with NULs, so other programs cannot find it ` +
        `(use a name of exactly ${ABSTRACT_BYTES} bytes, or Node.js 22 or later): ${JSON.stringify(name)}`,
    );
  }
}

/** Returns the absolute path. Does not use `resolve()`, which lets `..` remove the preceding name: that is wrong after a symbolic link. */
export function absolutePath(path: string): string {
  return isAbsolute(path) ? path : `${process.cwd()}/${path}`;
}

/** Returns whether a path is short enough for `bind()`. */
export function fitsSunPath(path: string): boolean {
  return Buffer.byteLength(path) <= MAX_PATH_BYTES;
}

/** Returns whether a value is a URL, even one of another realm: jsdom has its own class. */
function isUrl(path: Exclude<PathLike, string>): path is URL {
  return typeof path === "object" && path !== null && "href" in path && typeof path.href === "string";
}

function toText(path: PathLike): string {
  if (typeof path === "string") {
    if (Buffer.from(path).toString() !== path)
      throw invalidValue(`path must be well-formed text, without lone surrogates: ${JSON.stringify(path)}`);
    return path;
  }
  if (isUrl(path)) {
    const { href } = path;
    if (!href.startsWith("file:")) throw invalidValue(`path must be a file: URL, not ${href}`);
    return fileURLToPath(href);
  }
  if (!isBytes(path)) throw invalidType("path", "a string, a Uint8Array or a file: URL", path);
  const bytes = asBuffer(toBytes("path", path));
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw Object.assign(invalidValue(`path must be UTF-8, not the bytes ${JSON.stringify(bytes.toString("latin1"))}`), { cause });
  }
}
