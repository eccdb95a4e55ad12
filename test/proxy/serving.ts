/** Servers with `proxyProtocol`, and clients that are not the library's, which write their headers themselves. */
import net from "node:net";
import type { ProxyHeader, ProxyProtocolOptions, Server, SocketAddress, StreamWriter } from "asyncio-streams";
import { addressOf, dial } from "../support/addresses.js";
import { echo } from "../support/echo.js";
import type { Kind } from "../support/pairs.js";

/** A header of version 1. */
export const V1 = "PROXY TCP4 192.0.2.1 198.51.100.7 1025 443\r\n";

/** A client that is not the library's. */
export function dialTo(server: Server): net.Socket {
  return net.connect(dial(addressOf(server))).on("error", () => {});
}

/** The end of a socket, whatever error comes before it. */
export function closed(socket: net.Socket): Promise<void> {
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

/** Everything that comes until the server closes. */
export async function answerTo(socket: net.Socket): Promise<string> {
  let text = "";
  socket.on("data", (data: Buffer) => {
    text += String(data);
  });
  await closed(socket);
  return text;
}

/** What the server was told of its clients and its errors. */
export interface Log {
  readonly peers: {
    peername: SocketAddress | null;
    sockname: SocketAddress | null;
    header: ProxyHeader | null;
    real: SocketAddress | null;
  }[];
  readonly errors: { error: Error & { code?: string; cause?: unknown }; writer: StreamWriter | null }[];
}

/** Serves an echo, and notes what the server is told. */
export async function serveProxied(
  kind: Kind,
  option: true | ProxyProtocolOptions = true,
  more: object = {},
): Promise<Log & { server: Server }> {
  const log: Log = { peers: [], errors: [] };
  const { server } = await kind.serve(
    async (reader, writer) => {
      const [peername, sockname, header] = (["peername", "sockname", "proxy_header"] as const).map((key) => writer.getExtraInfo(key));
      const real = writer.getExtraInfo("socket")!.getpeername();
      log.peers.push({ peername, sockname, header, real } as Log["peers"][0]);
      await echo(reader, writer);
    },
    {
      proxyProtocol: option,
      onClientError: (error, writer) => void log.errors.push({ error: error as Error, writer }),
      ...more,
    },
  );
  return { ...log, server };
}
