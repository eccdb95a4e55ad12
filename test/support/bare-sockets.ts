/** Bare servers and sockets of `node:net`, for the far end of a test and to be handed over. */
import { once } from "node:events";
import net from "node:net";
import { socketPath } from "./temporary.js";

/** A listening `net.Server` that counts its connections, and closes them with itself. */
export interface BareServer extends AsyncDisposable {
  readonly server: net.Server;
  readonly sockets: net.Socket[];
  /** The path, or the port on 127.0.0.1. */
  readonly path: string;
  readonly port: number;
  /** The next connection. */
  readonly accepted: () => Promise<net.Socket>;
}

/** Listens on a path or, without one, on a port of 127.0.0.1. */
export async function bareServer(path?: string): Promise<BareServer> {
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true });
  const sockets: net.Socket[] = [];
  let taken = 0;
  server.on("connection", (socket) => sockets.push(socket.on("error", () => {})));
  server.listen(path === undefined ? { host: "127.0.0.1", port: 0 } : { path });
  await once(server, "listening");
  const address = server.address() as net.AddressInfo | string;
  return {
    server,
    sockets,
    path: path ?? "",
    port: typeof address === "string" ? 0 : address.port,
    async accepted() {
      while (sockets.length <= taken) await once(server, "connection");
      taken += 1;
      return sockets[taken - 1]!;
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** A connected socket and the server at its other end. */
export async function bareConnection(family: "unix" | "tcp"): Promise<{ far: BareServer; socket: net.Socket }> {
  const far = await bareServer(family === "unix" ? socketPath() : undefined);
  const socket = net.connect(family === "unix" ? { path: far.path } : { host: "127.0.0.1", port: far.port });
  await once(socket, "connect");
  return { far, socket };
}

/** A listening server without a 'connection' listener, as it is handed over. */
export async function listeningServer(family: "unix" | "tcp"): Promise<net.Server> {
  const server = net.createServer();
  server.listen(family === "unix" ? { path: socketPath() } : { host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  return server;
}

/** A port on 127.0.0.1 that nobody listens on: it was free a moment ago. */
export async function freePort(): Promise<number> {
  const { port, ...far } = await bareServer();
  await far[Symbol.asyncDispose]();
  return port;
}
