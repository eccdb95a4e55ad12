/** The options that several of the calls share, and their checks: all before anything is opened. */
import { checkBoolean, checkFunction, checkInteger, checkOptions, checkSignal, invalidType, invalidValue } from "../base/arguments.js";
import { DEFAULT_BACKLOG } from "../base/limits.js";

/** Options of TLS. Not available yet: a call that gives one is refused. */
export interface TlsOptionNames {
  readonly ssl?: unknown;
  readonly serverHostname?: string | undefined;
  readonly sslHandshakeTimeout?: number | undefined;
  readonly sslShutdownTimeout?: number | undefined;
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

/** Refuses options of TLS: those without `ssl` for good, `ssl` itself for now. */
export function checkTls(options: TlsOptionNames | undefined): void {
  if (options?.ssl !== undefined && options.ssl !== null) throw invalidValue("ssl is not supported yet");
  for (const name of ["serverHostname", "sslHandshakeTimeout", "sslShutdownTimeout"] as const) {
    if (options?.[name] !== undefined) throw invalidValue(`${name} is only meaningful with ssl`);
  }
}

/** Checks what the two servers share; returns the backlog. */
export function checkServerOptions(
  protocolFactory: unknown,
  options: ServerOptions | undefined,
): { backlog: number; startServing: boolean } {
  checkFunction("protocolFactory", protocolFactory);
  checkOptions("options", options);
  if (options?.maxConnections !== undefined) checkInteger("maxConnections", options.maxConnections, 1);
  if (options?.onError !== undefined) checkFunction("onError", options.onError);
  checkSignal(options?.signal);
  return {
    backlog: options?.backlog === undefined ? DEFAULT_BACKLOG : checkInteger("backlog", options.backlog, 0, 2 ** 31 - 1),
    startServing: checkBoolean("startServing", options?.startServing) ?? true,
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
