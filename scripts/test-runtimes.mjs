/**
 * Runs the compiled tests on every other runtime: `node scripts/test-runtimes.mjs [--brief] [name ...] [-- file pattern ...]`.
 *
 * `--brief` omits what does not differ between runtimes (see `OMITTED`), and on versions of Node what does not differ between versions
 * (see `ON_NEWEST_NODE` and `ON_OTHER_NODES`).
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { installRuntimes } from "./runtimes.mjs";

const args = process.argv.slice(2).filter((arg) => arg !== "--brief");
const isBrief = process.argv.includes("--brief");
const dashes = args.indexOf("--");
const names = dashes === -1 ? args : args.slice(0, dashes);
const patterns = dashes === -1 ? [] : args.slice(dashes + 1);
const runner = fileURLToPath(new URL("test.mjs", import.meta.url));

const logs = fileURLToPath(new URL("../build/test-logs/", import.meta.url));
mkdirSync(logs, { recursive: true });

/** How many of the last lines of the output are shown; there each runtime prints its summary and repeats the failures. */
const LINES_SHOWN = { passed: 8, failed: 250 };

/** Smaller sizes of long tests, which `npm test` runs at full size on Node. */
const LESS = { PARITY_SCRIPTS: "1000", START_RACES: "50", STARTS: "15", TRANSFER_MIB: "96" };

/** With `--brief`, the newest version of Node runs only these tests: those whose subject is its own sockets, streams and processes. */
const ON_NEWEST_NODE = ["adapters/", "conformance/", "net/", "process/", "tls/", "transports/", "unix/"];

/** Likewise for the versions between it and that of `npm test`: they run the tests of sockets. */
const ON_OTHER_NODES = ["net/", "tls/", "transports/"];
const NEWEST_NODE = "node-26";

/** With `--brief`, no runtime runs these: they test the repository, or run other tests once more over `net.Socket`. */
const OMITTED = ["architecture/", "docs/", "types/", "transports/plain-sockets"];

/** Returns the arguments that select the tests of a runtime. */
function selection(name) {
  if (!isBrief) return patterns;
  const without = OMITTED.map((file) => `--without=${file}`);
  if (patterns.length > 0 || !name.startsWith("node-")) return [...without, ...patterns];
  return [...without, ...(name === NEWEST_NODE ? ON_NEWEST_NODE : ON_OTHER_NODES)];
}

const failed = [];
for (const { name, binary } of installRuntimes(names)) {
  console.log(`\n== ${name}`);
  const { status, stdout, stderr } = spawnSync(process.execPath, [runner, "--runtime", binary, ...selection(name)], {
    encoding: "utf8",
    env: { ...LESS, ...process.env, NO_COLOR: "1" },
    maxBuffer: 2 ** 30,
  });
  const output = stdout + stderr;
  writeFileSync(`${logs}${name}.txt`, output);
  console.log(output.trimEnd().split("\n").slice(-LINES_SHOWN.passed).join("\n"));
  if (status !== 0) failed.push({ name, output });
}
for (const { name, output } of failed) {
  console.error(`\n== failed on ${name}: the end of build/test-logs/${name}.txt`);
  console.error(output.trimEnd().split("\n").slice(-LINES_SHOWN.failed).join("\n"));
}
if (failed.length > 0) {
  console.error(`\nfailed on ${failed.map(({ name }) => name).join(", ")}`);
  process.exit(1);
}
console.log("\npassed on every runtime");
