/** The extra info of a connection: addresses in Python's form, the `TransportSocket` behind `"socket"`, and the keys of TLS. */
import type tls from "node:tls";
import { checkBoolean, checkInteger } from "../base/arguments.js";
import type { CipherInfo, ExtraInfo, SocketAddress, SSLClient, SSLServer, TransportSocket } from "../contracts/extra-info.js";
import type { SocketInfo, Wire } from "./wire.js";

/** The addresses of a Unix socket. Node does not know them for a connection, so the code that creates the socket passes them. */
export interface UnixNames {
  readonly sockname: string;
  readonly peername: string;
}

/** Returns an IP address in Python's form. */
export function ipAddress(host: string, port: number): SocketAddress {
  return host.includes(":") ? [host, port, 0, 0] : [host, port];
}

/** The `TransportSocket` of a connected socket. */
export class ConnectedSocket implements TransportSocket {
  /** `null` for a Unix socket, which has no such properties. */
  readonly #facts: SocketInfo | null;
  /** Read immediately: Node forgets the addresses when the socket closes, which is when logs need them most. */
  readonly #names: { readonly sockname: SocketAddress; readonly peername: SocketAddress };

  /** @param unixNames the names of a Unix socket; `null` for TCP */
  constructor(socket: Pick<Wire, "facts">, unixNames: UnixNames | null) {
    this.#facts = unixNames === null ? socket.facts : null;
    this.#names = unixNames ?? {
      sockname: ipAddress(this.#facts?.localAddress ?? "", this.#facts?.localPort ?? 0),
      peername: ipAddress(this.#facts?.remoteAddress ?? "", this.#facts?.remotePort ?? 0),
    };
  }

  get family(): TransportSocket["family"] {
    if (this.#facts === null) return "unix";
    return this.#names.peername[0]?.includes(":") ? "ipv6" : "ipv4";
  }

  getsockname(): SocketAddress {
    return this.#names.sockname;
  }

  getpeername(): SocketAddress {
    return this.#names.peername;
  }

  setNoDelay(noDelay: boolean = true): void {
    checkBoolean("noDelay", noDelay);
    this.#facts?.setNoDelay(noDelay);
  }

  setKeepAlive(enable: boolean = true, initialDelay: number = 0): void {
    checkBoolean("enable", enable);
    checkInteger("initialDelay", initialDelay, 0);
    this.#facts?.setKeepAlive(enable, initialDelay);
  }
}

/* Information about the TLS of a secured connection, under Python's extra info keys. */

/** Returns the extra info of TLS after the handshake. */
export function tlsExtraInfo(socket: tls.TLSSocket, ssl: SSLClient | SSLServer): Partial<ExtraInfo> {
  const peercert = socket.getPeerCertificate();
  const hasPeercert = peercert !== null && typeof peercert === "object" && Object.keys(peercert).length > 0;
  return {
    sslcontext: ssl,
    ssl_object: socket,
    cipher: cipherOf(socket),
    ...(hasPeercert ? { peercert } : {}),
    ...(typeof socket.alpnProtocol === "string" ? { alpn_protocol: socket.alpnProtocol } : {}),
  };
}

/**
 * Returns the cipher as Python's `SSLSocket.cipher()` does: name, protocol version that defines it, secret bits. Node does not report the
 * bits, so they are derived from the name.
 */
function cipherOf(socket: tls.TLSSocket): CipherInfo {
  const { name, version } = socket.getCipher();
  return [name, version, secretBits(name)];
}

/** Returns the number of secret bits of a cipher suite, derived from its name. */
function secretBits(name: string): number {
  if (/CHACHA20/.test(name)) return 256;
  const sized = /(?:AES|ARIA|CAMELLIA)_?(128|192|256)/.exec(name);
  if (sized !== null) return Number(sized[1]);
  if (/DES.*CBC3|3DES/.test(name)) return 112; // three keys of 56 bits, as strong as two
  if (/SEED|IDEA|RC4/.test(name)) return 128;
  return 0;
}
