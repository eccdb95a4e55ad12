/** Checks of the arguments of TLS, and the times it may take, each with its source. */
import { checkInteger, invalidType, invalidValue } from "./arguments.js";
import { MAX_TIMER_MS } from "./scheduling.js";

/** Handshake, in milliseconds. CPython: `SSL_HANDSHAKE_TIMEOUT`, 60 s, which is nginx's default. */
const TLS_HANDSHAKE_TIMEOUT_MS = 60_000;

/** Shutdown, in milliseconds. CPython: `SSL_SHUTDOWN_TIMEOUT`, 30 s, which is nginx's `lingering_time`. */
const TLS_SHUTDOWN_TIMEOUT_MS = 30_000;

/** Checks the two time-outs and puts the defaults in. */
export function tlsTimeouts(
  options: { readonly sslHandshakeTimeout?: number | undefined; readonly sslShutdownTimeout?: number | undefined } | undefined,
): {
  sslHandshakeTimeout: number;
  sslShutdownTimeout: number;
} {
  return {
    sslHandshakeTimeout: timeout("sslHandshakeTimeout", options?.sslHandshakeTimeout, TLS_HANDSHAKE_TIMEOUT_MS),
    sslShutdownTimeout: timeout("sslShutdownTimeout", options?.sslShutdownTimeout, TLS_SHUTDOWN_TIMEOUT_MS),
  };
}

/** Refuses options that mean nothing without `ssl`. */
export function refuseWithoutSsl(options: object | undefined): void {
  for (const name of ["serverHostname", "sslHandshakeTimeout", "sslShutdownTimeout"]) {
    if ((options as Record<string, unknown> | undefined)?.[name] !== undefined) throw invalidValue(`${name} is only meaningful with ssl`);
  }
}

function timeout(name: string, value: number | undefined, standard: number): number {
  return value === undefined ? standard : checkInteger(name, value, 1, MAX_TIMER_MS);
}

/** Checks a client's `ssl`. */
export function checkClientSsl<T>(ssl: T): T {
  if (ssl !== true && (typeof ssl !== "object" || ssl === null))
    throw invalidType("ssl", "true, a SecureContext or tls.ConnectionOptions", ssl);
  return ssl;
}

/** Checks a server's `ssl`. CPython: a boolean is a TypeError, since a server has nothing without a certificate. */
export function checkServerSsl<T>(ssl: T): T {
  if (typeof ssl !== "object" || ssl === null)
    throw invalidType("ssl", "a SecureContext or tls.TlsOptions, with a certificate and its key", ssl);
  return ssl;
}

/** Checks the name that a client expects. */
export function checkServerHostname(role: "client" | "server", name: string | undefined): string | undefined {
  if (name === undefined) return undefined;
  if (role === "server") throw invalidValue("serverHostname is only meaningful for a client: this end is the server");
  if (typeof name !== "string") throw invalidType("serverHostname", "a string", name);
  return name;
}
