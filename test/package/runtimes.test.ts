/** The installed package at work on each runtime: as an ECMAScript module, from CommonJS, and in TypeScript that is run as it stands. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { newProject, runAnyhow, runProgram, runtimes } from "./under-test.js";

const ENTRIES = ["/", "/framing", "/process", "/testing", "/unix", "/package.json"];

for (const { name, command, project } of runtimes) {
  describe(`the package on ${name}`, () => {
    let directory = "";
    before(() => {
      directory = newProject(project);
    });

    it("can be imported", () => assert.equal(runProgram(directory, command, "esm.mjs"), "HELLO\n"));

    it("can be required", () => assert.equal(runProgram(directory, command, "require.cjs"), "HELLO\n"));

    it("is imported from CommonJS", () => assert.equal(runProgram(directory, command, "import.cjs"), "HELLO\n"));

    it("exports its entries, and no other files", () => {
      const lines = runProgram(directory, command, "entries.cjs").trimEnd().split("\n");
      assert.deepEqual(lines.slice(0, ENTRIES.length), ENTRIES);
      for (const line of lines.slice(ENTRIES.length)) assert.match(line, /^\S+ (ERR_PACKAGE_PATH_NOT_EXPORTED|MODULE_NOT_FOUND)$/);
    });

    it("does nothing when it is loaded", () => assert.equal(runProgram(directory, command, "untouched.mjs"), "untouched\n"));

    it("has the command", () => {
      const file = join(directory, "node_modules/asyncio-streams/dist/command/main.js");
      const { version } = JSON.parse(readFileSync(join(directory, "node_modules/asyncio-streams/package.json"), "utf8")) as {
        version: string;
      };
      assert.deepEqual(runAnyhow(directory, command, file, "--version"), { status: 0, stdout: `${version}\n`, stderr: "" });
      const { status, stdout } = runAnyhow(directory, command, file, "doctor", "--json", "none.sock");
      assert.deepEqual([status, (JSON.parse(stdout) as { state: string }).state], [1, "missing"]);
    });

    // Node 20 does not run TypeScript, Node 22 has no `await using`.
    if (!name.startsWith("node 20")) it("is used from TypeScript", () => assert.equal(runTypeScript("typed.ts"), "HELLO\n"));
    if (!/^node.2[02]/.test(name)) it("is used with `await using`", () => assert.equal(runTypeScript("using.ts"), "HELLO\n"));

    function runTypeScript(file: string): string {
      const quiet = name === "node-22" ? ["--disable-warning=ExperimentalWarning"] : [];
      return runProgram(directory, [...command, ...quiet], file);
    }

    if (name === "deno") {
      it("passes Deno's own check of types", () => {
        const [deno = ""] = command;
        const checked = runAnyhow(directory, [deno, "check", "--quiet"], "typed.ts", "using.ts");
        assert.deepEqual(checked, { status: 0, stdout: "", stderr: "" });
      });
    }
  });
}

describe("the package on a Node.js that cannot require ECMAScript modules", () => {
  const [node] = runtimes;
  const command = [...(node?.command ?? []), "--no-experimental-require-module"];

  it("is not required, and the error says so", () => {
    const { status, stderr } = runAnyhow(newProject(), command, "require.cjs");
    assert.notEqual(status, 0);
    assert.match(stderr, /ERR_REQUIRE_ESM/);
  });

  it("is imported from CommonJS", () => assert.equal(runProgram(newProject(), command, "import.cjs"), "HELLO\n"));
});
