/** What `getExtraInfo()` can tell of a connection: the keys are Python's, each with its type. */
import type tls from "node:tls";
import type { SSLClient, SSLServer } from "./tls.js";

/**
 * Where a socket is. Python's address forms: a path for a Unix socket (`""` if it has no name, a leading `"\0"` for an abstract one), host and port
 * for IPv4, host, port, flow info and scope id for IPv6.
 */
export type SocketAddress =
  | string
  | readonly [host: string, port: number]
  | readonly [host: string, port: number, flowInfo: number, scopeId: number];

/** The socket of a connection or a server, for looking and for its options; reading and writing it is the transport's. Python's `TransportSocket`. */
export interface TransportSocket {
  /** `"unix"`, `"ipv4"` or `"ipv6"`. */
  readonly family: "unix" | "ipv4" | "ipv6";
  /** Our address. */
  getsockname(): SocketAddress;
  /** The peer's address; `null` for a server's socket. */
  getpeername(): SocketAddress | null;
  /** Switches Nagle's algorithm off (`true`) or on. Does nothing on a Unix socket. */
  setNoDelay(noDelay?: boolean): void;
  /** Switches keep-alive probes on or off, the first after `initialDelay` milliseconds (0: the system's own). Does nothing on a Unix socket. */
  setKeepAlive(enable?: boolean, initialDelay?: number): void;
}

/** A cipher suite as Python's `SSLSocket.cipher()` has it: its name, the protocol version that defines it, and how many of its bits are secret. */
export type CipherInfo = readonly [name: string, version: string, secretBits: number];

/** The types behind the keys of `getExtraInfo()`. */
export interface ExtraInfo {
  /** The peer's address. */
  peername: SocketAddress;
  /** Our own address. */
  sockname: SocketAddress;
  /** The socket. */
  socket: TransportSocket;
  /** TLS only: the `ssl` that was given. */
  sslcontext: SSLClient | SSLServer;
  /** TLS only: the `tls.TLSSocket`, for looking; reading and writing it is the transport's. */
  ssl_object: tls.TLSSocket;
  /** TLS only: the peer's certificate, if it showed one. In Node's form, not Python's. */
  peercert: tls.PeerCertificate;
  /** TLS only: the cipher suite. */
  cipher: CipherInfo;
  /** TLS only, and never known: no runtime compresses TLS. */
  compression: string;
  /** TLS only: the protocol agreed on by ALPN. */
  alpn_protocol: string;
}
