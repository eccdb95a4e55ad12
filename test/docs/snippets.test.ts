/**
 * The code in the documentation: every `ts` block compiles against the built types, and those marked `ts run` (and `python run`) run.
 *
 * - A block with an `import` is a module as it stands. Others get PRELUDE, which declares what such a piece of code talks of, and may use all that the
 *   library exports.
 * - A block that runs does so in an empty directory of its own, says nothing on stderr and leaves nothing behind. If a `text` block follows it, that is
 *   what it prints. A block marked `ts run certificates` finds the certificates of the tests there: server.pem, server.key.pem, client.pem, ca.pem.
 */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, it } from "node:test";
import * as api from "asyncio-streams";
import { certificateFile, keyFile } from "../support/certificates.js";
import { runtime } from "../support/runtime.js";
import { temporaryDirectory } from "../support/temporary.js";
import { type CodeBlock, documents, readMarkdown, root } from "./markdown.js";

const PRELUDE = `
import { readFileSync } from "node:fs";
import { ${Object.keys(api).join(", ")} } from "asyncio-streams";
import type { ClientConnectedCallback, Protocol, Server, Transport } from "asyncio-streams";
declare const reader: StreamReader;
declare const writer: StreamWriter;
declare const transport: Transport;
declare const server: Server;
declare const signal: AbortSignal;
declare const serveClient: ClientConnectedCallback;
`;

interface Snippet extends CodeBlock {
  /** The document and the line, for the test's name. */
  readonly where: string;
  /** The file, without its extension. */
  readonly file: string;
  /** What it has to print; `null` if that is not told. */
  readonly prints: string | null;
}

const snippets: Snippet[] = documents().flatMap((path) => {
  const { blocks } = readMarkdown(path);
  return blocks.map((block, index): Snippet => {
    const next = blocks[index + 1];
    const nextFollows = next?.info === "text" && next.line - block.line - block.code.split("\n").length <= 4;
    const file = `${path.replace(/\W+/g, "-")}-${block.line}`;
    return { ...block, where: `${path}:${block.line}`, file, prints: nextFollows ? next.code : null };
  });
});
const typescript = snippets.filter(({ info }) => /^ts\b/.test(info));
const directory = join(root, "build", "snippets");

function writeSnippets(): void {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  for (const { file, code } of typescript) {
    const isModule = /^import /m.test(code);
    const wrapped = `${PRELUDE}export async function snippet(): Promise<unknown> {\n${code}return;\n}\n`;
    writeFileSync(join(directory, `${file}.ts`), isModule ? code : wrapped);
  }
  const compilerOptions = { composite: false, declaration: false, sourceMap: false, isolatedDeclarations: false };
  const lenient = { noUnusedLocals: false, noUnusedParameters: false, noImplicitReturns: false };
  writeFileSync(
    join(directory, "tsconfig.json"),
    JSON.stringify({
      extends: "../../tsconfig.base.json",
      compilerOptions: { ...compilerOptions, ...lenient, allowUnreachableCode: true, rootDir: ".", outDir: "out" },
      include: ["*.ts"],
    }),
  );
}

function compile(): SpawnSyncReturns<string> {
  writeSnippets();
  return spawnSync(process.execPath, [join(root, "node_modules", "typescript", "bin", "tsc"), "-p", directory], { encoding: "utf8" });
}

const CERTIFICATES = ["server", "client", "ca"] as const;

function run(command: string, args: readonly string[], { info, prints }: Snippet): void {
  const cwd = temporaryDirectory();
  const lent = info === "ts run certificates" ? CERTIFICATES.flatMap((name) => [certificateFile(name), keyFile(name)]) : [];
  for (const file of lent) copyFileSync(file, join(cwd, basename(file)));
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: "utf8", timeout: 30_000 });
  assert.equal(error, undefined);
  assert.equal(stderr, "");
  assert.equal(status, 0);
  if (prints !== null) assert.equal(stdout, prints);
  // Python leaves its socket file, before 3.13.
  if (command === "python3") for (const name of readdirSync(cwd)) rmSync(join(cwd, name));
  for (const file of lent) rmSync(join(cwd, basename(file)));
  assert.deepEqual(readdirSync(cwd), [], "files are left");
}

// The documentation is the same everywhere, and the compiler is a program for Node.
const onNode = { skip: runtime === "node" ? false : "the documentation is checked on Node" };
const hasPython = spawnSync("python3", ["--version"]).status === 0;

describe("code in the documentation", () => {
  const compiled = runtime === "node" ? compile() : null;

  it("is there", onNode, () => {
    assert.ok(typescript.length > 20, `only ${typescript.length} blocks were found`);
  });

  it("compiles", onNode, () => {
    assert.equal(compiled?.stdout, "");
    assert.equal(compiled?.status, 0);
  });

  for (const snippet of typescript.filter(({ info }) => /^ts run\b/.test(info))) {
    it(`runs: ${snippet.where}`, onNode, () => run(process.execPath, [join(directory, "out", `${snippet.file}.js`)], snippet));
  }

  for (const snippet of snippets.filter(({ info }) => info === "python run")) {
    const skip = onNode.skip || (hasPython ? false : "there is no python3");
    it(`runs in Python: ${snippet.where}`, { skip }, () => run("python3", ["-c", snippet.code], snippet));
  }
});
