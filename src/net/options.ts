/** The options that several of the calls share, and their checks: all before anything is opened. */
import { checkBoolean, checkFunction, checkInteger, checkOptions, checkSignal, invalidType, invalidValue } from "../base/arguments.js";
import { DEFAULT_BACKLOG } from "../base/limits.js";
import { checkClientSsl, checkServerHostname, checkServerSsl, refuseWithoutSsl, tlsTimeouts } from "../base/tls-arguments.js";
import type { SSLClient, SSLServer, TlsTimeouts } from "../contracts/tls.js";
import { ClientHandshake, ServerHandshakes } from "../transports/tls-handshake.js";

/** TLS for a connection to be opened. */
export interface ClientTlsOptions extends TlsTimeouts {
  /** TLS from the start: `true` for the platform's trust store, a `SecureContext`, or Node's `tls.ConnectionOptions`. Default: none. */
  readonly ssl?: SSLClient | undefined;
  /** Whose certificate is expected. Required with `ssl` where there is no host to take it from; `""` for anybody's. */
  readonly serverHostname?: string | undefined;
}

/** TLS for a server. */
export interface ServerTlsOptions extends TlsTimeouts {
  /** TLS from the start: a `SecureContext` with certificate and key, or Node's `tls.TlsOptions`. Default: none. */
  readonly ssl?: SSLServer | undefined;
}

/** TLS of a connection, all checked; `null`: none. */
export interface ClientTls {
  readonly ssl: SSLClient;
  readonly handshake: ClientHandshake;
  readonly sslHandshakeTimeout: number;
  readonly sslShutdownTimeout: number;
}

/** TLS of a server, all checked; `null`: none. */
export interface ServerTls {
  readonly ssl: SSLServer;
  readonly handshakes: ServerHandshakes;
  readonly sslHandshakeTimeout: number;
  readonly sslShutdownTimeout: number;
}

/** Options of every server. */
export interface ServerOptions {
  /** Connections that the system keeps waiting until they are accepted. Default 100. */
  readonly backlog?: number | undefined;
  /** Whether clients can connect at once (default), or only after `server.startServing()`. */
  readonly startServing?: boolean | undefined;
  /** The most clients served at a time. Up to `backlog` further ones wait for their turn; more are closed. Default: no maximum. */
  readonly maxConnections?: number | undefined;
  /** Hears what goes wrong before a client has a protocol, such as running out of descriptors. Default: a process warning. */
  readonly onError?: ((error: unknown) => void) | undefined;
  /** Closes the server, like `server.close()`; aborted before the server stands, the call rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Checks the TLS of a connection, down to its certificates; `host` is the name that its certificate is for, unless another is given. */
export function checkClientTls(options: ClientTlsOptions | undefined, host: string | undefined): ClientTls | null {
  const given: unknown = options?.ssl;
  // CPython takes False for None here.
  if (given === undefined || given === false) {
    refuseWithoutSsl(options);
    return null;
  }
  const serverHostname = checkServerHostname("client", options?.serverHostname) ?? host;
  if (serverHostname === undefined) throw invalidValue("serverHostname is required with ssl when no host is given");
  const ssl = checkClientSsl(given as SSLClient);
  return { ssl, ...tlsTimeouts(options), handshake: new ClientHandshake(ssl, serverHostname) };
}

/** Checks the TLS of a server, down to its certificate. */
function checkServerTls(options: (ServerTlsOptions & { readonly serverHostname?: unknown }) | undefined): ServerTls | null {
  if (options?.ssl === undefined) {
    refuseWithoutSsl(options);
    return null;
  }
  checkServerHostname("server", options.serverHostname as string | undefined);
  const ssl = checkServerSsl(options.ssl);
  return { ssl, ...tlsTimeouts(options), handshakes: new ServerHandshakes(ssl) };
}

/** What the two servers share, checked, with the defaults put in. */
export interface ServerConfig {
  readonly backlog: number;
  readonly startServing: boolean;
  readonly tls: ServerTls | null;
}

/** Checks what the two servers share. */
export function checkServerOptions(protocolFactory: unknown, options: (ServerOptions & ServerTlsOptions) | undefined): ServerConfig {
  checkFunction("protocolFactory", protocolFactory);
  checkOptions("options", options);
  if (options?.maxConnections !== undefined) checkInteger("maxConnections", options.maxConnections, 1);
  if (options?.onError !== undefined) checkFunction("onError", options.onError);
  checkSignal(options?.signal);
  return {
    backlog: options?.backlog === undefined ? DEFAULT_BACKLOG : checkInteger("backlog", options.backlog, 0, 2 ** 31 - 1),
    startServing: checkBoolean("startServing", options?.startServing) ?? true,
    tls: checkServerTls(options),
  };
}

/** Checks a port, 0 to 65,535. */
export function checkPort(name: string, port: unknown): number {
  return checkInteger(name, port, 0, 65_535);
}

/** An address family, as Node numbers them. */
export type IpFamily = 0 | 4 | 6;

/** Checks an address family. */
export function checkIpFamily(family: unknown): IpFamily {
  if (family === undefined) return 0;
  if (family !== 0 && family !== 4 && family !== 6) {
    throw typeof family === "number" ? invalidValue(`family must be 0, 4 or 6, not ${family}`) : invalidType("family", "0, 4 or 6", family);
  }
  return family;
}
