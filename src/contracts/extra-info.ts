/** What `getExtraInfo()` can tell of a connection: the keys are Python's, each with its type. */

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

/** The types behind the keys of `getExtraInfo()`. */
export interface ExtraInfo {
  /** The peer's address. */
  peername: SocketAddress;
  /** Our own address. */
  sockname: SocketAddress;
  /** The socket. */
  socket: TransportSocket;
}
