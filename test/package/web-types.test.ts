/** The installed package beside the declarations of the web, which TypeScript includes without the option `lib`, with every supported compiler. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { compileWith, RESOLUTIONS, TOOLCHAINS, version } from "./compiling.js";

for (const toolchain of TOOLCHAINS) {
  const compiler = version(join(dirname(toolchain.tsc), ".."));
  describe(`the package beside the types of the web, with TypeScript ${compiler}, types of Node ${version(toolchain.types)}`, () => {
    // Without `lib`, TypeScript includes the declarations of the web.
    it("gives bytes that the web takes, and takes its streams", () => {
      const { result } = compileWith(toolchain, ["web.ts"], { ...RESOLUTIONS.nodenext, lib: undefined, types: ["node"] });
      assert.deepEqual(result, { status: 0, stdout: "", stderr: "" });
    });
  });
}
