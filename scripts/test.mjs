/**
 * Runs the compiled tests: `node scripts/test.mjs [--runtime node|bun|deno|<path of a node binary>] [--interop | --package] [file pattern ...]`.
 *
 * With `--interop`, those that talk to real programs, which have to be installed; with `--package`, those of the packed library, for
 * `test-package.mjs`; else all the others. The same compiled files run on every runtime. Files are named one by one, which every runtime understands.
 */
import { execFileSync, spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { noteResults } from "./results.mjs";

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
  // The compiler leaves what it once made of a source that is gone.
  .filter((name) => existsSync(join(root, "test", name.replace(/\.js$/, ".ts"))))
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

const kind = ["bun", "deno"].includes(basename(runtime)) ? basename(runtime) : "node";

/** The name under which the results are noted. */
const label = kind === "node" ? `node-${execFileSync(runtime, ["-p", "process.versions.node"], { encoding: "utf8" }).split(".")[0]}` : kind;

/** Only a run of all tests says something about a runtime. */
const noteArguments = args.length === 0 && apart === undefined ? noteResults(label, kind) : () => [];

/** The commands that run all the files side by side: one for Node, which deals them out to processes by itself, else one for each lane. */
function commands() {
  if (kind === "node") {
    const limits = [`--test-concurrency=${LANES}`, `--test-timeout=${TIME_LIMIT_MS}`];
    return [["--test", "--test-reporter=spec", ...noteArguments(), ...limits, ...files]];
  }
  const start = kind === "bun" ? ["test", `--timeout=${TIME_LIMIT_MS}`] : ["test", "--allow-all", "--no-check", "--quiet"];
  const lanes = Array.from({ length: Math.min(kind === "deno" ? LANES + 1 : LANES, files.length) }, () => [...start, ...noteArguments()]);
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
