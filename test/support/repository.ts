/** Where the repository is, and what the build does not copy out of it. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository, seen from `build/test/support/`; with a slash at its end. */
export const root: string = fileURLToPath(new URL("../../../", import.meta.url));

/** The path of what lies below `test/` and is no TypeScript: scripts in Python, recordings. */
export function testFile(path: string): string {
  return join(root, "test", path);
}
