/** The TLS arguments of the public calls. */
import type tls from "node:tls";

/** TLS for a client: `true` (verify against the platform's trust store), a `SecureContext`, or Node's `tls.ConnectionOptions`. */
export type SSLClient = true | tls.SecureContext | tls.ConnectionOptions;

/** TLS for a server: a `SecureContext` with certificate and key, or Node's `tls.TlsOptions`. */
export type SSLServer = tls.SecureContext | tls.TlsOptions;

/** Time limits of the TLS handshake and shutdown, in milliseconds. */
export interface TlsTimeouts {
  /** The limit of the handshake, after which the connection is aborted. Default 60,000 ms. */
  readonly sslHandshakeTimeout?: number | undefined;
  /**
   * The limit of `close()`, including sending the buffered data and the exchange of close_notify, after which the connection is
   * aborted. Default 30,000 ms.
   */
  readonly sslShutdownTimeout?: number | undefined;
}
