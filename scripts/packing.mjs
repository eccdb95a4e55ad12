/**
 * `node scripts/packing.mjs before|after`: prepares `dist/` for packing, and restores it afterwards.
 *
 * - Removes files whose source no longer exists, which the compiler leaves behind.
 * - Removes the comments that name source maps. The maps are not packed, and some bundlers warn about missing maps in their users' builds.
 *   Coverage needs the comments in the clone, so `after` restores them.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

const dist = fileURLToPath(new URL("../dist/", import.meta.url));
const src = fileURLToPath(new URL("../src/", import.meta.url));
const [when] = process.argv.slice(2);
if (when !== "before" && when !== "after") throw new Error(`the argument must be before or after, not ${when}`);

for (const name of readdirSync(dist, { recursive: true }).filter((file) => /\.(js|d\.ts|js\.map)$/.test(file))) {
  const path = join(dist, name);
  if (!existsSync(join(src, name.replace(/\.(js|d\.ts|js\.map)$/, ".ts")))) rmSync(path);
  else if (name.endsWith(".js")) {
    const compiled = readFileSync(path, "utf8");
    const bare = compiled.replace(/\n\/\/# sourceMappingURL=\S+\s*$/, "\n");
    const wanted = when === "before" ? bare : `${bare}//# sourceMappingURL=${basename(name)}.map`;
    if (wanted !== compiled) writeFileSync(path, wanted);
  }
}
