/** Run with the names of calls: makes each with the socket at descriptor 3, 4, ..., and tells its outcome and whether the descriptor was closed. */
import { readlinkSync } from "node:fs";
import net from "node:net";
import { BaseProtocol, connectAcceptedSocket, openConnection, openUnixConnection, startServer, startUnixServer } from "asyncio-streams";
import { outcome } from "../support/outcome.js";
import { tell } from "../support/parent.js";

const calls: Record<string, (sock: number) => Promise<unknown>> = {
  openConnection: (sock) => openConnection(null, null, { sock }),
  openUnixConnection: (sock) => openUnixConnection(null, { sock }),
  connectAcceptedSocket: (sock) => connectAcceptedSocket(() => new BaseProtocol(), sock),
  "openConnection(net.Socket)": (fd) => openConnection(null, null, { sock: new net.Socket({ fd, readable: true, writable: true }) }),
  "openUnixConnection(net.Socket)": (fd) => openUnixConnection(null, { sock: new net.Socket({ fd, readable: true, writable: true }) }),
  startServer: (sock) => startServer(() => {}, null, null, { sock }),
  startUnixServer: (sock) => startUnixServer(() => {}, null, { sock }),
};

function socketAt(fd: number): string | null {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return null;
  }
}

for (const [index, call] of process.argv.slice(2).entries()) {
  const fd = 3 + index;
  const socket = socketAt(fd);
  const error = await outcome(() => (calls[call] as (sock: number) => Promise<unknown>)(fd));
  tell({ error, closed: socketAt(fd) !== socket });
}
