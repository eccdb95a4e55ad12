/**
 * Runs the compiled tests: `node scripts/test.mjs [options] [file pattern ...]`, with these options:
 *
 * - `--runtime node|bun|deno|<path of a node binary>`
 * - `--interop` or `--package`: other tests than the ordinary ones
 * - `--without=<file pattern>`: omits these files
 *
 * `--interop` selects the tests against real programs, which must be installed. `--package` selects the tests of the packed library, for
 * `test-package.mjs`. The default is all other tests. Every runtime runs the same compiled files. Each file is an argument, because every
 * runtime supports that.
 */
import { execFileSync, spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { noteResults } from "./results.mjs";

/** Folders whose tests have requirements that `npm test` must not have. */
const APART = ["interop/", "package/"];

const root = fileURLToPath(new URL("..", import.meta.url));
const tests = join(root, "build", "test");

const WITHOUT = "--without=";
const args = process.argv.slice(2).filter((arg) => !arg.startsWith(WITHOUT));
const omitted = process.argv.filter((arg) => arg.startsWith(WITHOUT)).map((arg) => arg.slice(WITHOUT.length));
const at = args.indexOf("--runtime");
const runtime = at === -1 ? process.execPath : args.splice(at, 2)[1];
const apart = APART.find((folder) => args.includes(`--${folder.slice(0, -1)}`));
if (apart !== undefined) args.splice(args.indexOf(`--${apart.slice(0, -1)}`), 1);
const files = readdirSync(tests, { recursive: true })
  .map((name) => name.replaceAll("\\", "/")) // Windows
  .filter((name) => name.endsWith(".test.js") && APART.find((folder) => name.startsWith(folder)) === apart)
  // The compiler leaves the output of deleted sources behind.
  .filter((name) => existsSync(join(root, "test", name.replace(/\.js$/, ".ts"))))
  .filter((name) => args.length === 0 || args.some((pattern) => name.includes(pattern)))
  .filter((name) => !omitted.some((pattern) => name.includes(pattern)))
  .map((name) => relative(root, join(tests, name)))
  .sort();
if (files.length === 0) {
  console.error(`no test file matches ${args.join(", ") || "build/test/**/*.test.js"}`);
  process.exit(1);
}

// Creates the certificates of the TLS tests here, because only Node can be relied on to create them.
await import("./make-certificates.mjs");

/** Milliseconds after which a hanging file (on Node) or test is ended. The slowest file takes a minute, and five on a very busy machine. */
const TIME_LIMIT_MS = 600_000;

/** One more than the number of cores, because many tests wait for other processes. Deno waits longer, for connections on its thread. */
const LANES = availableParallelism() + 1;

const kind = ["bun", "deno"].includes(basename(runtime)) ? basename(runtime) : "node";

/** The name under which the results are recorded. */
const label = kind === "node" ? `node-${execFileSync(runtime, ["-p", "process.versions.node"], { encoding: "utf8" }).split(".")[0]}` : kind;

/** Results are recorded only for a run of all tests. */
const noteArguments = args.length === 0 && omitted.length === 0 && apart === undefined ? noteResults(label, kind) : () => [];

/** Returns the commands that run all files in parallel: one for Node, which distributes files to processes itself, else one per lane. */
function commands() {
  if (kind === "node") {
    const limits = [`--test-concurrency=${LANES}`, `--test-timeout=${TIME_LIMIT_MS}`];
    return [["--test", "--test-reporter=spec", ...noteArguments(), ...limits, ...files]];
  }
  const start = kind === "bun" ? ["test", `--timeout=${TIME_LIMIT_MS}`] : ["test", "--allow-all", "--no-check", "--quiet"];
  const lanes = Array.from({ length: Math.min(kind === "deno" ? LANES + 1 : LANES, files.length) }, () => [...start, ...noteArguments()]);
  // Deno: a process that has run some fifty other files ends without a word in the middle of these, and not if it has run few.
  const isApart = (file) => kind === "deno" && /\/tls\/(hooks|node-peers|renewal|start-tls)\./.test(file);
  files.filter((file) => !isApart(file)).forEach((file, index) => lanes[index % lanes.length].push(`./${file}`));
  if (files.some(isApart)) lanes.push([...start, ...noteArguments(), ...files.filter(isApart).map((file) => `./${file}`)]);
  return lanes.filter((args) => args.some((one) => one.startsWith("./")));
}

/** The last line of each runtime's output, or one of them, unless the process ended early. */
const SUMMARY = { node: /^ℹ duration_ms /m, bun: /^Ran \d+ tests? across /m, deno: /^(?:ok|FAILED) \| \d+ passed/m }[kind];

/** Printed behind all others: whoever reads the end of the output sees what failed. */
const failedOutputs = [];

/**
 * Runs one command and returns its exit code. With `stdio` "pipe", its output is printed as one block when it ends. A process that ended
 * early is a failure, whatever its exit code: it printed no summary, or a signal ended it.
 */
function run(args, stdio) {
  return new Promise((resolve) => {
    const child = spawn(runtime, args, { cwd: root, stdio: ["inherit", stdio, stdio] });
    const output = [];
    child.stdout?.on("data", (chunk) => output.push(chunk));
    child.stderr?.on("data", (chunk) => output.push(chunk));
    child.on("error", (error) => console.error(`could not run ${runtime}: ${error.message}`));
    child.on("close", (code, signal) => {
      const text = Buffer.concat(output);
      const isWhole = stdio === "inherit" || SUMMARY.test(stripVTControlCharacters(text.toString()));
      if (code === 0 && isWhole) process.stdout.write(text);
      else failedOutputs.push(text);
      if (signal === null && isWhole) {
        resolve(code ?? 1);
        return;
      }
      const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
      console.error(`\n${label}: a process ended with ${how} before the end of its tests (pid ${child.pid}): ${args.slice(-1)} and before`);
      resolve(code || 1);
    });
  });
}

const lanes = commands();
const codes = await Promise.all(lanes.map((args) => run(args, lanes.length === 1 ? "inherit" : "pipe")));
for (const text of failedOutputs) process.stdout.write(text);
process.exitCode = codes.find((code) => code !== 0) ?? 0;
