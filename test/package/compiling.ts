/** The compilers that the package is tried with, and how a project that uses it is compiled. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../support/repository.js";
import { compilers, type Ended, newProject, runAnyhow } from "./under-test.js";

const modules = join(root, "node_modules");
const [oldest = "", ...between] = compilers;
export const COMPILERS = { new: tscOf(modules), old: tscOf(oldest) };
export const TYPES = { new: typesOf(oldest), old: typesOf(modules) };

function tscOf(folder: string): string {
  return join(folder, "typescript", "bin", "tsc");
}

function typesOf(folder: string): string {
  return join(folder, "@types", "node");
}

export const RESOLUTIONS = {
  nodenext: { module: "nodenext", moduleResolution: "nodenext" },
  bundler: { module: "esnext", moduleResolution: "bundler" },
};

/** A compiler with types of Node, as paths. */
export interface Toolchain {
  readonly tsc: string;
  readonly types: string;
}

/**
 * Each compiler with types of Node for which the declarations of the web and those of Node meet. Every compiler and every version of the
 * types is in one.
 */
export const TOOLCHAINS: readonly Toolchain[] = [
  { tsc: COMPILERS.new, types: TYPES.new },
  { tsc: COMPILERS.new, types: TYPES.old },
  { tsc: COMPILERS.old, types: TYPES.old },
  ...between.map((folder) => ({ tsc: tscOf(folder), types: typesOf(folder) })),
];

/** The version of a package that is installed in a folder. */
export function version(folder: string): string {
  return (JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { version: string }).version;
}

/** Compiles files of a new project, with settings beside those of every strict project. Returns the project. */
export function compileWith({ tsc, types }: Toolchain, files: readonly string[], settings: object): { directory: string; result: Ended } {
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
