/**
 * `node scripts/packing.mjs before|after`: puts the modules of the published package (`bundle.mjs`) in place of `dist/`, and restores it.
 * The declarations stay as the compiler wrote them.
 *
 * In the clone, `dist/` has a module for each source. The tests import those, and coverage is measured on them. They are kept in `build/`
 * while a package is made. If that was interrupted, `after` restores them; `prepack` does so first.
 */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../", import.meta.url));
const dist = join(root, "dist");
const kept = join(root, "build", "modules-of-dist");

const [when] = process.argv.slice(2);
if (when === "before") replaceModules();
else if (when === "after") restoreModules();
else throw new Error(`the argument must be before or after, not ${when}`);

function restoreModules() {
  if (!existsSync(kept)) return;
  rmSync(dist, { recursive: true, force: true });
  renameSync(kept, dist);
}

function replaceModules() {
  renameSync(dist, kept);
  try {
    copyDeclarations();
    execFileSync(process.execPath, [join(root, "scripts", "bundle.mjs"), dist], { stdio: "inherit" });
  } catch (error) {
    restoreModules();
    throw error;
  }
}

/** Copies the declarations whose source still exists: the compiler leaves others behind. Those of the command are of no use to a program. */
function copyDeclarations() {
  for (const name of readdirSync(kept, { recursive: true }).filter((file) => /^(?!command\/).*\.d\.ts$/.test(file))) {
    if (!existsSync(join(root, "src", name.replace(/\.d\.ts$/, ".ts")))) continue;
    mkdirSync(dirname(join(dist, name)), { recursive: true });
    cpSync(join(kept, name), join(dist, name));
  }
}
