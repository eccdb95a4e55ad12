/** The library's own transports, as `checkTransport()` wants them: each makes a connection between two protocols. */
import { createConnection, createServer, createUnixConnection, createUnixServer, type Server } from "asyncio-streams";
import { connectMemory, hostile, type MakePair, type MemoryOptions } from "asyncio-streams/testing";
import { identity, trust } from "../support/certificates.js";
import { socketPath } from "../support/temporary.js";

/** A kind of transport. */
export interface TransportKind {
  readonly name: string;
  readonly makePair: MakePair;
}

const clientTls = { ssl: trust, serverHostname: "localhost" };
const serverTls = { ssl: identity("server") };

/** What closes a server whose clients are gone. */
function closing(server: Server): () => Promise<void> {
  return async () => {
    server.close();
    await server.waitClosed();
  };
}

function overUnix(name: string, client: typeof clientTls | undefined, serverOptions: typeof serverTls | undefined): TransportKind {
  return {
    name,
    async makePair(first, second) {
      const path = socketPath();
      const server = await createUnixServer(() => second, path, serverOptions);
      await createUnixConnection(() => first, path, client);
      return closing(server);
    },
  };
}

function overTcp(name: string, client: typeof clientTls | undefined, serverOptions: typeof serverTls | undefined): TransportKind {
  return {
    name,
    async makePair(first, second) {
      const server = await createServer(() => second, "127.0.0.1", 0, serverOptions);
      const [host, port] = server.sockets[0]!.getsockname() as readonly [string, number];
      await createConnection(() => first, host, port, client);
      return closing(server);
    },
  };
}

/** A transport in memory. */
export function inMemory(name: string, options: () => MemoryOptions): TransportKind {
  return { name, makePair: (first, second) => void connectMemory(first, second, options()) };
}

/** Those without a socket. */
export const memoryKinds: readonly TransportKind[] = [
  inMemory("memory", () => ({})),
  inMemory("memory with little room", () => ({ capacity: 1_000, hostile: hostile.randomCuts(1) })),
  inMemory("memory in random cuts", () => ({ hostile: hostile.randomCuts(7, 5_000) })),
  inMemory("memory that cannot be half-closed", () => ({ halfClose: false })),
];

/** Those with one. */
export const socketKinds: readonly TransportKind[] = [
  overUnix("Unix", undefined, undefined),
  overTcp("TCP", undefined, undefined),
  overUnix("TLS over Unix", clientTls, serverTls),
  overTcp("TLS over TCP", clientTls, serverTls),
];
