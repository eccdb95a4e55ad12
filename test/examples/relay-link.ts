/** A server, the relay of `examples/relay.ts` in front of it, and connections through both. */
import type { Server, SocketAddress } from "asyncio-streams";
import { startRelay } from "../../examples/relay.js";
import { addressOf, openTo } from "../support/addresses.js";
import { type End, type Kind, unix } from "../support/pairs.js";
import { socketPath } from "../support/temporary.js";

/** All of it. */
export interface Link extends AsyncDisposable {
  /** The port of the relay, over TCP. */
  readonly port: number;
  /** What the relay has printed. */
  readonly lines: string[];
  /** Connects to the relay; gives both ends once the server has its own. */
  connect(): Promise<{ readonly client: End; readonly server: End }>;
  /** Connects to the relay. */
  connectClient(): Promise<End>;
  /** The server's end of the next connection. */
  accepted(): Promise<End>;
  /** Takes the server away. */
  stopServer(): Promise<void>;
}

/** An address as the relay takes it. */
function written(address: SocketAddress): string {
  return typeof address === "string" ? address : `${address[0]}:${address[1]}`;
}

async function stop(server: Server): Promise<void> {
  server.close();
  server.abortClients();
  await server.waitClosed();
}

/** Starts a server and a relay to it; what `print` returns is what the relay waits for when it prints. */
export async function startLink(from: Kind, to: Kind, print?: (text: string) => Promise<void> | undefined): Promise<Link> {
  const ends: End[] = [];
  let tell = (): void => {};
  const { server } = await to.serve((reader, writer) => {
    ends.push({ reader, writer });
    tell();
  });
  const lines: string[] = [];
  const relay = await startRelay(from === unix ? socketPath("relay.sock") : "127.0.0.1:0", written(addressOf(server)), (text) => {
    lines.push(...text.trimEnd().split("\n"));
    return print?.(text);
  });
  const address = addressOf(relay);

  async function accepted(): Promise<End> {
    if (ends.length === 0) await new Promise<void>((resolve) => (tell = resolve));
    return ends.shift() as End;
  }

  async function connectClient(): Promise<End> {
    const [reader, writer] = await openTo(address);
    return { reader, writer };
  }

  return {
    port: Number(address[1]),
    lines,
    accepted,
    connectClient,
    connect: async () => ({ client: await connectClient(), server: await accepted() }),
    stopServer: () => stop(server),
    async [Symbol.asyncDispose]() {
      await Promise.all([stop(relay), stop(server)]);
    },
  };
}
