/**
 * Builds the API pages in build/api from the docstrings: `node scripts/docs.mjs`. With `--check` it writes nothing.
 *
 * It fails on every export, member and option without a docstring, on broken links, and on types that appear in the API but are not
 * exported: see typedoc.json.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { install } from "./install.mjs";

// Installed apart from the project's packages, because typedoc needs a compiler with a JavaScript API, which TypeScript 7 does not have.
const modules = install("typedoc", "typedoc@0.28.20", "typescript@6.0.3");
const args = process.argv.includes("--check") ? ["--emit", "none"] : [];
const { status } = spawnSync(process.execPath, [join(modules, "typedoc", "bin", "typedoc"), ...args], {
  cwd: fileURLToPath(new URL("..", import.meta.url)),
  stdio: "inherit",
});
process.exitCode = status ?? 1;
