/**
 * Starts one server and kills itself at the given step of that: before the n-th change of a file. Tells how many steps there were if it lives on.
 *
 * It changes the functions of `node:fs` under the library's hands, so that every moment is met.
 */
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import type { StartUnixServerOptions } from "asyncio-streams";
import { tell } from "../support/parent.js";

const [path, fatalStep, options] = process.argv.slice(2) as [string, string, string];
let steps = 0;
for (const name of ["mkdirSync", "chmodSync", "linkSync", "renameSync", "unlinkSync", "rmdirSync"] as const) {
  const original = fs[name] as (...args: unknown[]) => unknown;
  (fs as Record<string, unknown>)[name] = (...args: unknown[]): unknown => {
    steps += 1;
    if (steps === Number(fatalStep)) process.kill(process.pid, "SIGKILL");
    return original(...args);
  };
}
syncBuiltinESMExports();

const { serve } = await import("./answering.js");
await serve("stepping", path, JSON.parse(options) as StartUnixServerOptions);
tell(steps);
process.exit();
