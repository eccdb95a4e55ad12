/**
 * Records and reads the results of a complete test run, by folder.
 *
 * The reports of a run are in build/test-results/<runtime>, one for each process that ran tests.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("../build/test-results/", import.meta.url));
const reporter = fileURLToPath(new URL("result-reporter.mjs", import.meta.url));

/** Clears the reports of a runtime; returns a function that returns the arguments for one process. `kind` is node, bun or deno. */
export function noteResults(runtime, kind) {
  const notes = join(folder, runtime);
  rmSync(notes, { recursive: true, force: true });
  mkdirSync(notes, { recursive: true });
  let processes = 0;
  return () => {
    const note = join(notes, `${processes++}.${kind}`);
    if (kind === "bun") return ["--reporter=junit", `--reporter-outfile=${note}`];
    if (kind === "deno") return [`--junit-path=${note}`];
    return ["--test-reporter-destination=stdout", `--test-reporter=${reporter}`, `--test-reporter-destination=${note}`];
  };
}

/** Returns the runtimes that have reports. */
export function notedRuntimes() {
  return existsSync(folder) ? readdirSync(folder) : [];
}

/** Returns the results of a runtime: a map from the folder of the tests to `{ passed, skipped, failed }`. */
export function readResults(runtime) {
  const counts = new Map();
  for (const name of readdirSync(join(folder, runtime))) {
    const text = readFileSync(join(folder, runtime, name), "utf8");
    for (const { file, outcome } of READERS[name.split(".")[1]](text)) {
      const of = file.match(/test\/([^/]+)\//)[1];
      if (!counts.has(of)) counts.set(of, { passed: 0, skipped: 0, failed: 0 });
      counts.get(of)[outcome] += 1;
    }
  }
  return counts;
}

/** Parse reports into lists of `{ file, outcome }`. */
const READERS = {
  node: (text) =>
    text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line)),
  bun: (text) => testCases(text).map(({ file, outcome }) => ({ file, outcome })),
  deno: readDeno,
};

/**
 * Parses a report of Deno. Deno: names the file only for a `describe()`. Its tests are listed separately as steps, "describe > it", in
 * the order in which they ran. If two files have a `describe()` of the same name, the first series of such steps belongs to the first file.
 */
function readDeno(text) {
  const cases = testCases(text);
  const suites = cases.filter(({ classname }) => classname.includes("test/"));
  const files = new Map(suites.map(({ name }) => [name, suites.filter((one) => one.name === name)]));
  let current = { name: "", classname: "" };
  return cases
    .filter(({ classname }) => !classname.includes("test/"))
    .map(({ name, outcome }) => {
      const suite = name.slice(0, name.indexOf(" > "));
      if (suite !== current.name) {
        const [next, ...later] = files.get(suite);
        if (later.length > 0) files.set(suite, later);
        current = next;
      }
      return { file: current.classname, outcome };
    });
}

/** Returns the `testcase` elements of a JUnit file. */
function testCases(text) {
  return [...text.matchAll(/<testcase ([^>]*?)(?:\/>|>(.*?)<\/testcase>)/gs)].map(([, attributes, inside = ""]) => {
    const values = [...attributes.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, value]) => [key, unescape(value)]);
    const outcome = /<(failure|error)\b/.test(inside) ? "failed" : /<skipped\b/.test(inside) ? "skipped" : "passed";
    return { ...Object.fromEntries(values), outcome };
  });
}

const ENTITIES = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function unescape(text) {
  return text.replaceAll(/&(?:#(\d+)|#x([\da-f]+)|(\w+));/gi, (whole, decimal, hexadecimal, name) => {
    if (name !== undefined) return ENTITIES[name] ?? whole;
    return String.fromCodePoint(decimal === undefined ? Number.parseInt(hexadecimal, 16) : Number(decimal));
  });
}
