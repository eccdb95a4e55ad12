/** Takes over the path, serves, and ends by itself when it has been told to close and its last client has gone. It answers with its process id. */

import { commands, tell } from "../support/parent.js";
import { serve } from "./answering.js";

const server = await serve(`${process.pid}`, process.argv[2] as string, { takeover: true });
tell("serving");
for await (const _close of commands()) break;
server.close();
await server.waitClosed();
tell("closed");
process.exit();
