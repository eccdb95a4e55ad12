/** Commands that somebody in the middle slips in before TLS begins. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { identity } from "../support/certificates.js";
import { kinds, openPair } from "../support/pairs.js";

for (const kind of kinds) {
  describe(`a server that changes over to TLS over ${kind.name}`, () => {
    it("does not take a command in the clear for one that came over TLS", async () => {
      await using pair = await openPair(kind);
      const { reader, writer } = pair.peer;
      pair.client.writer.write("STARTTLS\r\nDELETE everything\r\n");
      assert.equal((await reader.readline()).toString(), "STARTTLS\r\n");
      await assert.rejects(writer.startTls(identity("server")));
      assert.equal(reader.bufferedLength, 0);
      await assert.rejects(reader.readline());
      assert.equal(writer.isClosing(), true);
    });
  });
}
