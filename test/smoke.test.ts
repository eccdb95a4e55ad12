import "./support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { kinds, openPair } from "./support/pairs.js";

for (const kind of kinds) {
  describe(`smoke over ${kind.name}`, () => {
    it("answers", async () => {
      await using pair = await openPair(kind);
      pair.client.writer.write("hello\n");
      assert.equal((await pair.peer.reader.readline()).toString(), "hello\n");
    });
  });
}
