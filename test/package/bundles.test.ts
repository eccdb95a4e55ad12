/** The installed package in a bundle of each format, run by Node. A bundle in CommonJS has no `import.meta.url`. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { build } from "esbuild";
import { newProject, runAnyhow } from "./under-test.js";

const PROGRAM = `
import { openUnixConnection, startUnixServer } from "asyncio-streams";
async function main() {
  const server = await startUnixServer(async (reader, writer) => {
    writer.write(String(await reader.readline()).toUpperCase());
    writer.close();
  }, "bundle.sock");
  const [reader, writer] = await openUnixConnection("bundle.sock");
  writer.write("hello\\n");
  console.log(String(await reader.readline()).trim());
  writer.close();
  await server.shutdown();
}
void main();
`;

describe("a bundle", () => {
  for (const format of ["esm", "cjs"] as const) {
    for (const debug of ["", "1"]) {
      it(`works as ${format}${debug === "" ? "" : ", in debug mode"}`, async () => {
        const directory = newProject();
        const file = format === "cjs" ? "bundle.cjs" : "bundle.mjs";
        const stdin = { contents: PROGRAM, resolveDir: directory };
        const { outputFiles, warnings } = await build({ stdin, bundle: true, minify: true, format, platform: "node", write: false });
        assert.deepEqual(warnings, []);
        writeFileSync(join(directory, file), outputFiles[0]?.contents ?? "");
        const command = ["env", `ASYNCIO_STREAMS_DEBUG=${debug}`, process.execPath];
        const { status, stdout, stderr } = runAnyhow(directory, command, file);
        assert.deepEqual([status, stdout], [0, "HELLO\n"], stderr);
        // The debug mode may report slow callbacks on a busy machine.
        if (debug === "") assert.equal(stderr, "");
      });
    }
  }
});
