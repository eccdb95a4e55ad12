/**
 * The installed package in TypeScript: compiled by the project's own compiler and by the oldest that is promised to work, with types of old and new
 * Node.js, found in both ways; every declaration is checked (`skipLibCheck: false`). What comes out is run.
 */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { cpSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { COMPILERS, compileWith, RESOLUTIONS, TYPES, version } from "./compiling.js";
import { type Ended, newProject, runAnyhow, runProgram } from "./under-test.js";

interface Case {
  readonly compiler: keyof typeof COMPILERS;
  readonly resolution: keyof typeof RESOLUTIONS;
  readonly types: keyof typeof TYPES;
  readonly files: readonly string[];
}

const CASES: readonly Case[] = [
  { compiler: "new", resolution: "nodenext", types: "new", files: ["typed.ts", "using.ts", "required.cts", "imported.cts"] },
  { compiler: "new", resolution: "nodenext", types: "old", files: ["typed.ts", "using.ts", "required.cts"] },
  { compiler: "new", resolution: "bundler", types: "new", files: ["typed.ts", "using.ts"] },
  { compiler: "old", resolution: "nodenext", types: "new", files: ["typed.ts", "using.ts", "imported.cts"] },
  { compiler: "old", resolution: "nodenext", types: "old", files: ["typed.ts", "using.ts", "imported.cts"] },
  { compiler: "old", resolution: "bundler", types: "old", files: ["typed.ts", "using.ts"] },
];

/** Compiles files of a new project, with settings beside those of every strict project. Returns the project. */
function compile({ compiler, resolution, types, files }: Case, settings: object = {}): { directory: string; result: Ended } {
  return compileWith({ tsc: COMPILERS[compiler], types: TYPES[types] }, files, { ...RESOLUTIONS[resolution], ...settings });
}

for (const one of CASES) {
  const compiler = version(join(dirname(COMPILERS[one.compiler]), ".."));
  describe(`the package with TypeScript ${compiler}, ${one.resolution}, types of Node ${version(TYPES[one.types])}`, () => {
    it(`is used from ${one.files.join(", ")}`, () => {
      const { directory, result } = compile(one);
      assert.deepEqual(result, { status: 0, stdout: "", stderr: "" });
      for (const file of one.files) {
        const output = join("out", file.replace(/ts$/, "js"));
        assert.equal(runProgram(directory, [process.execPath], output), "HELLO\n", output);
      }
    });
  });
}

describe("the package's declarations", () => {
  const one: Case = { compiler: "new", resolution: "nodenext", types: "old", files: ["typed.ts"] };

  it("are compared with the program: a wrong one is found", () => {
    const directory = newProject();
    rmSync(join(directory, "node_modules", "asyncio-streams", "dist", "streams", "reader.d.ts"));
    cpSync(TYPES.old, join(directory, "node_modules", "@types", "node"), { recursive: true });
    const compilerOptions = { strict: true, noEmit: true, module: "nodenext", target: "es2022", skipLibCheck: false };
    writeFileSync(join(directory, "tsconfig.json"), JSON.stringify({ compilerOptions, files: one.files }));
    const { status, stdout } = runAnyhow(directory, [process.execPath, COMPILERS.new]);
    assert.notEqual(status, 0);
    assert.match(stdout, /streams\/reader/);
  });

  it("bring the types of Node with them, where the project does not name them", () => {
    const { result } = compile(one, { types: [] });
    assert.deepEqual(result, { status: 0, stdout: "", stderr: "" });
  });
});
