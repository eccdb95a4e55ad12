/** Installs missing packages into a folder below build/, apart from the project's own packages: `install(folder, ...packages)`. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const build = fileURLToPath(new URL("../build/", import.meta.url));

/** Installs packages, each with its exact version as `name@1.2.3`; returns the `node_modules` folder of the installation. */
export function install(folder, ...packages) {
  const prefix = join(build, folder);
  const modules = join(prefix, "node_modules");
  // Lists the packages of the last successful installation. Other versions and incomplete installations are installed again.
  const note = join(prefix, "installed.txt");
  const wanted = packages.join(" ");
  if (existsSync(modules) && existsSync(note) && readFileSync(note, "utf8") === wanted) return modules;
  console.log(`installing ${wanted}`);
  mkdirSync(prefix, { recursive: true });
  // Windows: npm is a script of its shell. The arguments have no characters that a shell would change.
  const { status } = spawnSync("npm", ["install", "--no-save", "--no-audit", "--no-fund", "--prefix", prefix, ...packages], {
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  if (status !== 0) throw new Error(`could not install ${wanted}`);
  writeFileSync(note, wanted);
  return modules;
}
