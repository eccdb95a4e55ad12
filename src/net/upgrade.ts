/** `startTls()`: upgrades the connection of a custom protocol to TLS. Python's `loop.start_tls()`. */
import {
  checkBoolean,
  checkClientSsl,
  checkProtocol,
  checkServerHostname,
  checkServerSsl,
  invalidType,
  invalidValue,
  isBytes,
  tlsTimeouts,
} from "../base/arguments.js";
import { ignore } from "../base/errors.js";
import { checkKnownOptions, type KnownOptions, knownOptions } from "../base/known-options.js";
import { cancellationOf } from "../base/waiting.js";
import type { Protocol, Transport } from "../contracts/connection.js";
import type { SSLClient, SSLServer } from "../contracts/extra-info.js";
import { type StartTlsOptions, secureStreams } from "../streams/start-tls.js";

/** Options of `startTls()` for protocols. */
export interface TransportStartTlsOptions extends StartTlsOptions {
  /** Whether this end takes the server's role. Default false. */
  readonly serverSide?: boolean | undefined;
  /**
   * With `serverSide`: bytes that the protocol has received behind its STARTTLS command, because the client did not wait. They are the
   * beginning of its handshake. Default: none. Refused for a client, because a server never sends first in TLS.
   */
  readonly readAhead?: Uint8Array | undefined;
}

const START_TLS_OPTIONS: KnownOptions = knownOptions<TransportStartTlsOptions>({
  serverSide: true,
  readAhead: true,
  serverHostname: true,
  sslHandshakeTimeout: true,
  sslShutdownTimeout: true,
  signal: true,
  timeout: true,
});

/**
 * Upgrades the connection of a custom protocol to TLS. Python's `loop.start_tls()`. Streams use `StreamWriter.startTls()`.
 *
 * Data written before is sent first. From the call on, the old transport receives nothing and refuses writes, and `protocol` gets every
 * event of the connection; `connectionMade()` is not called again. Afterwards the old transport has no connection, and the protocol must
 * write to the new one, which reads even if the old one was paused. If the handshake fails, the connection is closed, and the protocol's
 * `connectionLost()` receives the error. A wrong argument, or a state that does not allow TLS, leaves the connection unchanged.
 *
 * On a connection that already uses TLS, the new layer runs inside the old one (TLS in TLS).
 *
 * **If aborted**, or at a time-out, the connection is closed, and the call rejects with the signal's reason or a `TimeoutError`. A signal
 * that is already aborted leaves the connection unchanged.
 *
 * @param transport the transport of a connection of this library
 * @param protocol the protocol that uses the secured connection: the same as before, or another one
 * @param ssl for a client `true`, a `SecureContext` or `tls.ConnectionOptions`; with `serverSide` a `SecureContext` or `tls.TlsOptions`
 * @param options `serverSide`, default false; `serverHostname`: the name that a client expects in the certificate, default the host it is
 *   connected to; `readAhead`; `sslHandshakeTimeout`: ms for the whole call, default 60,000; `sslShutdownTimeout`: ms, default 30,000;
 *   `signal` and `timeout` end the call and the connection
 * @returns the new transport
 * @throws TypeError for a wrong argument, or a transport that does not support TLS; InvalidStateError if one side has ended, or another
 *   upgrade is in progress
 * @throws ConnectionTimeoutError if the call takes longer than `sslHandshakeTimeout`; the TLS error if the handshake fails;
 *   ConnectionLostError if the connection is lost
 *
 * @example
 * ```ts
 * class Mail extends BaseProtocol {
 *   transport: Transport | null = null;
 *   override connectionMade(transport: Transport): void {
 *     this.transport = transport;
 *     transport.write("STARTTLS\r\n");
 *   }
 *   override async dataReceived(data: Buffer): Promise<void> {
 *     if (!data.toString().startsWith("220")) return;
 *     this.transport = await startTls(this.transport as Transport, this, true, { serverHostname: "mail.example" });
 *   }
 * }
 * ```
 */
export async function startTls(
  transport: Transport,
  protocol: Protocol,
  ssl: SSLClient | SSLServer,
  options?: TransportStartTlsOptions,
): Promise<Transport> {
  checkKnownOptions("startTls", options, START_TLS_OPTIONS);
  if (typeof (transport as Transport | null | undefined)?.startTls !== "function") {
    throw invalidType("transport", "a transport that supports startTls()", transport);
  }
  checkProtocol("protocol", protocol);
  const role = checkBoolean("serverSide", options?.serverSide) === true ? "server" : "client";
  const { readAhead } = options ?? {};
  if (readAhead !== undefined) {
    if (!isBytes(readAhead)) throw invalidType("readAhead", "a Uint8Array", readAhead);
    if (role === "client") throw invalidValue("readAhead is only meaningful with serverSide");
  }
  const request = {
    role,
    ssl: role === "client" ? checkClientSsl(ssl) : checkServerSsl(ssl),
    serverHostname: checkServerHostname(role, options?.serverHostname),
    ...tlsTimeouts(options),
    protocol,
    readAhead,
    onSecured: ignore,
  } as const;
  return await secureStreams(transport, protocol, request, cancellationOf(options));
}
