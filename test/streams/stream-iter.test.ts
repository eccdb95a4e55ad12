/** `StreamReader` with `node:stream/iter`, where the runtime has it. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";

const FLAG = "--experimental-stream-iter";
const skip = process.allowedNodeEnvironmentFlags.has(FLAG) ? false : "this runtime has no node:stream/iter";

describe("node:stream/iter", () => {
  it("reads a StreamReader, and is read by StreamReader.from()", { skip }, () => {
    const script = fileURLToPath(new URL("stream-iter-child.js", import.meta.url));
    const output = execFileSync(process.execPath, [FLAG, "--no-warnings", script], { encoding: "utf8" });
    assert.equal(output, "one, two\nthree, four\n");
  });
});
