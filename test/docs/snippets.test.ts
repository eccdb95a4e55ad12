/**
 * The code in the documentation: every `ts` block compiles against the built types, and runs (and so does `python run`). The examples in docstrings compile.
 *
 * - A block with an `import` is a module as it stands. Others get a prelude: such a piece of code may use all that the library exports, and talks of
 *   streams, servers and files that `world.ts` has for it.
 * - A block that runs does so in an empty directory of its own, says nothing on stderr and leaves nothing behind. If a `text` block follows it, that is
 *   what it prints. A block marked `ts run certificates` finds the certificates of the tests there: server.pem, server.key.pem, client.pem, ca.pem.
 * - A block marked `ts compiled` leaves out something that only its reader has: it is not run. One marked `ts redis` is run in `test/interop/`.
 */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { execFile, type SpawnSyncReturns, spawnSync } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import * as api from "asyncio-streams";
import * as framing from "asyncio-streams/framing";
import * as subprocess from "asyncio-streams/process";
import * as testing from "asyncio-streams/testing";
import * as unix from "asyncio-streams/unix";
import { certificateFile, keyFile } from "../support/certificates.js";
import { type Need, needs } from "../support/needs.js";
import { findPython } from "../support/python.js";
import { root } from "../support/repository.js";
import { runtime } from "../support/runtime.js";
import { temporaryDirectory } from "../support/temporary.js";
import { docstringModules } from "./docstrings.js";
import { type CodeBlock, documents, readMarkdown } from "./markdown.js";

/** What the world has in place of the library's own. */
const REPLACED = ["openConnection", "openUnixConnection", "startServer", "startUnixServer", "openFdConnection", "startFdServer"];

/** A piece of code as a module that runs in a world of its own. */
function inWorld(code: string): string {
  return `
import { ${Object.keys(api)
    .filter((name) => !REPLACED.includes(name))
    .join(", ")} } from "asyncio-streams";
import { ${Object.keys(unix)
    .filter((name) => !REPLACED.includes(name) && !(name in api))
    .join(", ")} } from "asyncio-streams/unix";
import { makeWorld } from "../test/docs/world.js";
const world = await makeWorld(${code.includes("startTls(")});
const { reader, writer, transport, server, signal, serveClient, readFileSync } = world;
const { ${REPLACED.join(", ")} } = world;
await world.run(async (): Promise<unknown> => {
${code}return;
});
`;
}

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

/** What each entry of the package exports. */
const ENTRIES = {
  "asyncio-streams": Object.keys(api),
  "asyncio-streams/framing": Object.keys(framing),
  "asyncio-streams/process": Object.keys(subprocess),
  "asyncio-streams/testing": Object.keys(testing),
  "asyncio-streams/unix": Object.keys(unix).filter((name) => !(name in api)),
};

function writeSnippets(): void {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  for (const { file, code } of typescript) {
    const isModule = /^import /m.test(code);
    writeFileSync(join(directory, `${file}.ts`), isModule ? code : inWorld(code));
  }
  for (const [name, code] of docstringModules(ENTRIES)) {
    writeFileSync(join(directory, `${name}.ts`), code);
  }
  const compilerOptions = { composite: false, declaration: false, sourceMap: false, isolatedDeclarations: false };
  const lenient = { noUnusedLocals: false, noUnusedParameters: false, noImplicitReturns: false };
  writeFileSync(
    join(directory, "tsconfig.json"),
    JSON.stringify({
      extends: "../../tsconfig.base.json",
      compilerOptions: { ...compilerOptions, ...lenient, allowUnreachableCode: true, rootDir: "." },
      include: ["*.ts"],
    }),
  );
}

function compile(): SpawnSyncReturns<string> {
  writeSnippets();
  return spawnSync(process.execPath, [join(root, "node_modules", "typescript", "bin", "tsc"), "-p", directory], { encoding: "utf8" });
}

const CERTIFICATES = ["server", "client", "ca"] as const;

/** Much more than any of it needs, in milliseconds. */
const TIME_LIMIT_MS = 60_000;

/** So many run at a time: most of them wait. */
const AT_A_TIME = 4;

/** Pieces of code that print, or warn, whatever the world makes them; the others are programs that say what they do. */
function isPiece({ info }: Snippet): boolean {
  return info === "ts";
}

async function run(command: string, args: readonly string[], snippet: Snippet): Promise<void> {
  const { info, prints } = snippet;
  const cwd = temporaryDirectory();
  const lent =
    info === "ts run certificates" || isPiece(snippet) ? CERTIFICATES.flatMap((name) => [certificateFile(name), keyFile(name)]) : [];
  for (const file of lent) copyFileSync(file, join(cwd, basename(file)));
  const child = execFile(command, args, { cwd, timeout: TIME_LIMIT_MS });
  child.stdin?.end();
  const [stdout, stderr, [status]] = await Promise.all([
    text(child.stdout as Readable),
    text(child.stderr as Readable),
    once(child, "close"),
  ]);
  if (!isPiece(snippet) || status !== 0) assert.equal(stderr, "");
  assert.equal(status, 0);
  if (prints !== null) assert.equal(stdout, prints);
  // Python leaves its socket file, before 3.13.
  if (command === python.binary) for (const name of readdirSync(cwd)) rmSync(join(cwd, name));
  for (const file of lent) rmSync(join(cwd, basename(file)));
  assert.deepEqual(readdirSync(cwd), [], "files are left");
}

// The documentation is the same everywhere, and the compiler is a program for Node.
const onNode: Need = { skip: runtime === "node" ? false : "the documentation is checked on Node" };
const python = findPython();

describe("code in the documentation", { concurrency: AT_A_TIME }, () => {
  const compiled = runtime === "node" ? compile() : null;

  it("is there", onNode, () => {
    assert.ok(typescript.length > 20, `only ${typescript.length} blocks were found`);
  });

  it("compiles", onNode, () => {
    assert.equal(compiled?.stdout, "");
    assert.equal(compiled?.status, 0);
  });

  it("has only known kinds of blocks", onNode, () => {
    const kinds = new Set(typescript.map(({ info }) => info));
    assert.deepEqual([...kinds].toSorted(), ["ts", "ts compiled", "ts redis", "ts run", "ts run certificates"]);
    assert.ok(typescript.filter(({ info }) => info === "ts compiled").length <= 2);
  });

  for (const snippet of typescript.filter(({ info }) => /^ts( run( certificates)?)?$/.test(info))) {
    it(`runs: ${snippet.where}`, onNode, () => run(process.execPath, [join(directory, `${snippet.file}.js`)], snippet));
  }

  for (const snippet of snippets.filter(({ info }) => info === "python run")) {
    it(`runs in Python: ${snippet.where}`, needs(onNode, python), () => run(python.binary, ["-c", snippet.code], snippet));
  }
});
