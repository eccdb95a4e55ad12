/** Runs the compiled tests on every other runtime: `node scripts/test-runtimes.mjs [name ...] [-- file pattern ...]`. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { installRuntimes } from "./runtimes.mjs";

const args = process.argv.slice(2);
const dashes = args.indexOf("--");
const names = dashes === -1 ? args : args.slice(0, dashes);
const patterns = dashes === -1 ? [] : args.slice(dashes + 1);
const runner = fileURLToPath(new URL("test.mjs", import.meta.url));

const failed = [];
for (const { name, binary } of installRuntimes(names)) {
  console.log(`\n== ${name}`);
  const { status } = spawnSync(process.execPath, [runner, "--runtime", binary, ...patterns], { stdio: "inherit" });
  if (status !== 0) failed.push(name);
}
if (failed.length > 0) {
  console.error(`\nfailed on ${failed.join(", ")}`);
  process.exit(1);
}
console.log("\npassed on every runtime");
