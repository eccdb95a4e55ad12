/** Every way by which bytes come from one end of a connection to the other: each transport and each wire. */
import { once } from "node:events";
import net from "node:net";
import { openUnixConnection } from "asyncio-streams";
import { memoryPair } from "asyncio-streams/testing";
import { abortAll } from "./abort-all.js";
import { addressOf, dial } from "./addresses.js";
import { type End, type Kind, openPair, tcp, unix } from "./pairs.js";
import { tcpTls } from "./tls-kinds.js";

/** Both ends of a connection; disposing of it ends them. */
export interface Ends extends AsyncDisposable {
  readonly client: End;
  readonly peer: End;
}

export interface Route {
  readonly name: string;
  /** @param limit of the client's reader */
  readonly open: (limit?: number) => Promise<Ends>;
}

/** Unix sockets of which the client adopts one of Node's, and so goes the documented way. */
export const unixBySock: Kind = {
  name: "Unix by sock",
  async serve(callback, options) {
    const { server } = await unix.serve(callback, options);
    return {
      server,
      async connect(connectOptions) {
        const sock = net.connect({ ...dial(addressOf(server)), allowHalfOpen: true });
        await once(sock, "connect");
        return openUnixConnection(null, { ...connectOptions, sock });
      },
    };
  },
};

/** The kinds of socket whose client is driven in different ways. */
export const socketKinds: readonly Kind[] = [unix, tcp, unixBySock, tcpTls];

async function openInMemory(limit?: number): Promise<Ends> {
  const [client, peer] = memoryPair({ limit });
  return { client, peer, [Symbol.asyncDispose]: () => abortAll([client.writer, peer.writer]) };
}

export const routes: readonly Route[] = [
  ...socketKinds.map((kind) => ({
    name: kind.name,
    open: (limit?: number) => openPair(kind, limit === undefined ? {} : { client: { limit } }),
  })),
  { name: "memory", open: openInMemory },
];
