/** The ways in which a client gets its streams: each meets another wire. */
import { once } from "node:events";
import net from "node:net";
import {
  type OpenConnectionOptions,
  openConnection,
  openUnixConnection,
  type SocketAddress,
  StreamReader,
  StreamWriter,
} from "asyncio-streams";
import { openFdConnection } from "asyncio-streams/unix";
import { dial, openTo } from "../test/support/addresses.js";

export type Pair = [StreamReader, StreamWriter];

/**
 * The library connects; it connects for descriptors, too; it is given a socket by `sock`; or it has only the two sides of a Duplex, by
 * `from()`.
 */
export type Via = "open" | "descriptors" | "sock" | "duplex";

/** Connects to an address. */
export async function openVia(via: Via, address: SocketAddress, options: OpenConnectionOptions): Promise<Pair> {
  if (via === "open") return openTo(address, options);
  const { signal, limit } = options;
  if (via === "descriptors") return openFdConnection(address as string, { signal, limit });
  const sock = net.connect({ ...dial(address), allowHalfOpen: true });
  try {
    await once(sock, "connect", signal === undefined ? {} : { signal });
  } catch (error) {
    sock.destroy();
    throw error;
  }
  if (via === "duplex") return [StreamReader.from(sock, { limit }), StreamWriter.from(sock)];
  return typeof address === "string" ? openUnixConnection(null, { ...options, sock }) : openConnection(null, null, { ...options, sock });
}
