/**
 * Runs the compiled tests: `node scripts/test.mjs [--runtime node|bun|deno|<path of a node binary>] [file pattern ...]`.
 *
 * The same compiled files run on every runtime. Files are named one by one, which every runtime understands.
 */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const tests = join(root, "build", "test");

const args = process.argv.slice(2);
const at = args.indexOf("--runtime");
const runtime = at === -1 ? process.execPath : args.splice(at, 2)[1];
const files = readdirSync(tests, { recursive: true })
  .filter((name) => name.endsWith(".test.js"))
  .filter((name) => args.length === 0 || args.some((pattern) => name.includes(pattern)))
  .map((name) => relative(root, join(tests, name)))
  .sort();
if (files.length === 0) {
  console.error(`no test file matches ${args.join(", ") || "build/test/**/*.test.js"}`);
  process.exit(1);
}

// Only Node can be counted on to make what the TLS tests need.
await import("./make-certificates.mjs");

/** A file (on Node) or a test that hangs is ended after this many milliseconds. The slowest file takes half a minute on a busy machine. */
const TIME_LIMIT_MS = 240_000;

const kind = basename(runtime);
const command =
  kind === "bun"
    ? ["test", `--timeout=${TIME_LIMIT_MS}`, ...files.map((file) => `./${file}`)]
    : kind === "deno"
      ? ["test", "--allow-all", "--no-check", "--quiet", ...files]
      : ["--test", `--test-timeout=${TIME_LIMIT_MS}`, ...files];
const { status, error } = spawnSync(runtime, command, { cwd: root, stdio: "inherit" });
if (error !== undefined) console.error(`could not run ${runtime}: ${error.message}`);
process.exit(status ?? 1);
