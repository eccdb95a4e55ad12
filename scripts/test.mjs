/**
 * Runs the compiled tests: `node scripts/test.mjs [--runtime node|bun|deno|<path of a node binary>] [--interop | --package] [file pattern ...]`.
 *
 * With `--interop`, those that talk to real programs, which have to be installed; with `--package`, those of the packed library, for
 * `test-package.mjs`; else all the others. The same compiled files run on every runtime. Files are named one by one, which every runtime understands.
 */
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

/** Folders whose tests need what `npm test` must do without. */
const APART = ["interop/", "package/"];

const root = fileURLToPath(new URL("..", import.meta.url));
const tests = join(root, "build", "test");

const args = process.argv.slice(2);
const at = args.indexOf("--runtime");
const runtime = at === -1 ? process.execPath : args.splice(at, 2)[1];
const apart = APART.find((folder) => args.includes(`--${folder.slice(0, -1)}`));
if (apart !== undefined) args.splice(args.indexOf(`--${apart.slice(0, -1)}`), 1);
const files = readdirSync(tests, { recursive: true })
  .filter((name) => name.endsWith(".test.js") && APART.find((folder) => name.startsWith(folder)) === apart)
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

/** One more than there are cores: many tests wait for other processes. Deno waits longer, for connections that its thread has accepted. */
const LANES = availableParallelism() + 1;

/** The commands that run all the files side by side: one for Node, which deals them out to processes by itself, else one for each lane. */
function commands() {
  const kind = basename(runtime);
  if (kind !== "bun" && kind !== "deno") {
    return [["--test", "--test-reporter=spec", `--test-concurrency=${LANES}`, `--test-timeout=${TIME_LIMIT_MS}`, ...files]];
  }
  const start = kind === "bun" ? ["test", `--timeout=${TIME_LIMIT_MS}`] : ["test", "--allow-all", "--no-check", "--quiet"];
  const lanes = Array.from({ length: Math.min(kind === "deno" ? LANES + 1 : LANES, files.length) }, () => [...start]);
  files.forEach((file, index) => lanes[index % lanes.length].push(`./${file}`));
  return lanes;
}

/** Runs one of them and gives its exit code; what it prints is kept together, if others run beside it. */
function run(args, stdio) {
  return new Promise((resolve) => {
    const child = spawn(runtime, args, { cwd: root, stdio: ["inherit", stdio, stdio] });
    const output = [];
    child.stdout?.on("data", (chunk) => output.push(chunk));
    child.stderr?.on("data", (chunk) => output.push(chunk));
    child.on("error", (error) => console.error(`could not run ${runtime}: ${error.message}`));
    child.on("close", (code) => {
      process.stdout.write(Buffer.concat(output));
      resolve(code ?? 1);
    });
  });
}

const lanes = commands();
const codes = await Promise.all(lanes.map((args) => run(args, lanes.length === 1 ? "inherit" : "pipe")));
process.exitCode = codes.find((code) => code !== 0) ?? 0;
