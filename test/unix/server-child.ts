/** A process with servers in it, that is told to start one, to close the oldest, and to set its umask. They answer with its process id.
 * With the argument "nobody", as somebody without rights. */
import { existsSync } from "node:fs";
import type { Server, StartUnixServerOptions } from "asyncio-streams";
import { outcome } from "../support/outcome.js";
import { commands, tell } from "../support/parent.js";
import { serve } from "./answering.js";

/** The user without rights. */
const NOBODY = 65_534;
if (process.argv[2] === "nobody" && process.getuid?.() === 0) {
  process.setgroups?.([]);
  process.setgid?.(NOBODY);
  process.setuid?.(NOBODY);
}

/** Starters that race wait at the same gate, so that they are off at the same moment: they look without a rest. */
function waitAt(gate: string): void {
  tell("ready");
  while (!existsSync(gate));
}

const servers: Server[] = [];

for await (const [command, ...args] of commands()) {
  if (command === "start") {
    const [path, options, gate] = args as [string, StartUnixServerOptions | undefined, string | undefined];
    if (gate !== undefined) waitAt(gate);
    tell(
      await outcome(async () => {
        servers.push(await serve(`${process.pid}`, path, options));
      }),
    );
  } else if (command === "umask") tell(process.umask(args[0] as number));
  else {
    // The oldest, which has clients until they have gone.
    const server = servers.shift();
    server?.close();
    await server?.waitClosed();
    tell("closed");
  }
}
// With its servers, if it still has some.
process.exit();
