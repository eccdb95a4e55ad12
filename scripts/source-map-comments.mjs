/**
 * `node scripts/source-map-comments.mjs remove|restore`: before and after packing. The source maps are not packed, so the comments that name them would lead
 * nowhere, which some bundlers complain of in their users' builds; in the clone, the measuring of coverage needs them.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

const dist = fileURLToPath(new URL("../dist/", import.meta.url));
const [what] = process.argv.slice(2);
if (what !== "remove" && what !== "restore") throw new Error(`remove or restore, not ${what}`);

for (const name of readdirSync(dist, { recursive: true }).filter((file) => file.endsWith(".js"))) {
  const path = join(dist, name);
  const before = readFileSync(path, "utf8");
  const bare = before.replace(/\n\/\/# sourceMappingURL=\S+\s*$/, "\n");
  const after = what === "remove" ? bare : `${bare}//# sourceMappingURL=${basename(name)}.map`;
  if (after !== before) writeFileSync(path, after);
}
