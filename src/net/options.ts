/** The options that several calls share, and their checks, which run before anything is opened. */
import {
  checkBoolean,
  checkClientSsl,
  checkFunction,
  checkInteger,
  checkServerHostname,
  checkServerSsl,
  invalidType,
  invalidValue,
  MAX_INT,
  refuseWithoutSsl,
  tlsTimeouts,
} from "../base/arguments.js";
import { debugMode } from "../base/debug-mode.js";
import type { KnownOptions, OptionNames } from "../base/known-options.js";
import { DEFAULT_BACKLOG } from "../base/limits.js";
import { refuseWithoutServers, refuseWithoutTls } from "../base/platform.js";
import { checkWaitOptions } from "../base/waiting.js";
import type { ProtocolFactory } from "../contracts/connection.js";
import type { SSLClient, SSLServer, TlsTimeouts } from "../contracts/extra-info.js";
import type { ClientErrorHandler } from "../streams/protocol.js";
import { ClientHandshake, ServerHandshakes } from "../transports/tls-handshake.js";
import type { ConnectionKind } from "./connection-context.js";
import { checkProxyProtocol, type ProxyPolicy, type ProxyProtocolOptions } from "./proxy-protocol/proxy-option.js";

/** TLS options of an opened connection. */
export interface ClientTlsOptions extends TlsTimeouts {
  /** TLS from the start: `true` for the platform's trust store, a `SecureContext`, or Node's `tls.ConnectionOptions`. Default: none. */
  readonly ssl?: SSLClient | undefined;
  /** The name expected in the server's certificate. Required with `ssl` if the call has no host; `""` accepts any name. */
  readonly serverHostname?: string | undefined;
}

/** TLS options of a server. */
export interface ServerTlsOptions extends TlsTimeouts {
  /** TLS from the start: a `SecureContext` with certificate and key, or Node's `tls.TlsOptions`. Default: none. */
  readonly ssl?: SSLServer | undefined;
}

/** The checked TLS options of a connection. */
export interface ClientTls {
  readonly ssl: SSLClient;
  readonly handshake: ClientHandshake;
  readonly sslHandshakeTimeout: number;
  readonly sslShutdownTimeout: number;
}

/** The checked TLS options of a server. */
export interface ServerTls {
  readonly ssl: SSLServer;
  readonly handshakes: ServerHandshakes;
  readonly sslHandshakeTimeout: number;
  readonly sslShutdownTimeout: number;
}

/** Options of every server. */
export interface ServerOptions {
  /** The number of connections that the system queues until they are accepted. Default 511, as in `node:net`. */
  readonly backlog?: number | undefined;
  /** Whether clients can connect at once (default), or only after `server.startServing()`. */
  readonly startServing?: boolean | undefined;
  /**
   * The maximum number of clients served at a time. Up to `backlog` more wait for their turn; any beyond that are closed. Default: no
   * maximum.
   */
  readonly maxConnections?: number | undefined;
  /**
   * Whether every connection begins with a header of the PROXY protocol, version 1 or 2, in which a proxy such as HAProxy sends the
   * client's address: `true`, or options. Connections without a header are refused. Default false.
   */
  readonly proxyProtocol?: boolean | ProxyProtocolOptions | undefined;
  /** Receives errors that happen before a client has a protocol, such as running out of descriptors. Default: a process warning. */
  readonly onError?: ((error: unknown) => void) | undefined;
  /**
   * Receives what the callback of a `StreamReaderProtocol` throws that has no `onClientError` of its own. Without `onError`, also receives
   * the errors that happen before a client has a protocol; `writer` is `null` then. Default: a process warning.
   */
  readonly onClientError?: ClientErrorHandler | undefined;
  /** Closes the server, like `server.close()`. If aborted before the server is ready, the call rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Limits starting, in milliseconds: looking up names and taking the address. The call then rejects with a
   * `TimeoutError`, and nothing listens. Has no effect once the call has returned. Default, and `Infinity`: no limit.
   */
  readonly timeout?: number | undefined;
}

/** The names of the options of every server, without its handler of errors, which differs between the calls. */
export const SERVER_NAMES: OptionNames<Omit<ServerOptions, "onError"> & ServerTlsOptions> = {
  backlog: true,
  startServing: true,
  maxConnections: true,
  proxyProtocol: true,
  onClientError: true,
  signal: true,
  timeout: true,
  ssl: true,
  sslHandshakeTimeout: true,
  sslShutdownTimeout: true,
};

