/**
 * `TlsInfo`: the extra info of a secured connection, under Python's keys.
 *
 * The cipher suite and the peer's certificate are read at the end of the handshake. The TLS engine forgets them when the socket closes,
 * which may happen at any time, and a log of a lost connection needs them most. Everything else is computed when it is asked for.
 */
import type tls from "node:tls";
import type { CipherInfo, ExtraInfo, ExtraInfoSource, SSLClient, SSLServer } from "../contracts/extra-info.js";

export class TlsInfo {
  readonly #socket: tls.TLSSocket;
  readonly #ssl: SSLClient | SSLServer;
  readonly #outer: ExtraInfoSource | undefined;
  readonly #suite: tls.CipherNameAndProtocol;
  readonly #certificate: Partial<tls.PeerCertificate> | null;
  #cipher: CipherInfo | undefined;

  /**
   * @param socket a socket whose handshake has just completed
   * @param outer TLS in TLS: the transport of the layer below
   */
  constructor(socket: tls.TLSSocket, ssl: SSLClient | SSLServer, outer?: ExtraInfoSource) {
    this.#socket = socket;
    this.#ssl = ssl;
    this.#outer = outer;
    this.#suite = socket.getCipher();
    this.#certificate = socket.getPeerCertificate() as Partial<tls.PeerCertificate> | null;
  }

  /** Returns the value of a key; `undefined` if it is not known. */
  get(name: string): ExtraInfo[keyof ExtraInfo] | undefined {
    switch (name) {
      case "sslcontext":
        return this.#ssl;
      case "ssl_object":
        return this.#socket;
      case "cipher":
        return (this.#cipher ??= cipherInfo(this.#suite));
      case "peercert":
        return isEmpty(this.#certificate) ? undefined : (this.#certificate as tls.PeerCertificate);
      case "alpn_protocol":
        return typeof this.#socket.alpnProtocol === "string" ? this.#socket.alpnProtocol : undefined;
      case "outer_transport":
        return this.#outer;
      default:
        return undefined;
    }
  }
}

/** Whether the peer has sent no certificate. Node: `{}`, or `null`. */
function isEmpty(certificate: object | null | undefined): boolean {
  return typeof certificate !== "object" || certificate === null || Object.keys(certificate).length === 0;
}

/**
 * Returns the cipher as Python's `SSLSocket.cipher()` does: name, protocol version that defines it, secret bits. Node does not report the
 * bits, so they are derived from the name.
 */
function cipherInfo({ name, version }: tls.CipherNameAndProtocol): CipherInfo {
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
