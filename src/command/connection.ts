/** Opens the connections and the servers of the command, with the options that concern TLS, and puts their failures into words. */
import { readFileSync } from "node:fs";
import {
  type ClientContext,
  openConnection,
  openUnixConnection,
  type Server,
  type StreamReader,
  type StreamWriter,
  startServer,
  startUnixServer,
  type UnixServerOptions,
} from "../index.js";
import type { Address } from "./address.js";
import { type CommandLine, type OptionSpecs, quoted } from "./command-line.js";
import { codeOf, Failure, reasonOf, UsageError } from "./failure.js";
import { hostAndPortText } from "./peer.js";
import { agreeOnTls, START_TLS_PROTOCOLS, type StartTlsProtocol } from "./start-tls.js";

export type Pair = [reader: StreamReader, writer: StreamWriter];

/** The options of a client's TLS. */
export const CLIENT_TLS_OPTIONS: OptionSpecs = {
  starttls: { type: "string" },
  ca: { type: "string" },
  insecure: { type: "boolean" },
  servername: { type: "string" },
};

/** The options of a certificate of this side. */
export const CERTIFICATE_OPTIONS: OptionSpecs = { cert: { type: "string" }, key: { type: "string" } };

/** How to connect. */
export interface Target {
  readonly address: Address;
  readonly startTls: StartTlsProtocol | undefined;
  /** Node's options of TLS; `undefined` without TLS. */
  readonly ssl: { readonly [name: string]: unknown } | undefined;
  /** The name expected in the certificate. */
  readonly serverName: string;
}

/**
 * Reads the options of a client's connection.
 *
 * @param certificate whether `--cert` and `--key` are those of the client
 */
export function targetOf(address: Address, line: CommandLine, certificate: boolean): Target {
  const startTls = line.choice("starttls", START_TLS_PROTOCOLS);
  const isTls = startTls !== undefined || (address.kind === "tcp" && address.tls);
  const needing = ["ca", "insecure", "servername", ...(certificate ? ["cert", "key"] : [])].find((name) => line.has(name));
  if (!isTls && needing !== undefined)
    throw new UsageError(`--${needing} is only meaningful with TLS: write tls://HOST:PORT, or use --starttls`);
  if (startTls !== undefined && address.kind === "tcp" && address.tls)
    throw new UsageError("--starttls and tls:// exclude each other: TLS begins once");
  const own = address.kind === "tcp" ? (address.host ?? "localhost") : "";
  const serverName = line.text("servername") ?? own;
  const insecure = line.has("insecure");
  if (isTls && serverName === "" && !insecure)
    throw new UsageError("TLS over a Unix socket needs --servername NAME, the name in the certificate, or --insecure");
  const ca = fileOption(line, "ca");
  const identity = certificate ? identityOf(line) : {};
  const ssl = isTls ? { rejectUnauthorized: !insecure, ...(ca === undefined ? {} : { ca }), ...identity } : undefined;
  return { address, startTls, ssl, serverName };
}

function fileOption(line: CommandLine, name: string): string | undefined {
  const path = line.text(name);
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new Failure(`cannot read --${name} ${path}: ${reasonOf(error)}`);
  }
}

function identityOf(line: CommandLine): { readonly cert?: string; readonly key?: string } {
  const [cert, key] = [fileOption(line, "cert"), fileOption(line, "key")];
  if ((cert === undefined) !== (key === undefined)) throw new UsageError("--cert and --key are given together");
  return cert === undefined || key === undefined ? {} : { cert, key };
}

/**
 * Connects, with TLS if the target has it.
 *
 * @throws Failure with the reason in one line; the reason of `signal` if it is aborted
 */
export async function open(target: Target, signal: AbortSignal | undefined): Promise<Pair> {
  const { address, startTls, ssl, serverName } = target;
  let writer: StreamWriter | undefined;
  const onAbort = (): void => writer?.abort();
  signal?.addEventListener("abort", onAbort);
  try {
    const tls = ssl === undefined || startTls !== undefined ? {} : { ssl, serverHostname: serverName };
    const pair: Pair =
      address.kind === "unix"
        ? await openUnixConnection(address.path, { signal })
        : await openConnection(address.host ?? "localhost", address.port, { signal, ...tls });
    writer = pair[1];
    if (startTls === undefined || ssl === undefined) return pair;
    await agreeOnTls(startTls, ...pair);
    await writer.startTls(ssl, { serverHostname: serverName });
    return pair;
  } catch (error) {
    writer?.abort();
    if (signal?.aborted === true) throw signal.reason;
    throw new Failure(`cannot connect to ${address.text}: ${whyNot(address, error)}`, undefined, error);
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
}

function whyNot(address: Address, error: unknown): string {
  const reason = reasonOf(error);
  if (address.kind !== "unix") return reason;
  const code = codeOf(error);
  if (code === "ENOENT" && !address.text.includes("/")) return `${reason}; for TCP, write ${address.text}:PORT`;
  if (code === "ECONNREFUSED" || code === "EACCES") return `${reason}; asyncio-streams doctor ${shellWord(address.text)} says more`;
  return reason;
}

/** Returns a word as a shell reads it. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

type OnClient = (reader: StreamReader, writer: StreamWriter, context: ClientContext) => Promise<void>;

/** What a server of the command may be given. */
export interface Listening extends Pick<UnixServerOptions, "mode" | "owner" | "takeover" | "maxConnections"> {
  /** Receives one line about a client whose connection fails. */
  readonly onProblem: (text: string) => void;
}

/**
 * Listens.
 *
 * @throws Failure with the reason in one line
 */
export async function listen(address: Address, onClient: OnClient, line: CommandLine, options: Listening): Promise<Server> {
  const { onProblem, mode, ...others } = options;
  const onClientError = (error: unknown): void => onProblem(reasonOf(error));
  const isTls = address.kind === "tcp" && address.tls;
  const identity = identityOf(line);
  if (isTls && identity.cert === undefined) throw new UsageError("listening on tls:// needs --cert FILE and --key FILE");
  if (!isTls && identity.cert !== undefined) throw new UsageError("--cert and --key are only meaningful with tls://HOST:PORT");
  if (mode !== undefined && (address.kind !== "unix" || address.path.startsWith("\0")))
    throw new UsageError(`--mode is only meaningful with the path of a Unix socket, not with ${quoted(address.text)}`);
  try {
    if (address.kind === "unix") return await startUnixServer(onClient, address.path, { ...others, mode, onClientError });
    const ssl = isTls ? { ssl: identity } : {};
    return await startServer(onClient, address.host, address.port, { maxConnections: others.maxConnections, onClientError, ...ssl });
  } catch (error) {
    throw new Failure(`cannot listen on ${address.text}: ${reasonOf(error)}`, undefined, error);
  }
}

/** Returns the addresses of a server, as a client writes them. */
export function addressesOf(server: Server, address: Address): string {
  if (address.kind === "unix") return address.text;
  const scheme = address.tls ? "tls://" : "";
  return server.sockets
    .map((socket) => socket.getsockname() as readonly [host: string, port: number])
    .map(([host, port]) => scheme + hostAndPortText(host, port))
    .join(" and ");
}
