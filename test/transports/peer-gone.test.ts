/** What cannot be found out does not count as gone. How it goes with real clients is in `test/net/max-connections.test.ts`. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { closeSync, openSync } from "node:fs";
import { describe, it } from "node:test";
import { isPeerGone } from "#src/transports/socket-probes.js";

describe("isPeerGone()", () => {
  it("is false for a handle without a descriptor", () => {
    for (const handle of [5, {}, { fd: -1 }, { fd: "3" }]) assert.equal(isPeerGone(handle), false);
  });

  it("is true if the socket has no handle any more", () => {
    for (const handle of [null, undefined]) assert.equal(isPeerGone(handle), true);
  });

  it("is false if the descriptor is closed, or belongs to a file that may not be written", () => {
    const fd = openSync(process.execPath, "r");
    assert.equal(isPeerGone({ fd }), false);
    closeSync(fd);
    assert.equal(isPeerGone({ fd }), false);
  });

  it("is false if the test itself throws", () => {
    const handle = {
      get fd(): number {
        throw new Error("no");
      },
    };
    assert.equal(isPeerGone(handle), false);
  });
});
