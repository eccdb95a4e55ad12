/**
 * `node scripts/jsr.mjs`: writes the package for JSR in build/jsr. `deno publish` there publishes it; with `--dry-run`, it only checks it.
 *
 * JSR publishes TypeScript sources, and an import must name the file that exists. The sources import `./name.js`, as `tsc` of all supported
 * versions and the tests of the compiled files need it. So the sources are copied with `./name.ts`.
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../", import.meta.url));
const output = join(root, "build", "jsr");

/** The relative imports and exports, also of types and of `import()`. */
const RELATIVE = /((?:from|import)\s*\(?\s*")(\.{1,2}\/[^"]+)\.js"/g;

/** JSR knows the types of Node without it. */
const TYPES_OF_NODE = /^\/\/\/ <reference types="node".*\n/gm;

rmSync(output, { recursive: true, force: true });
for (const name of readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"))) {
  mkdirSync(dirname(join(output, "src", name)), { recursive: true });
  const code = readFileSync(join(root, "src", name), "utf8");
  writeFileSync(join(output, "src", name), code.replaceAll(RELATIVE, '$1$2.ts"').replaceAll(TYPES_OF_NODE, ""));
}
for (const name of ["README.md", "LICENSE", "CHANGELOG.md"]) cpSync(join(root, name), join(output, name));

const { name, version, license, exports, peerDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const entries = Object.entries(exports).filter(([, target]) => typeof target === "object");
writeFileSync(
  join(output, "jsr.json"),
  JSON.stringify(
    {
      name: `@${name}/${name}`,
      version,
      license,
      exports: Object.fromEntries(
        entries.map(([entry, target]) => [entry, target.default.replace("./dist/", "./src/").replace(/\.js$/, ".ts")]),
      ),
      imports: { koffi: `npm:koffi@${peerDependencies.koffi}` },
    },
    null,
    2,
  ),
);
