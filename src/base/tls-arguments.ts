/** Checks of the TLS arguments, and the default TLS time-outs, each with its source. */
import { checkInteger, invalidType, invalidValue } from "./arguments.js";
import { MAX_TIMER_MS } from "./scheduling.js";

/** TLS handshake time-out in milliseconds. CPython: `SSL_HANDSHAKE_TIMEOUT`, 60 s, which is nginx's default. */
const TLS_HANDSHAKE_TIMEOUT_MS = 60_000;

/** TLS shutdown time-out in milliseconds. CPython: `SSL_SHUTDOWN_TIMEOUT`, 30 s, which is nginx's `lingering_time`. */
const TLS_SHUTDOWN_TIMEOUT_MS = 30_000;

/** Checks the two time-outs and fills in the defaults. */
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

/** Rejects options that have no meaning without `ssl`. */
export function refuseWithoutSsl(options: object | undefined): void {
  for (const name of ["serverHostname", "sslHandshakeTimeout", "sslShutdownTimeout"]) {
    if ((options as Record<string, unknown> | undefined)?.[name] !== undefined) throw invalidValue(`${name} is only meaningful with ssl`);
  }
}

function timeout(name: string, value: number | undefined, standard: number): number {
  return value === undefined ? standard : checkInteger(name, value, 1, MAX_TIMER_MS);
}

/** Checks a client's `ssl` and returns it. */
export function checkClientSsl<T>(ssl: T): T {
  if (ssl !== true && (typeof ssl !== "object" || ssl === null))
    throw invalidType("ssl", "true, a SecureContext or tls.ConnectionOptions", ssl);
  return ssl;
}

/** Checks a server's `ssl` and returns it. CPython: a boolean is a TypeError, because a server needs a certificate. */
export function checkServerSsl<T>(ssl: T): T {
  if (typeof ssl !== "object" || ssl === null)
    throw invalidType("ssl", "a SecureContext or tls.TlsOptions, with a certificate and its key", ssl);
  return ssl;
}

/** Checks the server name that a client expects, and returns it. */
export function checkServerHostname(role: "client" | "server", name: string | undefined): string | undefined {
  if (name === undefined) return undefined;
  if (role === "server") throw invalidValue("serverHostname is only meaningful for a client: this end is the server");
  if (typeof name !== "string") throw invalidType("serverHostname", "a string", name);
  return name;
}
