/**
 * What the package weighs, and what of it a program takes along that needs one function. The bounds are a tenth above what was measured when they were
 * set: whoever has to raise one does so on purpose.
 */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { build, type Metafile } from "esbuild";
import { root } from "../support/repository.js";
import { installed, installedFiles, newProject, tarball } from "./under-test.js";

/** Bytes, and a count. */
const BOUNDS = {
  packed: 390_000,
  unpacked: 1_430_000,
  files: 350,
  "minimal bundle": 126_000,
  "minimal bundle, gzip": 42_500,
};

/** What is of no use to a client; a sample. */
const NOT_NEEDED = ["serve.js", "duplex.js", "net/listen.js", "net/server.js", "net/socket-file/unix-publish.js", "net/listen-fds.js"];

async function bundle(code: string): Promise<{ output: Uint8Array; metafile: Metafile }> {
  const { outputFiles, metafile } = await build({
    stdin: { contents: code, resolveDir: newProject() },
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format: "esm",
    platform: "node",
    target: "node20",
  });
  const [file] = outputFiles;
  assert.ok(file !== undefined);
  return { output: file.contents, metafile };
}

/** The files of the library of which something is in a bundle, as paths below `dist/`. */
function taken(metafile: Metafile): string[] {
  return Object.values(metafile.outputs)
    .flatMap(({ inputs }) => Object.entries(inputs))
    .filter(([path, { bytesInOutput }]) => bytesInOutput > 0 && path.includes("/dist/"))
    .map(([path]) => path.slice(path.lastIndexOf("/dist/") + "/dist/".length));
}

const files = installedFiles();
const minimal = await bundle('import { openUnixConnection } from "asyncio-streams"; globalThis.open = openUnixConnection;');
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

  it("holds only the library, its types and its documents", () => {
    const others = files.filter((file) => !/^dist\/[a-z0-9/-]+(\.js|\.d\.ts)$/.test(file));
    assert.deepEqual(others.toSorted(), ["CHANGELOG.md", "LICENSE", "README.md", "package.json"]);
  });

  it("holds no file without a source", () => {
    const sources = files
      .filter((file) => file.startsWith("dist/"))
      .map((file) => file.replace(/^dist/, "src").replace(/\.js$|\.d\.ts$/, ".ts"));
    assert.deepEqual(
      sources.filter((file) => !existsSync(join(root, file))),
      [],
    );
  });

  it("names no source maps, which it does not hold", () => {
    const naming = files.filter(
      (file) => /\.(js|ts)$/.test(file) && readFileSync(join(installed, file), "utf8").includes("sourceMappingURL"),
    );
    assert.deepEqual(naming, []);
  });
});

describe("a bundle of openUnixConnection()", () => {
  it("holds no server, Duplex, framing, subprocesses, test kit or foreign functions", () => {
    const inside = taken(minimal.metafile);
    for (const file of NOT_NEEDED) {
      assert.ok(files.includes(`dist/${file}`), `there is no ${file} any more`);
      assert.ok(!inside.includes(file), `${file} is in it`);
    }
    assert.deepEqual(
      inside.filter((file) => /^(framing|process|testing|unix)\//.test(file)),
      [],
    );
  });

  it("holds what it needs", () => {
    assert.ok(taken(minimal.metafile).includes("transports/socket.js"));
  });
});
