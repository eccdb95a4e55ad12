/** Writes the results of the last complete test run on each runtime into docs/runtimes.md: `node scripts/matrix.mjs`. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { notedRuntimes, readResults } from "./results.mjs";

/** The columns, each with its heading. */
const RUNTIMES = { "node-20": "Node 20", "node-22": "22", "node-24": "24", "node-26": "26", bun: "Bun", deno: "Deno" };

const missing = Object.keys(RUNTIMES).filter((name) => !notedRuntimes().includes(name));
if (missing.length > 0) {
  console.error(`cannot write the table: no results for ${missing.join(", ")}. Run npm test with Node 20, then npm run test:runtimes`);
  process.exit(process.argv[1]?.endsWith("matrix.mjs") ? 1 : 0);
}

const results = new Map(Object.keys(RUNTIMES).map((name) => [name, readResults(name)]));
const folders = [...new Set([...results.values()].flatMap((counts) => [...counts.keys()]))].toSorted((a, b) => (a < b ? -1 : 1));

function cell(counts) {
  if (counts === undefined) return "—";
  const { passed, skipped, failed } = counts;
  return [passed, ...(skipped > 0 ? [`${skipped} skipped`] : []), ...(failed > 0 ? [`**${failed} failed**`] : [])].join(", ");
}

function total(counts) {
  const sum = { passed: 0, skipped: 0, failed: 0 };
  for (const one of counts.values()) for (const key of Object.keys(sum)) sum[key] += one[key];
  return sum;
}

const rows = [
  ["tests", ...Object.values(RUNTIMES)],
  ["---", ...Object.values(RUNTIMES).map(() => "---:")],
  ...folders.map((folder) => [`\`${folder}/\``, ...[...results.values()].map((counts) => cell(counts.get(folder)))]),
  ["**all**", ...[...results.values()].map((counts) => cell(total(counts)))],
];

const document = fileURLToPath(new URL("../docs/runtimes.md", import.meta.url));
const [BEGIN, END] = ["<!-- begin: written by npm run matrix -->", "<!-- end: written by npm run matrix -->"];
const text = readFileSync(document, "utf8");
const [before, rest] = text.split(BEGIN);
const after = rest.split(END)[1];
const table = rows.map((row) => `| ${row.join(" | ")} |`).join("\n");
writeFileSync(document, `${before}${BEGIN}\n\n${table}\n\n${END}${after}`);
console.log(table);
const known = readdirSync(fileURLToPath(new URL("../test/", import.meta.url)));
const strangers = folders.filter((folder) => !known.includes(folder));
if (strangers.length > 0) console.error(`there are old results for folders that no longer exist: ${strangers.join(", ")}`);
