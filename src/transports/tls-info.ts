/** What a secured connection tells of its TLS: Python's extra info keys. */
import type tls from "node:tls";
import type { CipherInfo, ExtraInfo } from "../contracts/extra-info.js";
import type { SSLClient, SSLServer } from "../contracts/tls.js";

/** The extra info of TLS, as it is after the handshake. */
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

/** Python's `SSLSocket.cipher()`: name, protocol version that defines it, secret bits. Node does not tell the bits; the name does. */
function cipherOf(socket: tls.TLSSocket): CipherInfo {
  const { name, version } = socket.getCipher();
  return [name, version, secretBits(name)];
}

/** The secret bits of a cipher suite, by its name. */
function secretBits(name: string): number {
  if (/CHACHA20/.test(name)) return 256;
  const sized = /(?:AES|ARIA|CAMELLIA)_?(128|192|256)/.exec(name);
  if (sized !== null) return Number(sized[1]);
  if (/DES.*CBC3|3DES/.test(name)) return 112; // three keys of 56 bits, worth two
  if (/SEED|IDEA|RC4/.test(name)) return 128;
  return 0;
}
