/** Connected stream pairs over each kind of socket, so that one suite runs over all of them. */
import {
  type ClientConnectedCallback,
  type OpenConnectionOptions,
  openConnection,
  openUnixConnection,
  type Server,
  type StartServerOptions,
  type StreamReader,
  type StreamWriter,
  startServer,
  startUnixServer,
} from "asyncio-streams";
import { socketPath } from "./temporary.js";

/** One end of a connection. */
export interface End {
  readonly reader: StreamReader;
  readonly writer: StreamWriter;
}

/** Both ends, and the server between them. */
export interface Pair extends AsyncDisposable {
  readonly client: End;
  readonly peer: End;
  readonly server: Server;
}

/** Options that every kind of socket has. */
export interface PairOptions {
  readonly client?: Pick<OpenConnectionOptions, "limit">;
  readonly server?: Pick<StartServerOptions, "limit" | "onClientError">;
}

/** A kind of socket. */
export interface Kind {
  readonly name: string;
  /** Starts a server and tells how to connect to it. */
  readonly serve: (
    callback: ClientConnectedCallback,
    options?: StartServerOptions,
  ) => Promise<{ server: Server; readonly connect: (options?: OpenConnectionOptions) => Promise<[StreamReader, StreamWriter]> }>;
}

/** Unix sockets. */
export const unix: Kind = {
  name: "Unix",
  async serve(callback, options) {
    const path = socketPath();
    const server = await startUnixServer(callback, path, options);
    return { server, connect: (connectOptions) => openUnixConnection(path, connectOptions) };
  },
};

/** TCP over the loopback interface. */
export const tcp: Kind = {
  name: "TCP",
  async serve(callback, options) {
    const server = await startServer(callback, "127.0.0.1", 0, options);
    const connect: (connectOptions?: OpenConnectionOptions) => Promise<[StreamReader, StreamWriter]> = (connectOptions) => {
      const [host, port] = server.sockets[0]!.getsockname() as readonly [string, number];
      return openConnection(host, port, connectOptions);
    };
    return { server, connect };
  },
};

/** Every kind of socket. */
export const kinds: readonly Kind[] = [unix, tcp];

/** Opens a connection; disposing of it ends both ends and the server. */
export async function openPair(kind: Kind, options: PairOptions = {}): Promise<Pair> {
  let accepted!: (end: End) => void;
  const peer = new Promise<End>((resolve) => {
    accepted = resolve;
  });
  const { server, connect } = await kind.serve((reader, writer) => accepted({ reader, writer }), options.server);
  const [reader, writer] = await connect(options.client);
  const pair = { client: { reader, writer }, peer: await peer, server };
  return {
    ...pair,
    async [Symbol.asyncDispose]() {
      server.close();
      pair.client.writer.transport.abort();
      pair.peer.writer.transport.abort();
      await server.waitClosed();
      await pair.client.writer.waitClosed().catch(() => {});
    },
  };
}
