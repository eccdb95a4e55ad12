/** The keys of `getExtraInfo()`, which are Python's, the types of their values, and the TLS arguments of the public calls. */
import type tls from "node:tls";
import type { NonSharedUint8Array } from "../base/bytes.js";

/** The address of a Unix socket: a path, `""` if the socket is unnamed. An abstract name has a leading `"\0"`. */
export type UnixSocketAddress = string;

/**
 * The address of a TCP socket, in Python's form: host and port for IPv4; host, port, flow info and scope id (the number of the interface
 * of a link-local address, otherwise 0) for IPv6.
 */
export type IpSocketAddress =
  | readonly [host: string, port: number]
  | readonly [host: string, port: number, flowInfo: number, scopeId: number];

/** The address of a socket, in Python's form: a path for a Unix socket, host and port for TCP. */
export type SocketAddress = UnixSocketAddress | IpSocketAddress;

/**
 * The socket of a connection or a server, for its addresses and options only: the transport reads and writes it. Python's
 * `TransportSocket`.
 */
export interface TransportSocket<Address extends SocketAddress = SocketAddress> {
  /** `"unix"`, `"ipv4"` or `"ipv6"`. */
  readonly family: "unix" | "ipv4" | "ipv6";
  /**
   * Returns the local address.
   *
   * @throws InvalidStateError if the runtime does not know it; the extra info `sockname` is `null` then
   */
  getsockname(): Address;
  /** Returns the peer's address; `null` for a server's socket, and if the peer was gone before its address could be read. */
  getpeername(): Address | null;
  /** Turns Nagle's algorithm off (`true`, the default) or on (`false`). Does nothing on a Unix socket. */
  setNoDelay(noDelay?: boolean): void;
  /**
   * Turns keep-alive probes on (`true`, the default) or off. Does nothing on a Unix socket.
   *
   * @param initialDelay how long the connection is idle before the first probe, in milliseconds: whole seconds up to 32,767,000; 0
   *   (default) leaves the system's setting, usually two hours
   * @param interval how long after one probe the next one follows, in milliseconds: whole seconds up to 32,767,000. Needs Node 26 and an
   *   `initialDelay`. Default: the runtime's, 1,000 ms with an `initialDelay`
   * @param count the number of unanswered probes that end the connection, 1 to 127. Needs Node 26 and an `initialDelay`. Default: the
   *   runtime's, 10 with an `initialDelay`
   * @throws RangeError if a number is out of range or not in whole seconds; TypeError if `interval` or `count` cannot be set
   */
  setKeepAlive(enable?: boolean, initialDelay?: number, interval?: number, count?: number): void;
}

/**
 * A cipher suite in the form of Python's `SSLSocket.cipher()`: its name, the protocol version that defines it, and the number of secret
 * bits.
 */
export type CipherInfo = readonly [name: string, version: string, secretBits: number];

/** The kernel's record of the process at the other end of a Unix socket. See `getPeerCredentials()` of `asyncio-streams/unix`. */
export interface PeerCredentials {
  /** The process ID; `null` if the process is not visible from the PID namespace of this process. */
  readonly pid: number | null;
  /** The effective user ID. */
  readonly uid: number;
  /** The effective group ID. */
  readonly gid: number;
  /** The IDs of the supplementary groups; `null` if the kernel does not report them. */
  readonly groups: readonly number[] | null;
  /** The security label, such as an SELinux context; `null` if the kernel has none. */
  readonly label: string | null;
}

/** The keys of `getExtraInfo()` and the types of their values. */
export interface ExtraInfo {
  /** The peer's address. */
  peername: SocketAddress;
  /** The local address. */
  sockname: SocketAddress;
  /** The socket. */
  socket: TransportSocket;
  /**
   * Unix sockets only, after `loadUnix()` of `asyncio-streams/unix`: the kernel's record of the process that has connected, or of the one
   * that listens. Read when the connection was made.
   */
  peercred: PeerCredentials;
  /** Servers with `proxyProtocol` only: the received header. `"peername"` and `"sockname"` are then the addresses in the header. */
  proxy_header: ProxyHeader;
  /** TLS only: the `ssl` argument of the call that made the connection. */
  sslcontext: SSLClient | SSLServer;
  /** TLS only: the `tls.TLSSocket`, for inspection only: the transport reads and writes it. */
  ssl_object: tls.TLSSocket;
  /** TLS only: the peer's certificate, if it sent one. In Node's form, not Python's. */
  peercert: tls.PeerCertificate;
  /** TLS only: the cipher suite. */
  cipher: CipherInfo;
  /** TLS only: always unknown, because no runtime compresses TLS. */
  compression: string;
  /** TLS only: the protocol negotiated by ALPN. */
  alpn_protocol: string;
  /**
   * TLS in TLS only: the transport of the layer that carries this one, such as the TLS to a proxy. Its extra info describes that layer.
   * Use it for inspection only: it cannot read, write or close.
   */
  outer_transport: ExtraInfoSource;
}

/** An object with extra info. */
export interface ExtraInfoSource {
  /** Returns a fact about the connection; `null` if it is not known. */
  getExtraInfo<Key extends keyof ExtraInfo>(name: Key): ExtraInfo[Key] | null;
}

/* The TLS arguments of the public calls. */

/** TLS for a client: `true` (verify against the platform's trust store), a `SecureContext`, or Node's `tls.ConnectionOptions`. */
export type SSLClient = true | tls.SecureContext | tls.ConnectionOptions;

/** TLS for a server: a `SecureContext` with certificate and key, or Node's `tls.TlsOptions`. */
export type SSLServer = tls.SecureContext | tls.TlsOptions;

/** Time limits of the TLS handshake and shutdown, in milliseconds. */
export interface TlsTimeouts {
  /**
   * The limit of the handshake, after which the connection is aborted. `startTls()` counts it from the call. Default 60,000 ms; `Infinity`:
   * none.
   */
  readonly sslHandshakeTimeout?: number | undefined;
  /**
   * The limit of `close()`, including sending the buffered data and the exchange of close_notify, after which the connection is
   * aborted. Default 30,000 ms; `Infinity`: none.
   */
  readonly sslShutdownTimeout?: number | undefined;
}

/* What the header of the PROXY protocol says about a connection: read by servers, written by clients. */

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
  readonly uniqueId?: NonSharedUint8Array | undefined;
  readonly ssl?:
    | (ProxySsl & {
        /** The client's certificate, in DER. */
        readonly certificate?: NonSharedUint8Array | undefined;
      })
    | undefined;
  readonly tlvs?:
    | readonly (ProxyTlv & {
        /** The bytes of the field. */
        readonly value: NonSharedUint8Array;
      })[]
    | undefined;
  /** The version of the protocol. */
  readonly version: 1 | 2;
  /**
   * `"proxy"`: the connection is made for a client. `"local"`: the proxy speaks for itself, for example in a health check; the header
   * has no further fields then.
   */
  readonly command: "proxy" | "local";
}
