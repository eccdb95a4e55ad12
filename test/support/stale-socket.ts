/** Socket files on which nobody listens any more, as a killed process leaves them. */
import { once } from "node:events";
import { renameSync } from "node:fs";
import net from "node:net";
import { socketPath } from "./temporary.js";

/** Makes a stale socket file. */
export async function staleSocket(path: string = socketPath()): Promise<string> {
  // A server removes the name it was bound to when it closes, so that name is moved first.
  const bound = `${path}.bound`;
  const server = net.createServer().listen(bound);
  await once(server, "listening");
  renameSync(bound, path);
  await new Promise((resolve) => server.close(resolve));
  return path;
}
