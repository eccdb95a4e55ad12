/**
 * The addresses of the command line.
 *
 * | form | meaning |
 * |---|---|
 * | `PATH`, `unix:PATH`, `unix://PATH` | a Unix socket |
 * | `@NAME` | a Unix socket in Linux's abstract namespace |
 * | `HOST:PORT`, `[IPV6]:PORT`, `tcp://HOST:PORT` | TCP |
 * | `:PORT` | TCP on this machine only (`localhost`) |
 * | `*:PORT` | TCP on every interface, to listen on |
 * | `tls://HOST:PORT` | TLS over TCP |
 *
 * A text without a slash that ends in a colon and digits is TCP. Every other text is a path.
 */
import { quoted } from "./command-line.js";
import { UsageError } from "./failure.js";

export interface UnixAddress {
  readonly kind: "unix";
  /** The path, or an abstract name with its leading NUL. */
  readonly path: string;
  /** The address as a message shows it. */
  readonly text: string;
}

export interface TcpAddress {
  readonly kind: "tcp";
  /** `null` for every interface. */
  readonly host: string | null;
  readonly port: number;
  readonly tls: boolean;
  readonly text: string;
}

export type Address = UnixAddress | TcpAddress;

const HIGHEST_PORT = 65_535;
const HOST_AND_PORT = /^(\[[^\]/]*\]|[^/]*):(\d+)$/;

/**
 * Reads an address.
 *
 * @throws UsageError if it is not one
 */
export function parseAddress(text: string): Address {
  if (text === "") throw new UsageError("the address is empty");
  const [, scheme, rest = ""] = /^(unix|tcp|tls):(?:\/\/)?(.*)$/s.exec(text) ?? [];
  if (scheme === "unix") return unixAddress(rest, text);
  if (scheme !== undefined && text.startsWith(`${scheme}://`)) return tcpAddress(rest, text, scheme === "tls");
  if (text.startsWith("@")) return { kind: "unix", path: `\0${text.slice(1)}`, text };
  if (/^\w+:\/\//.test(text)) throw new UsageError(`${quoted(text)} is no address: the schemes are unix:, tcp:// and tls://`);
  return HOST_AND_PORT.test(text) ? tcpAddress(text, text, false) : unixAddress(text, text);
}

function unixAddress(path: string, text: string): UnixAddress {
  if (path === "") throw new UsageError(`${quoted(text)} has no path`);
  if (path.endsWith("/")) throw new UsageError(`${quoted(text)} is a directory: an address names a socket in it`);
  return { kind: "unix", path, text: path };
}

function tcpAddress(rest: string, text: string, tls: boolean): TcpAddress {
  const [, hostPart, digits] = HOST_AND_PORT.exec(rest) ?? [];
  if (hostPart === undefined) throw new UsageError(`${quoted(text)} is no address: write HOST:PORT`);
  const port = Number(digits);
  if (port > HIGHEST_PORT) throw new UsageError(`${quoted(text)} has no port: the highest is ${HIGHEST_PORT}`);
  const isBracketed = hostPart.startsWith("[");
  if (!isBracketed && hostPart.includes(":")) throw new UsageError(`${quoted(text)} is ambiguous: write [${hostPart}]:${port} for IPv6`);
  const host = isBracketed ? hostPart.slice(1, -1) : hostPart;
  if (isBracketed && host === "") throw new UsageError(`${quoted(text)} has no host in its brackets`);
  return { kind: "tcp", host: host === "*" ? null : host === "" ? "localhost" : host, port, tls, text };
}
