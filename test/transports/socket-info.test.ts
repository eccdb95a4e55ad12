import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { tlsExtraInfo } from "#src/transports/socket-info.js";
import { kinds, openPair } from "../support/pairs.js";

for (const kind of kinds) {
  describe(`the extra info "socket" of a connection over ${kind.name}`, () => {
    it("takes the options of TCP, which do nothing over others", async () => {
      await using pair = await openPair(kind);
      const socket = pair.client.writer.getExtraInfo("socket")!;
      socket.setNoDelay();
      socket.setNoDelay(false);
      socket.setKeepAlive();
      socket.setKeepAlive(true, 1_000);
      pair.client.writer.write("still there\n");
      assert.equal((await pair.peer.reader.readline()).toString(), "still there\n");
    });

    it("refuses options of another type", async () => {
      await using pair = await openPair(kind);
      const socket = pair.client.writer.getExtraInfo("socket")!;
      assert.throws(() => socket.setNoDelay(1 as never), TypeError);
      assert.throws(() => socket.setKeepAlive("yes" as never), TypeError);
      assert.throws(() => socket.setKeepAlive(true, -1), RangeError);
    });
  });
}

describe('the extra info "cipher"', () => {
  /** What is told of a connection with this cipher suite. */
  const bitsOf = (name: string): unknown => {
    const socket = { getPeerCertificate: () => null, getCipher: () => ({ name, version: "TLSv1.2" }), alpnProtocol: false };
    return tlsExtraInfo(socket as never, {} as never).cipher?.[2];
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
