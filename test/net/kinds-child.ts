/**
 * Run with the name of a way in which a program may hold the socket at descriptor 3, or that its parent sends it: serves a client of its own with it, and
 * tells what the server's socket is called.
 */
import { once } from "node:events";
import net from "node:net";
import {
  openConnection,
  openUnixConnection,
  type Server,
  type SocketAddress,
  type StreamWriter,
  startServer,
  startUnixServer,
} from "asyncio-streams";
import { outcome } from "../support/outcome.js";
import { tell } from "../support/parent.js";

const [, , how = "", family = ""] = process.argv;

async function listeningOnDescriptor(): Promise<net.Server> {
  const server = net.createServer().listen({ fd: 3 });
  await once(server, "listening");
  return server;
}

const socks: Record<string, () => Promise<net.Server | number>> = {
  descriptor: async () => 3,
  listening: listeningOnDescriptor,
  sent: async () =>
    await new Promise<net.Server>((resolve) => process.once("message", (_message, server) => resolve(server as net.Server))),
};

const serve = (_reader: unknown, writer: StreamWriter): void => {
  writer.write("served\n");
  writer.close();
};

const start = (isUnix: boolean, sock: net.Server | number): Promise<Server> =>
  isUnix ? startUnixServer(serve, null, { sock, startServing: false }) : startServer(serve, null, null, { sock, startServing: false });

/** Connects, and returns the first line and the peer's name. */
async function ask(address: SocketAddress): Promise<readonly [line: string, peername: unknown]> {
  const [reader, writer] = typeof address === "string" ? await openUnixConnection(address) : await openConnection(address[0], address[1]);
  const line = await reader.readline().then(String, () => "");
  const peername = writer.getExtraInfo("peername");
  writer.close();
  await writer.waitClosed().catch(() => {});
  return [line, peername];
}

const sock = await (socks[how] as () => Promise<net.Server | number>)();
const error = await outcome(async () => {
  const server = await start(family === "unix", sock);
  await server.startServing();
  const [socket] = server.sockets;
  const address = socket!.getsockname();
  let [line, peername] = await ask(address);
  while (line !== "served\n") [line, peername] = await ask(address); // the parent, which listens, too, has hung up
  tell({ family: socket!.family, address, peername });
  await server.shutdown();
});
tell({ error });
if (process.connected) process.disconnect();
