/**
 * What the package weighs, and what of it a program takes along that needs one function. The bounds are a tenth above what was measured when they were
 * set: whoever has to raise one does so on purpose.
 */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { SourceMap, type SourceMapPayload } from "node:module";
import { dirname, join, posix } from "node:path";
import { describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { documents } from "../docs/markdown.js";
import { root } from "../support/repository.js";
import { installed, installedFiles, newProject, tarball } from "./under-test.js";

/** Bytes, and a count. */
const BOUNDS = {
  packed: 1_100_000,
  unpacked: 4_000_000,
  files: 340,
  "minimal bundle": 135_000,
  "minimal bundle, gzip": 45_500,
};

const ENTRIES = ["index.js", "framing/index.js", "process/index.js", "testing/index.js", "unix/index.js"];

/** What is of no use to a client; a sample. */
const NOT_NEEDED = ["serve.ts", "duplex.ts", "net/listen.ts", "net/server.ts", "net/socket-file/unix-publish.ts", "net/listen-fds.ts"];

async function bundle(code: string, minify: boolean): Promise<{ output: Uint8Array; map: SourceMapPayload }> {
  const { outputFiles } = await build({
    stdin: { contents: code, resolveDir: newProject() },
    bundle: true,
    minify,
    write: false,
    sourcemap: "external",
    outfile: "bundle.js",
    format: "esm",
    platform: "node",
    target: "node20",
  });
  const [map, file] = outputFiles;
  assert.ok(map !== undefined && file !== undefined);
  return { output: file.contents, map: JSON.parse(map.text) as SourceMapPayload };
}

/**
 * The sources of which a function or a class is in a bundle that is not minified, as paths below `src/`. Constants of other sources remain:
 * esbuild keeps the call that creates them.
 */
function taken({ output, map }: { readonly output: Uint8Array; readonly map: SourceMapPayload }): string[] {
  const finder = new SourceMap(map);
  const sources = new Set<string>();
  for (const [line, text] of Buffer.from(output).toString().split("\n").entries()) {
    const entry = finder.findEntry(line, text.length - text.trimStart().length);
    if (/\b(function|class)\b|=>/.test(text) && "originalLine" in entry && entry.generatedLine === line) sources.add(entry.originalSource);
  }
  return [...sources]
    .filter((source) => source.includes("/src/"))
    .map((source) => source.slice(source.lastIndexOf("/src/") + "/src/".length));
}

const MINIMAL = 'import { openUnixConnection } from "asyncio-streams"; globalThis.open = openUnixConnection;';
const files = installedFiles();
const minimal = await bundle(MINIMAL, true);
const readable = await bundle(MINIMAL, false);
const MEASURED = {
  packed: statSync(tarball).size,
  unpacked: files.reduce((sum, file) => sum + statSync(join(installed, file)).size, 0),
  files: files.length,
  "minimal bundle": minimal.output.length,
  "minimal bundle, gzip": gzipSync(minimal.output, { level: 9 }).length,
};
console.table(
  Object.fromEntries(Object.entries(BOUNDS).map(([name, bound]) => [name, { measured: MEASURED[name as keyof typeof BOUNDS], bound }])),
);

describe("the package", () => {
  for (const [name, bound] of Object.entries(BOUNDS)) {
    it(`keeps its size: ${name}`, () => {
      const measured = MEASURED[name as keyof typeof BOUNDS];
      assert.ok(measured <= bound, `${name}: ${measured}, and ${bound} are allowed`);
      assert.ok(measured > bound / 2, `${name}: ${measured}, so the bound of ${bound} says nothing any more`);
    });
  }

  it("holds only the library, its types, its source maps and its documents", () => {
    const others = files.filter((file) => !/^dist\/[a-z0-9/-]+\.d\.ts$/.test(file));
    const modules = others.filter((file) =>
      /^dist\/((framing\/|process\/|testing\/|unix\/)?index|command\/main|shared-[A-Z0-9]{8})\.js(\.map)?$/.test(file),
    );
    assert.ok(modules.length >= ENTRIES.length * 2);
    const written = others.filter((file) => /^(docs\/[a-z/-]+\.(md|svg)|examples\/([a-z0-9-]+\.ts|README\.md))$/.test(file));
    const rest = others.filter((file) => !modules.includes(file) && !written.includes(file));
    assert.deepEqual(rest.toSorted(), [
      "AGENTS.md",
      "CHANGELOG.md",
      "CONTRIBUTING.md",
      "LICENSE",
      "README.md",
      "SECURITY.md",
      "package.json",
    ]);
  });

  it("holds each document and example of the repository", () => {
    for (const file of [...documents(), ...readdirSync(join(root, "examples")).map((name) => `examples/${name}`)])
      if (/\.(md|ts)$/.test(file)) assert.ok(files.includes(file), file);
  });

  it("holds what its documents link to, apart from the sources, the tests and what runs them", () => {
    const missing = documents().flatMap((file) =>
      [...readFileSync(join(installed, file), "utf8").matchAll(/\]\(([^)\s#]+)[^)]*\)/g)]
        .map(([, target = ""]) => (/^https?:/.test(target) ? "" : posix.join(posix.dirname(file), target)))
        .filter((target) => target !== "" && !/^(src|test|scripts|bench|soak|\.github|\.ci)\b/.test(target))
        .filter((target) => !existsSync(join(installed, target)))
        .map((target) => `${file}: ${target}`),
    );
    assert.deepEqual(missing, []);
  });

  it("holds no declarations without a source", () => {
    const sources = files.filter((file) => file.endsWith(".d.ts")).map((file) => file.replace(/^dist/, "src").replace(/\.d\.ts$/, ".ts"));
    assert.deepEqual(
      sources.filter((file) => !existsSync(join(root, file))),
      [],
    );
  });

  it("holds the source map of each module, with the sources", () => {
    for (const file of files.filter((name) => name.endsWith(".js"))) {
      const [, name = ""] = /\/\/# sourceMappingURL=(\S+)\s*$/.exec(readFileSync(join(installed, file), "utf8")) ?? [];
      const map = JSON.parse(readFileSync(join(dirname(join(installed, file)), name), "utf8")) as SourceMapPayload;
      assert.equal(map.sourcesContent.length, map.sources.length, file);
      assert.ok(map.sourcesContent.every((text) => text.length > 0));
    }
  });

  it("has classes and functions with the names under which they are exported", async () => {
    for (const entry of ENTRIES) {
      const module = (await import(pathToFileURL(join(installed, "dist", entry)).href)) as Readonly<Record<string, unknown>>;
      for (const [name, value] of Object.entries(module)) if (typeof value === "function") assert.equal(value.name, name);
    }
  });

  it("shares what its entry points have in common", async () => {
    const [main, framing] = await Promise.all(ENTRIES.map((entry) => import(pathToFileURL(join(installed, "dist", entry)).href)));
    const { StreamReader, IncompleteReadError } = main as typeof import("asyncio-streams");
    const { frames, netstring } = framing as typeof import("asyncio-streams/framing");
    const reader = new StreamReader();
    reader.feedData(Buffer.from("3:ab"));
    reader.feedEof();
    const iterator = frames(reader, netstring())[Symbol.asyncIterator]();
    await assert.rejects(iterator.next(), (error) => error instanceof IncompleteReadError);
  });
});

describe("a bundle of openUnixConnection()", () => {
  it("holds no server, Duplex, framing, subprocesses, test kit or foreign functions", () => {
    const inside = taken(readable);
    for (const file of NOT_NEEDED) {
      assert.ok(existsSync(join(root, "src", file)), `there is no ${file} any more`);
      assert.ok(!inside.includes(file), `${file} is in it`);
    }
    assert.deepEqual(
      inside.filter((file) => /^(framing|process|testing|unix)\//.test(file)),
      [],
    );
  });

  it("holds what it needs", () => {
    assert.ok(taken(readable).includes("transports/socket.ts"));
  });
});
