/**
 * Run with "tcp", "unix" or "server": gives the descriptor of a socket that is in use to every call, and tells the outcome of each, and then what an echo
 * over the socket, or over a new connection to the server, has returned. (In a process of its own: Node leaves the handle open for which `net.Socket`
 * has found the descriptor in use.)
 */
import { once } from "node:events";
import net from "node:net";
import { BaseProtocol, connectAcceptedSocket, openConnection, openUnixConnection, startServer, startUnixServer } from "asyncio-streams";
import { bareConnection } from "../support/bare-sockets.js";
import { outcome } from "../support/outcome.js";
import { tell } from "../support/parent.js";

const [, , kind] = process.argv;
const { far, socket } = await bareConnection(kind === "unix" ? "unix" : "tcp");
const accepted = await far.accepted();
const fd = ((kind === "server" ? far.server : socket) as unknown as { _handle: { fd: number } })._handle.fd;

const calls: Readonly<Record<string, () => Promise<unknown>>> = {
  openConnection: () => openConnection(null, null, { sock: fd }),
  "openConnection with a wrong option": () => openConnection(null, null, { sock: fd, limit: 0 }),
  openUnixConnection: () => openUnixConnection(null, { sock: fd }),
  connectAcceptedSocket: () => connectAcceptedSocket(() => new BaseProtocol(), fd),
  startServer: () => startServer(() => {}, null, null, { sock: fd }),
  startUnixServer: () => startUnixServer(() => {}, null, { sock: fd }),
  "net.Socket": async () => new net.Socket({ fd }),
};
for (const [name, call] of Object.entries(calls)) tell([name, await outcome(call)]);

async function echo(one: net.Socket, other: net.Socket): Promise<string> {
  other.pipe(other);
  one.write("still there");
  return String((await once(one, "data"))[0]);
}
if (kind === "server") {
  const again = net.connect(far.port, "127.0.0.1");
  tell(await echo(again, await far.accepted()));
} else tell(await echo(socket, accepted));
process.exit();
