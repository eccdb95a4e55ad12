/**
 * The names of Unix sockets: checks them and converts them for Node.
 *
 * A name that passes the check is used in full. Node truncates a path that is too long, and binds or connects to the rest; this module
 * refuses it with the limit and the length.
 *
 * A path may contain any bytes, as in CPython. The name of a path that is not UTF-8 is text in which each byte that is not UTF-8 is a lone
 * surrogate, U+DC80 to U+DCFF (Python's error handler "surrogateescape"). Such a name can be used as a path again.
 */
import { isUtf8 } from "node:buffer";
import { fileURLToPath } from "node:url";
import { asBuffer, invalidType, invalidValue, isBytes, toBytes } from "../../base/arguments.js";
import { refuseWithoutUnixSockets } from "../../base/platform.js";
import { systemError } from "../system-error.js";
import { type FileName, hasDescriptorPaths, textIfUtf8 } from "./directory.js";

/**
 * The path of a Unix socket: text, bytes, or a `file:` URL. A leading `"\0"` is a name in Linux's abstract namespace. Bytes that are not
 * UTF-8 work on Linux, except in Deno.
 */
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
  /** The name as `getExtraInfo()` and errors have it. */
  readonly name: string;
  /** The path for `node:fs`: text, or bytes if it is not UTF-8. */
  readonly file: FileName;
  /** Whether the name is in the abstract namespace, where there is no file. */
  readonly abstract: boolean;
}

/** Checks a path. Throws a `TypeError`, or an `ENAMETOOLONG` error. */
export function parseUnixPath(syscall: "connect" | "listen", path: PathLike): UnixPath {
  const bytes = bytesOf(path);
  refuseWithoutUnixSockets(`path ${JSON.stringify(bytes.toString())}`);
  const file = textIfUtf8(bytes);
  const name = typeof file === "string" ? file : escaped(file);
  if (name.length === 0) throw invalidValue("path must not be empty");
  const abstract = name.startsWith("\0");
  if (typeof file !== "string") checkBytes(file, abstract);
  if (abstract) checkAbstract(name);
  else if (name.includes("\0")) throw invalidValue(`path must not contain a NUL after its first character: ${JSON.stringify(name)}`);
  else if (name.endsWith("/")) throw invalidValue(`path must name a socket, not end in "/": ${JSON.stringify(name)}`);
  const limit = abstract ? ABSTRACT_BYTES : MAX_PATH_BYTES;
  if (bytes.length > limit) {
    throw systemError("ENAMETOOLONG", syscall, `the path of the Unix socket has ${bytes.length} bytes: the limit is ${limit}`, name);
  }
  return { name, file, abstract };
}

/** Checks that bytes that are not UTF-8 can be used. */
function checkBytes(bytes: Buffer, abstract: boolean): void {
  const what = `not the bytes ${JSON.stringify(bytes.toString("latin1"))}`;
  // Node: passes names to the system as UTF-8. Only a file can be reached in another way.
  if (abstract) throw invalidValue(`path must be UTF-8 if it is an abstract name, ${what}`);
  // Deno: `node:fs` replaces bytes that are not UTF-8.
  if (process.versions["deno"] !== undefined || !hasDescriptorPaths())
    throw invalidValue(`path must be UTF-8 in Deno, and on systems without /proc/self/fd, ${what}`);
}

function checkAbstract(name: string): void {
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

/** Returns whether a path is short enough for `bind()`. */
export function fitsSunPath(path: string): boolean {
  return Buffer.byteLength(path) <= MAX_PATH_BYTES;
}

/** Returns whether a value is a URL, even one of another realm: jsdom has its own class. */
function isUrl(path: Exclude<PathLike, string>): path is URL {
  return typeof path === "object" && path !== null && "href" in path && typeof path.href === "string";
}

function bytesOf(path: PathLike): Buffer {
  if (typeof path === "string") return unescaped(path);
  if (isUrl(path)) return bytesOfUrl(path.href);
  if (!isBytes(path)) throw invalidType("path", "a string, a Uint8Array or a file: URL", path);
  return Buffer.from(asBuffer(toBytes("path", path)));
}

function bytesOfUrl(href: string): Buffer {
  if (!href.startsWith("file:")) throw invalidValue(`path must be a file: URL, not ${href}`);
  try {
    const path = fileURLToPath(href);
    /* c8 ignore next -- Bun: returns "" for a URL that it cannot decode, where Node throws a URIError */
    if (path !== "") return Buffer.from(path);
  } catch (error) {
    if ((error as Error).name !== "URIError") throw error;
  }
  // The URL is in order, but stands for bytes that are not UTF-8.
  const { pathname } = new URL(href);
  return Buffer.from(
    pathname.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    "latin1",
  );
}

/** Returns the path of a file for `node:fs`, from its name as `getExtraInfo()` has it. */
export function fileNameOf(name: string): FileName {
  return textIfUtf8(unescaped(name));
}

/** Returns bytes as text, with lone surrogates for bytes that are not UTF-8. */
export function escaped(bytes: Buffer): string {
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const length = [1, 2, 3, 4].find((count) => at + count <= bytes.length && isUtf8(bytes.subarray(at, at + count)));
    text += length === undefined ? String.fromCharCode(ESCAPE + (bytes[at] as number)) : bytes.toString("utf8", at, at + length);
    at += length ?? 1;
  }
  return text;
}

/** The surrogate of a byte is this and the byte. */
const ESCAPE = 0xdc00;

/** Reverses `escaped()`. */
function unescaped(text: string): Buffer {
  return Buffer.concat(
    text.split(/([\udc80-\udcff])/u).map((part, index) => {
      if (index % 2 === 1) return Buffer.from([part.charCodeAt(0) - ESCAPE]);
      if (/[\ud800-\udfff]/u.test(part))
        throw invalidValue(`path must be well-formed text, without lone surrogates: ${JSON.stringify(text)}`);
      return Buffer.from(part);
    }),
  );
}
