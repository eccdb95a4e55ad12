/** Run with a directory: tries to serve and to connect in it as somebody without rights, and tells what came of it. */
import { join } from "node:path";
import { openUnixConnection, startUnixServer } from "asyncio-streams";
import { outcome } from "../support/outcome.js";
import { tell } from "../support/parent.js";

const directory = process.argv[2] as string;
if (process.getuid?.() === 0) {
  process.setgroups?.([]);
  process.setgid?.(65_534);
  process.setuid?.(65_534);
}

const serve = await outcome(async () => {
  const server = await startUnixServer(() => {}, join(directory, "new.sock"));
  await server.shutdown();
});
const connect = await outcome(async () => {
  const [, writer] = await openUnixConnection(join(directory, "live.sock"));
  writer.transport.abort();
});
tell({ serve, connect });
