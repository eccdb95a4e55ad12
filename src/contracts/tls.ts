/** TLS as the public calls take it. */
import type tls from "node:tls";

/**
 * TLS for a client: `true` for the platform's trust store with verification on, a `SecureContext`, or Node's `tls.ConnectionOptions`.
 */
export type SSLClient = true | tls.SecureContext | tls.ConnectionOptions;

/** TLS for a server: a `SecureContext` with certificate and key, or Node's `tls.TlsOptions`. */
export type SSLServer = tls.SecureContext | tls.TlsOptions;

/** How long the two ends of TLS may take. Milliseconds. */
export interface TlsTimeouts {
  /** For the handshake; after it the connection is cut. Default 60,000 ms. */
  readonly sslHandshakeTimeout?: number | undefined;
  /** For the exchange of close_notify in `close()`, with what is still to be sent before it; after it the connection is cut. Default 30,000 ms. */
  readonly sslShutdownTimeout?: number | undefined;
}
