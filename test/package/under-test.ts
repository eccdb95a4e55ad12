/** The package as it was packed and installed by `scripts/test-package.mjs`, and how the tests run programs that use it. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { testFile } from "../support/repository.js";
import { socketPath, temporaryDirectory } from "../support/temporary.js";

interface Described {
  readonly tarball: string;
  readonly runtimes: readonly { readonly name: string; readonly binary: string }[];
  readonly compilers: readonly string[];
}

const folder = process.env["PACKAGE_UNDER_TEST"];
if (folder === undefined) throw new Error("these tests are run by: npm run test:package");
const described = JSON.parse(readFileSync(join(folder, "package-under-test.json"), "utf8")) as Described;

/** The packed file. */
export const tarball: string = described.tarball;

/** The package, unpacked by npm. */
export const installed: string = join(folder, "npm", "node_modules", "asyncio-streams");

/** The other versions of TypeScript that are promised to work, oldest first: `node_modules` with a compiler and types of Node. */
export const compilers: readonly string[] = described.compilers;

/** The runtimes, this Node.js first: how to run a file on each. */
export const runtimes: readonly { readonly name: string; readonly command: readonly string[]; readonly project: "npm" | "bun" }[] = [
  { name: `node ${process.versions.node}`, command: [process.execPath], project: "npm" },
  ...described.runtimes.map(({ name, binary }) => ({
    name,
    command: name === "deno" ? [binary, "run", "--quiet", "--allow-all"] : [binary],
    project: name === "bun" ? ("bun" as const) : ("npm" as const),
  })),
];

/** A new project into which the package is installed, by npm or Bun, with all the consumers. */
export function newProject(installer: "npm" | "bun" = "npm"): string {
  const directory = temporaryDirectory();
  cpSync(join(folder as string, installer), directory, { recursive: true });
  cpSync(testFile("package/consumers"), directory, { recursive: true });
  return directory;
}

/** Runs a program with a path for its socket. It has to end well, and to say nothing on stderr. */
export function runProgram(cwd: string, command: readonly string[], ...args: readonly string[]): string {
  const result = runAnyhow(cwd, command, ...args, socketPath());
  assert.equal(result.stderr, "");
  assert.equal(result.status, 0);
  return result.stdout;
}

/** Runs a program that may fail. */
export function runAnyhow(cwd: string, [program = "", ...before]: readonly string[], ...args: readonly string[]): Ended {
  const env = { ...process.env, NO_COLOR: "1", NODE_OPTIONS: "" };
  const { error, status, stdout, stderr } = spawnSync(program, [...before, ...args], { cwd, env, encoding: "utf8", timeout: 120_000 });
  if (error !== undefined) throw error;
  return { status, stdout, stderr };
}

/** What came of a program. */
export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** All files in the installed package, as paths from its folder. */
export function installedFiles(): string[] {
  return readdirSync(installed, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(installed.length + 1));
}
