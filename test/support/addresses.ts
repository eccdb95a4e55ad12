/** Where servers listen, ours and Node's, and how to get there. */
import net from "node:net";
import {
  type OpenConnectionOptions,
  openConnection,
  openUnixConnection,
  type Server,
  type SocketAddress,
  type StreamReader,
  type StreamWriter,
} from "asyncio-streams";

/** The address of a server that listens on one. */
export function addressOf(server: Server | net.Server): SocketAddress {
  if (!(server instanceof net.Server)) return server.sockets[0]!.getsockname();
  const address = server.address() as string | net.AddressInfo;
  return typeof address === "string" ? address : [address.address, address.port];
}

/** An address as `net.connect()` takes it. */
export function dial(address: SocketAddress): { path: string } | { host: string; port: number } {
  return typeof address === "string" ? { path: address } : { host: address[0], port: address[1] };
}

/** Connects to an address. */
export function openTo(address: SocketAddress, options?: OpenConnectionOptions): Promise<[StreamReader, StreamWriter]> {
  return typeof address === "string" ? openUnixConnection(address, options) : openConnection(address[0], address[1], options);
}
