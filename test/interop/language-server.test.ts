/** An editor in Python, which starts the language server of `examples/language-server.ts`. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createSubprocessExec, PIPE } from "asyncio-streams/process";
import { exampleCommand } from "../examples/run-example.js";
import { testFile } from "../support/repository.js";
import { findProgram } from "./program.js";

const python = findProgram("python3", "python3");

describe("a language server with an editor in Python", () => {
  it("answers requests of every form, does not answer notifications, and ends at exit", async () => {
    const args = [testFile("interop/language_client.py"), ...exampleCommand("language-server.js"), "--stdio"];
    await using editor = await createSubprocessExec(python, args, { stdout: PIPE });
    const [output] = await editor.communicate(undefined, { timeout: 60_000 });
    const many = Array.from({ length: 200 }, (_, index) => `${index + 5} 2`);
    assert.deepEqual(output.toString().trimEnd().split("\n"), ["1 3", "2 3", "3 20001", "4 -32601", ...many, "3", "b'' 0"]);
    assert.equal(editor.returncode, 0);
  });
});
