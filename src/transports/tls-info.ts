/** Information about the TLS of a secured connection, under Python's extra info keys. */
import type tls from "node:tls";
import type { CipherInfo, ExtraInfo, SSLClient, SSLServer } from "../contracts/extra-info.js";

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
