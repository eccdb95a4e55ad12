/**
 * `node scripts/bundle.mjs <directory>`: writes the modules of the published package: one for each entry point, and others for what the
 * entry points share, each with a source map that holds the TypeScript sources. The command is one more module, which imports the entry
 * points like any program, so that they are the same with and without it.
 *
 * The compiler writes a module for each source, and Node spends most of an import on finding and linking them. See docs/design.md.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const ENTRIES = ["index", "framing/index", "process/index", "testing/index", "unix/index"];

const [directory] = process.argv.slice(2);
if (directory === undefined) throw new Error("the argument must be a directory");
const outdir = resolve(directory);
const options = {
  absWorkingDir: fileURLToPath(new URL("../", import.meta.url)),
  outdir,
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20",
  sourcemap: true,
  legalComments: "none",
  logLevel: "warning",
};
await build({
  ...options,
  entryPoints: Object.fromEntries(ENTRIES.map((entry) => [entry, `src/${entry}.ts`])),
  splitting: true,
  external: ["koffi"], // an optional peer dependency
  chunkNames: "shared-[hash]",
});
await build({
  ...options,
  entryPoints: { "command/main": "src/command/main.ts" },
  external: ENTRIES.map((entry) => `../${entry}.js`),
});
for (const name of readdirSync(outdir, { recursive: true }).filter((file) => file.endsWith(".js"))) {
  const path = join(outdir, name);
  writeFileSync(path, withNamesOfClasses(readFileSync(path, "utf8")));
}

/** esbuild writes `var Name = class _Name`, which the program would see as the name of the class. */
function withNamesOfClasses(code) {
  const names = [...code.matchAll(/^var (\w+) = class _\1\b/gm)].map(([, name]) => name);
  return names.reduce((text, name) => text.replaceAll(new RegExp(`\\b_${name}\\b`, "g"), name), code);
}
