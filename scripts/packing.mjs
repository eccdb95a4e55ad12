/**
 * `node scripts/packing.mjs before|after`: makes `dist/` fit to be packed, and takes it back.
 *
 * - What a source that is gone has left there, which the compiler does not clear away, is removed.
 * - So are the comments that name source maps. The maps are not packed, so these would lead nowhere, and some bundlers complain of that in their users'
 *   builds. In the clone the measuring of coverage needs them: they are put back afterwards.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

const dist = fileURLToPath(new URL("../dist/", import.meta.url));
const src = fileURLToPath(new URL("../src/", import.meta.url));
const [when] = process.argv.slice(2);
if (when !== "before" && when !== "after") throw new Error(`before or after, not ${when}`);

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
