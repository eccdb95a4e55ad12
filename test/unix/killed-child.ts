/** Starts and ends servers on a path without end: on a free path, over a stale file, and by takeover, against others who do the same. It waits to be killed. */
import type { StartUnixServerOptions } from "asyncio-streams";
import { tell } from "../support/parent.js";
import { end, serve } from "./answering.js";

const path = process.argv[2] as string;
tell("begins");
for (;;) {
  for (const options of [{ cleanupSocket: false, mode: 0o660 }, {}, { takeover: true }] satisfies StartUnixServerOptions[]) {
    try {
      await end(await serve("doomed", path, options));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    }
  }
}
