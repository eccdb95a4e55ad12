/** Connections with a recording protocol at each end, or with a bare `net.Socket` at the other. */
import net from "node:net";
import {
  createConnection,
  createServer,
  createUnixConnection,
  createUnixServer,
  type Protocol,
  type ProtocolFactory,
  type Server,
  type Transport,
} from "asyncio-streams";
import { type ProtocolHooks, RecordingProtocol } from "asyncio-streams/testing";
import { socketPath } from "../support/temporary.js";

/** A kind of socket, with protocols instead of streams. */
export interface ProtocolKind {
  readonly name: string;
  readonly serve: (factory: ProtocolFactory) => Promise<Server>;
  readonly connect: <P extends Protocol>(factory: ProtocolFactory<P>, server: Server | net.Server) => Promise<[Transport, P]>;
  readonly listen: (server: net.Server) => Promise<void>;
}

const addressOf = (server: Server | net.Server): unknown =>
  server instanceof net.Server ? server.address() : server.sockets[0]!.getsockname();

export const protocolKinds: readonly ProtocolKind[] = [
  {
    name: "Unix",
    serve: (factory) => createUnixServer(factory, socketPath()),
    connect: (factory, server) => createUnixConnection(factory, addressOf(server) as string),
    listen: (server) => new Promise((resolve) => server.listen(socketPath(), resolve)),
  },
  {
    name: "TCP",
    serve: (factory) => createServer(factory, "127.0.0.1", 0),
    connect: (factory, server) => {
      const address = addressOf(server) as readonly [string, number] | net.AddressInfo;
      return createConnection(factory, "127.0.0.1", "port" in address ? address.port : address[1]);
    },
    listen: (server) => new Promise((resolve) => server.listen(0, "127.0.0.1", resolve)),
  },
];

/** Both ends of a connection. */
export interface ProtocolPair extends AsyncDisposable {
  readonly client: RecordingProtocol;
  readonly peer: RecordingProtocol;
  readonly server: Server;
}

/** Connects two recording protocols; disposing aborts both. */
export async function openProtocols(
  kind: ProtocolKind,
  hooks: { client?: ProtocolHooks; peer?: ProtocolHooks } = {},
): Promise<ProtocolPair> {
  const peer = new RecordingProtocol(hooks.peer);
  const accepted = new Promise<void>((resolve) => {
    const connectionMade = peer.connectionMade.bind(peer);
    peer.connectionMade = (transport) => {
      try {
        connectionMade(transport);
      } finally {
        resolve();
      }
    };
  });
  const server = await kind.serve(() => peer);
  const [, client] = await kind.connect(() => new RecordingProtocol(hooks.client), server);
  await accepted;
  return {
    client,
    peer,
    server,
    async [Symbol.asyncDispose]() {
      server.close();
      client.transport.abort();
      peer.transport.abort();
      await server.waitClosed();
      await Promise.all([client.lost, peer.lost]);
    },
  };
}

/** A connection of ours to a bare socket. */
export interface BarePair extends AsyncDisposable {
  readonly client: RecordingProtocol;
  readonly socket: net.Socket;
}

/** Connects a recording protocol to a bare `net.Socket`; disposing destroys both. */
export async function openToBareSocket(kind: ProtocolKind, hooks: ProtocolHooks = {}): Promise<BarePair> {
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true });
  const accepted = new Promise<net.Socket>((resolve) => server.once("connection", resolve));
  await kind.listen(server);
  const [, client] = await kind.connect(() => new RecordingProtocol(hooks), server);
  const socket = await accepted;
  socket.on("error", () => {});
  return {
    client,
    socket,
    async [Symbol.asyncDispose]() {
      client.transport.abort();
      const closed = new Promise((resolve) => server.close(resolve));
      socket.destroy();
      await Promise.all([client.lost, closed]);
    },
  };
}
