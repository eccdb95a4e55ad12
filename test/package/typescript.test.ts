/**
 * The installed package in TypeScript: compiled by the project's own compiler and by the oldest that is promised to work, with types of old and new
 * Node.js, found in both ways, and beside the declarations of the web also by those between; every declaration is checked (`skipLibCheck: false`). What comes out is run.
 */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { root } from "../support/repository.js";
import { compilers, type Ended, newProject, runAnyhow, runProgram } from "./under-test.js";

const modules = join(root, "node_modules");
const [oldest = "", ...between] = compilers;
const COMPILERS = { new: tscOf(modules), old: tscOf(oldest) };
const TYPES = { new: typesOf(oldest), old: typesOf(modules) };

function tscOf(folder: string): string {
  return join(folder, "typescript", "bin", "tsc");
}

function typesOf(folder: string): string {
  return join(folder, "@types", "node");
}

const RESOLUTIONS = {
  nodenext: { module: "nodenext", moduleResolution: "nodenext" },
  bundler: { module: "esnext", moduleResolution: "bundler" },
};

interface Case {
  readonly compiler: keyof typeof COMPILERS;
  readonly resolution: keyof typeof RESOLUTIONS;
  readonly types: keyof typeof TYPES;
  readonly files: readonly string[];
}

/** A compiler with types of Node, as paths. */
interface Toolchain {
  readonly tsc: string;
  readonly types: string;
}

/**
 * Each compiler with types of Node for which the declarations of the web and those of Node meet. Every compiler and every version of the
 * types is in one.
 */
const TOOLCHAINS: readonly Toolchain[] = [
  { tsc: COMPILERS.new, types: TYPES.new },
  { tsc: COMPILERS.new, types: TYPES.old },
  { tsc: COMPILERS.old, types: TYPES.old },
  ...between.map((folder) => ({ tsc: tscOf(folder), types: typesOf(folder) })),
];

const CASES: readonly Case[] = [
  { compiler: "new", resolution: "nodenext", types: "new", files: ["typed.ts", "using.ts", "required.cts", "imported.cts"] },
  { compiler: "new", resolution: "nodenext", types: "old", files: ["typed.ts", "using.ts", "required.cts"] },
  { compiler: "new", resolution: "bundler", types: "new", files: ["typed.ts", "using.ts"] },
  { compiler: "old", resolution: "nodenext", types: "new", files: ["typed.ts", "using.ts", "imported.cts"] },
  { compiler: "old", resolution: "nodenext", types: "old", files: ["typed.ts", "using.ts", "imported.cts"] },
  { compiler: "old", resolution: "bundler", types: "old", files: ["typed.ts", "using.ts"] },
];

function version(folder: string): string {
  return (JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { version: string }).version;
}

/** Compiles files of a new project, with settings beside those of every strict project. Returns the project. */
function compile({ compiler, resolution, types, files }: Case, settings: object = {}): { directory: string; result: Ended } {
  return compileWith({ tsc: COMPILERS[compiler], types: TYPES[types] }, files, { ...RESOLUTIONS[resolution], ...settings });
}

function compileWith({ tsc, types }: Toolchain, files: readonly string[], settings: object): { directory: string; result: Ended } {
  const directory = newProject();
  mkdirSync(join(directory, "node_modules", "@types"), { recursive: true });
  symlinkSync(types, join(directory, "node_modules", "@types", "node"));
  const strict = { strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, skipLibCheck: false };
  const compilerOptions = {
    target: "es2022",
    lib: ["es2023"],
    rootDir: ".",
    outDir: "out",
    ...strict,
    ...settings,
  };
  writeFileSync(join(directory, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
  return { directory, result: runAnyhow(directory, [process.execPath, tsc]) };
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
