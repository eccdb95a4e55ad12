/**
 * Runs the compiled tests that this system can run: all of them, and on Windows those below. `node scripts/test-system.mjs`, with the
 * arguments of `test.mjs` before file patterns, such as `--runtime bun`.
 *
 * Windows has no Unix sockets, so the files whose tests need them are left out. These need none.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const WITHOUT_UNIX_SOCKETS = ["architecture/", "base/"];

const patterns = process.platform === "win32" ? WITHOUT_UNIX_SOCKETS : [];
const { status } = spawnSync(
  process.execPath,
  [fileURLToPath(new URL("test.mjs", import.meta.url)), ...process.argv.slice(2), ...patterns],
  { stdio: "inherit" },
);
process.exitCode = status ?? 1;
