/** The extra info of TLS that is derived from what the runtime says. See test/tls/extra-info.test.ts for real connections. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { CipherInfo } from "asyncio-streams";
import { TlsInfo } from "#src/transports/tls-info.js";

describe('the extra info "cipher"', () => {
  /** What is told of a connection with this cipher suite. */
  const bitsOf = (name: string): unknown => {
    const socket = { getPeerCertificate: () => null, getCipher: () => ({ name, version: "TLSv1.2" }), alpnProtocol: false };
    return (new TlsInfo(socket as never, {} as never).get("cipher") as CipherInfo)[2];
  };

  for (const [name, bits] of [
    ["TLS_AES_128_GCM_SHA256", 128],
    ["ECDHE-RSA-AES256-GCM-SHA384", 256],
    ["TLS_CHACHA20_POLY1305_SHA256", 256],
    ["DES-CBC3-SHA", 112],
    ["SEED-SHA", 128],
    ["NULL-SHA", 0],
  ] as const) {
    it(`has ${bits} secret bits for ${name}`, () => {
      assert.equal(bitsOf(name), bits);
    });
  }
});
