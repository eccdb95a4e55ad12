/** What the header of the PROXY protocol says about a connection: read by servers, written by clients. */
import type { SocketAddress } from "./extra-info.js";

/** A field of a version 2 header whose type is not registered. */
export interface ProxyTlv {
  /** The type, 0 to 255. Types 0xE0 to 0xEF are for private use, 0xF0 to 0xF7 for experiments. */
  readonly type: number;
  /** The value. */
  readonly value: Uint8Array;
}

/** The TLS connection between the client and the proxy. */
export interface ProxySsl {
  /** Whether the client used TLS. */
  readonly secured: boolean;
  /** Whether the client presented a certificate on this connection. */
  readonly certOnConnection: boolean;
  /** Whether the client presented a certificate at least once in the TLS session, which may span several connections. */
  readonly certInSession: boolean;
  /** OpenSSL's result of the verification. 0 also if the client presented no certificate: see `verified`. */
  readonly verify: number;
  /** Whether the client presented a certificate, and the proxy verified it. */
  readonly verified?: boolean | undefined;
  /** The version of TLS, such as `"TLSv1.3"`. */
  readonly version?: string | undefined;
  /** The common name of the client's certificate. */
  readonly commonName?: string | undefined;
  /** The cipher. */
  readonly cipher?: string | undefined;
  /** The algorithm that signed the certificate that the proxy presented. */
  readonly signatureAlgorithm?: string | undefined;
  /** The algorithm of the key of the certificate that the proxy presented. */
  readonly keyAlgorithm?: string | undefined;
  /** The key exchange group. */
  readonly group?: string | undefined;
  /** The signature scheme. */
  readonly signatureScheme?: string | undefined;
  /** The client's certificate, in DER. */
  readonly certificate?: Uint8Array | undefined;
}

/** The fields of a header that both directions share. A missing field was not sent. */
export interface ProxyFields {
  /** What the client's connection is: `"stream"` for TCP, `"datagram"` for UDP. */
  readonly transport?: "stream" | "datagram" | undefined;
  /** The client's address. */
  readonly source?: SocketAddress | undefined;
  /** The address that the client connected to. */
  readonly destination?: SocketAddress | undefined;
  /** The application protocol, such as `"h2"`. */
  readonly alpn?: string | undefined;
  /** The host name that the client asked for: over TLS, the SNI name. */
  readonly authority?: string | undefined;
  /** An identifier of the connection that the first proxy has chosen; at most 128 bytes. */
  readonly uniqueId?: Uint8Array | undefined;
  /** The TLS connection between the client and the proxy. */
  readonly ssl?: ProxySsl | undefined;
  /** The name of the network namespace of the client's connection. */
  readonly netns?: string | undefined;
  /** All other fields, in order. */
  readonly tlvs?: readonly ProxyTlv[] | undefined;
}

/** A header of the PROXY protocol that a server has received: `getExtraInfo("proxy_header")`. */
export interface ProxyHeader extends ProxyFields {
  /** The version of the protocol. */
  readonly version: 1 | 2;
  /**
   * `"proxy"`: the connection is made for a client. `"local"`: the proxy speaks for itself, for example in a health check; the header
   * has no further fields then.
   */
  readonly command: "proxy" | "local";
}