/**
 * Checks the TLS options of a connection, including the certificates. `host` is the name expected in the server's certificate if
 * `serverHostname` is not given.
 */
export function checkClientTls(options: ClientTlsOptions | undefined, host: string | undefined): ClientTls | null {
  const given: unknown = options?.ssl;
  // CPython: treats False as None here.
  if (given === undefined || given === false) {
    refuseWithoutSsl(options);
    return null;
  }
  const serverHostname = checkServerHostname("client", options?.serverHostname) ?? host;
  if (serverHostname === undefined) throw invalidValue("serverHostname is required with ssl when no host is given");
  const ssl = checkClientSsl(given as SSLClient);
  refuseWithoutTls();
  return { ssl, ...tlsTimeouts(options), handshake: new ClientHandshake(ssl, serverHostname) };
}

/** Checks the TLS options of a server, including the certificate. */
export function checkServerTls(options: (ServerTlsOptions & { readonly serverHostname?: unknown }) | undefined): ServerTls | null {
  if (options?.ssl === undefined) {
    refuseWithoutSsl(options);
    return null;
  }
  checkServerHostname("server", options.serverHostname as string | undefined);
  const ssl = checkServerSsl(options.ssl);
  return { ssl, ...tlsTimeouts(options), handshakes: new ServerHandshakes(ssl) };
}

/** Returns the TLS of a server whose certificate, or more of its `ssl`, is replaced. */
export function renewServerTls(tls: ServerTls, given: SSLServer): ServerTls {
  const ssl = checkServerSsl(given);
  return { ...tls, ssl, handshakes: new ServerHandshakes(ssl, tls.handshakes) };
}

/** The public call that listens: its name, the names of its options, its protocols and its error handlers. */
export interface ListenCall {
  readonly name: string;
  readonly known: KnownOptions;
  readonly protocolFactory: ProtocolFactory;
  readonly onError: ServerOptions["onError"];
  /** Makes connections of another kind; `undefined` for the usual kind. */
  readonly kind?: ConnectionKind | undefined;
}

/** The checked options that TCP and Unix servers share, with defaults filled in. */
export interface ServerConfig {
  readonly backlog: number;
  readonly startServing: boolean;
  readonly tls: ServerTls | null;
  readonly proxy: ProxyPolicy | null;
  /** Where the program has called, in debug mode. */
  readonly origin: string | undefined;
}

/** Checks the options that TCP and Unix servers share. Must run before the call waits: in debug mode, it looks for the caller. */
export function checkServerOptions(
  { name, known, protocolFactory, onError }: ListenCall,
  options: (Omit<ServerOptions, "onError"> & ServerTlsOptions) | undefined,
  kind: "tcp" | "unix",
): ServerConfig {
  checkFunction("protocolFactory", protocolFactory);
  checkWaitOptions(name, options, known);
  refuseWithoutServers();
  if (options?.maxConnections !== undefined) checkInteger("maxConnections", options.maxConnections, 1);
  if (onError !== undefined) checkFunction("onError", onError);
  if (options?.onClientError !== undefined) checkFunction("onClientError", options.onClientError);
  return {
    backlog: options?.backlog === undefined ? DEFAULT_BACKLOG : checkInteger("backlog", options.backlog, 0, MAX_INT),
    startServing: checkBoolean("startServing", options?.startServing) ?? true,
    tls: checkServerTls(options),
    proxy: checkProxyProtocol(options?.proxyProtocol, kind, name),
    origin: debugMode?.origin("The server was started here"),
  };
}

/**
 * Refuses options that have no effect on a `sock`, which is connected or bound already.
 *
 * CPython: ignores them.
 */
export function refuseWithSock<Options extends object>(options: Options | undefined, names: readonly (keyof Options & string)[]): void {
  for (const name of names) if (options?.[name] !== undefined) throw invalidValue(`${name} has no effect on a sock`);
}

/** Checks a port, 0 to 65,535. */
export function checkPort(name: string, port: unknown): number {
  return checkInteger(name, port, 0, 65_535);
}

/** An address family in Node's numbering; 0 for any. */
export type IpFamily = 0 | 4 | 6;

/** Checks an address family. */
export function checkIpFamily(family: unknown): IpFamily {
  if (family === undefined) return 0;
  if (family !== 0 && family !== 4 && family !== 6) {
    throw typeof family === "number" ? invalidValue(`family must be 0, 4 or 6, not ${family}`) : invalidType("family", "0, 4 or 6", family);
  }
  return family;
}
