/** Connections with a recording protocol at each end, or with a bare `net.Socket` at the other. */
import type net from "node:net";
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
import { addressOf } from "../support/addresses.js";
import { type BareServer, bareServer } from "../support/bare-sockets.js";
import { socketPath } from "../support/temporary.js";

/** A kind of socket, with protocols instead of streams. */
export interface ProtocolKind {
  readonly name: string;
  readonly serve: (factory: ProtocolFactory) => Promise<Server>;
  /** A bare server on a socket of this kind. */
  readonly listen: () => Promise<BareServer>;
}

export const protocolKinds: readonly ProtocolKind[] = [
  { name: "Unix", serve: (factory) => createUnixServer(factory, socketPath()), listen: () => bareServer(socketPath()) },
  { name: "TCP", serve: (factory) => createServer(factory, "127.0.0.1", 0), listen: () => bareServer() },
];

/** Connects a protocol to a server. */
export function connectTo<P extends Protocol>(factory: ProtocolFactory<P>, server: Server | net.Server): Promise<[Transport, P]> {
  const address = addressOf(server);
  return typeof address === "string" ? createUnixConnection(factory, address) : createConnection(factory, address[0], address[1]);
}

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
  const [, client] = await connectTo(() => new RecordingProtocol(hooks.client), server);
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
  const far = await kind.listen();
  const [, client] = await connectTo(() => new RecordingProtocol(hooks), far.server);
  return {
    client,
    socket: await far.accepted(),
    async [Symbol.asyncDispose]() {
      client.transport.abort();
      await Promise.all([client.lost, far[Symbol.asyncDispose]()]);
    },
  };
}
