/**
 * Mutation testing of the byte queue, the separators and the flow control: `npm run test:mutants`, or for some of the files only
 * `npm run test:mutants -- base/separators base/limits`.
 *
 * Stryker changes the compiled files in some hundred places, one at a time, and runs their tests each time. A change that no test
 * detects must be listed in test/mutants.json, with the reason why it makes no difference. A reason for a line that no longer exists is
 * also an error.
 *
 * Takes some minutes on an idle machine. Installs Stryker below build/stryker if it is missing.
 */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Pinned, like every development dependency. */
const PACKAGES = ["@stryker-mutator/core@9.6.1", "@stryker-mutator/tap-runner@9.6.1"];

/**
 * The files that are changed, with the tests that must detect the changes. The run of a mutant ends at the first test that detects it.
 * Property tests are last: when they fail, they search for a small case.
 */
const GROUPS = [
  { files: ["base/separators", "base/separator-search"], tests: ["base/separators", "base/separator-search"] },
  {
    files: ["base/byte-queue", "base/chunks", "base/reservation"],
    tests: ["base/byte-queue-quick", "base/byte-queue-reserve", "base/byte-queue", "base/separator-search", "property/byte-queue"],
  },
  { files: ["base/limits", "streams/writer-flow"], tests: ["base/limits", "base/write-watermarks", "streams/writer-flow"] },
];

/** Mutations that are not tested: the text of messages. */
const EXCLUDED = ["StringLiteral"];
/** A test file is considered to loop forever if it takes this much longer than with the unchanged code. */
const PATIENCE_MS = 10_000;

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = join(root, "build", "stryker");
const copy = join(folder, "copy");
const explanations = JSON.parse(readFileSync(join(root, "test", "mutants.json"), "utf8"));

const chosen = process.argv.slice(2);
const all = GROUPS.flatMap(({ files }) => files);
for (const name of chosen) if (!all.includes(name)) throw new Error(`${name} is none of ${all.join(", ")}`);

install();
let isGood = true;
for (const { files, tests } of GROUPS) {
  const mutated = files.filter((name) => chosen.length === 0 || chosen.includes(name));
  if (mutated.length === 0) continue;
  makeCopy(mutated, tests);
  const stryker = join(folder, "node_modules", "@stryker-mutator", "core", "bin", "stryker.js");
  const { status } = spawnSync(process.execPath, [stryker, "run"], { cwd: copy, stdio: "inherit" });
  if (status !== 0) throw new Error(`Stryker ended with ${status}`);
  isGood = judge(mutated) && isGood;
}
process.exitCode = isGood ? 0 : 1;

function install() {
  if (existsSync(join(folder, "node_modules", "@stryker-mutator", "tap-runner"))) return;
  console.log(`installing ${PACKAGES.join(" ")}`);
  mkdirSync(folder, { recursive: true });
  const { status } = spawnSync("npm", ["install", "--no-save", "--no-audit", "--no-fund", "--prefix", folder, ...PACKAGES], {
    stdio: "inherit",
  });
  if (status !== 0) throw new Error("could not install Stryker");
}

/** Copies the compiled files, so that a build in the meantime does not affect the run. */
function makeCopy(mutated, tests) {
  rmSync(copy, { recursive: true, force: true });
  for (const name of ["package.json", "dist", "build/test"]) cpSync(join(root, name), join(copy, name), { recursive: true });
  // Stryker silently skips files that it does not find.
  const needed = [...mutated.map((name) => `dist/${name}.js`), ...tests.map((name) => `build/test/${name}.test.js`)];
  for (const name of needed) if (!existsSync(join(copy, name))) throw new Error(`${name} does not exist: has it moved?`);
  const config = {
    testRunner: "tap",
    plugins: ["@stryker-mutator/tap-runner"],
    tap: { testFiles: tests.map((name) => `build/test/${name}.test.js`), nodeArgs: ["--test-reporter=tap"] },
    mutate: mutated.map((name) => `dist/${name}.js`),
    mutator: { excludedMutations: EXCLUDED },
    coverageAnalysis: "perTest",
    reporters: ["progress-append-only", "json"],
    concurrency: availableParallelism(),
    timeoutMS: PATIENCE_MS,
    allowEmpty: false,
    symlinkNodeModules: false,
  };
  writeFileSync(join(copy, "stryker.config.json"), JSON.stringify(config));
}

/** Prints the changes that no test detected and that have no reason; returns whether there are none. */
function judge(mutated) {
  const { files } = JSON.parse(readFileSync(join(copy, "reports", "mutation", "mutation.json"), "utf8"));
  const counts = {};
  const survivors = [];
  for (const [file, { mutants, source }] of Object.entries(files)) {
    const lines = source.split("\n");
    for (const { status, mutatorName, replacement, location } of mutants) {
      counts[status] = (counts[status] ?? 0) + 1;
      if (status !== "Survived" && status !== "NoCoverage") continue;
      const line = lines[location.start.line - 1].trim();
      survivors.push({ file: file.replace(/^dist\//, ""), line, mutator: mutatorName, replacement: replacement.replace(/\s+/g, " ") });
    }
  }
  const explained = explanations.flatMap(({ file, line, survivors: replacements }) =>
    replacements.map((replacement) => ({ file, line, replacement })),
  );
  const same = (a) => (b) => ["file", "line", "replacement"].every((key) => a[key] === b[key]);
  const unexplained = survivors.filter((survivor) => !explained.some(same(survivor)));
  const lines = new Set(Object.entries(files).flatMap(([file, { source }]) => source.split("\n").map((line) => `${file}: ${line.trim()}`)));
  const idle = explained.filter(({ file, line }) => mutated.some((name) => file === `${name}.js`) && !lines.has(`dist/${file}: ${line}`));
  console.log(`mutants: ${JSON.stringify(counts)}; survivors explained: ${survivors.length - unexplained.length}`);
  for (const survivor of unexplained) console.error(`no test detects: ${JSON.stringify(survivor)}`);
  for (const explanation of idle) console.error(`explained, but the line no longer exists: ${JSON.stringify(explanation)}`);
  return unexplained.length + idle.length === 0;
}
