/**
 * Mutation testing of the byte queue, the separators and the flow control: `npm run test:mutants`.
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

const MUTATED = [
  "base/byte-queue",
  "base/chunks",
  "base/reservation",
  "base/separators",
  "base/separator-search",
  "base/limits",
  "streams/writer-flow",
];
/** The run of a mutant ends at the first file that detects it. Property tests are last: when they fail, they search for a small case. */
const TESTS = [
  "base/byte-queue-reserve",
  "base/byte-queue",
  "base/separator-search",
  "base/write-watermarks",
  "streams/writer-flow",
  "streams/reader-messages",
  "property/byte-queue",
  "property/reader-extras",
];

/** Mutations that are not tested: the text of messages. */
const EXCLUDED = ["StringLiteral"];
/** A test file is considered to loop forever if it takes this much longer than with the unchanged code. */
const PATIENCE_MS = 10_000;

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = join(root, "build", "stryker");
const copy = join(folder, "copy");
const explanations = JSON.parse(readFileSync(join(root, "test", "mutants.json"), "utf8"));

install();
makeCopy();
const { status } = spawnSync(process.execPath, [join(folder, "node_modules", "@stryker-mutator", "core", "bin", "stryker.js"), "run"], {
  cwd: copy,
  stdio: "inherit",
});
if (status !== 0) throw new Error(`Stryker ended with ${status}`);
process.exitCode = judge() ? 0 : 1;

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
function makeCopy() {
  rmSync(copy, { recursive: true, force: true });
  for (const name of ["package.json", "dist", "build/test"]) cpSync(join(root, name), join(copy, name), { recursive: true });
  // Stryker silently skips files that it does not find.
  const needed = [...MUTATED.map((name) => `dist/${name}.js`), ...TESTS.map((name) => `build/test/${name}.test.js`)];
  for (const name of needed) if (!existsSync(join(copy, name))) throw new Error(`${name} does not exist: has it moved?`);
  const config = {
    testRunner: "tap",
    plugins: ["@stryker-mutator/tap-runner"],
    tap: { testFiles: TESTS.map((name) => `build/test/${name}.test.js`), nodeArgs: ["--test-reporter=tap"] },
    mutate: MUTATED.map((name) => `dist/${name}.js`),
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
function judge() {
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
  const idle = explained.filter(({ file, line }) => !lines.has(`dist/${file}: ${line}`));
  console.log(`mutants: ${JSON.stringify(counts)}; survivors explained: ${survivors.length - unexplained.length}`);
  for (const survivor of unexplained) console.error(`no test detects: ${JSON.stringify(survivor)}`);
  for (const explanation of idle) console.error(`explained, but the line no longer exists: ${JSON.stringify(explanation)}`);
  return unexplained.length + idle.length === 0;
}
