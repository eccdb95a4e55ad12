/**
 * `detachConnection()` and `duplicateListeners()`: what a server hands over to the process that replaces it.
 *
 * A connection that is detached ends in this process only. Its socket is duplicated before this process closes it, so the peer notices
 * nothing. Nothing may be read from the socket between the moment in which the unread bytes are taken and the moment in which it is
 * closed. So both happen in one step, without a turn of the event loop.
 *
 * Deno: reads ahead in another thread, where nothing can be taken back. Only the connections of this entry, which Deno does not read, can
 * be detached there.
 */
import { invalidType, invalidValue, type SignalOptions } from "../base/arguments.js";
import type { NonSharedBuffer } from "../base/bytes.js";
import { ConnectionLostError, InvalidStateError, UnsupportedError } from "../base/errors.js";
import { cancellationOf, checkWaitOptions, withOneDeadline } from "../base/waiting.js";
import type { Transport } from "../contracts/connection.js";
import { disown } from "../net/adopt.js";
import type { ListeningSocket } from "../net/listener.js";
import { Server } from "../net/server.js";
import { FlowControl, flowOf } from "../streams/flow-control.js";
import type { ReadEngine } from "../streams/read-engine.js";
import { StreamWriter } from "../streams/writer.js";
import { SocketTransport } from "../transports/socket.js";
import { Descriptor } from "./descriptor.js";
import { DescriptorTransport } from "./descriptor-transport.js";
import { errnoError } from "./errors.js";
import { FdStreamProtocol } from "./fd-streams.js";
import { descriptorOf, socketOf } from "./sockets.js";
import { systemFor } from "./system.js";

/**
 * Detaches a connection from this process, so that another one can continue it. The peer notices nothing. Not in asyncio.
 *
 * First waits until everything written has been given to the system. Then the connection ends in this process, as if the peer had closed
 * it: reads find EOF, and writes are dropped. The caller gets the socket, and the bytes that were received and not read. Send both to the
 * other process, which continues: `openUnixConnection(null, { sock: descriptor })` (for TCP `openConnection()`), then
 * `reader.unread(received)`.
 *
 * No read may be waiting: end it first, with the `signal` of the read. Then nothing that was received is lost.
 *
 * **If aborted**, or on any error, the connection continues in this process.
 *
 * @param connection the writer or the transport of a Unix or TCP connection without TLS. A protocol of the program has received all bytes
 *   already.
 * @param options `signal` and `timeout` limit the wait for a slow peer
 * @returns the socket, which the caller has to close or to give to an owner, and the bytes that were received and not read
 * @throws TypeError if the connection is secured by TLS, or not over a socket
 * @throws InvalidStateError if a read is waiting; if an adapter, a loop over chunks, or received descriptors may hold what was received;
 *   after `writeEof()`; if `loadUnix()` was not called
 * @throws ConnectionLostError if the connection is closed or lost
 * @throws UnsupportedError on Deno, unless the connection is of `openFdConnection()` or `startFdServer()`
 * @throws the system's error, such as `EMFILE`
 *
 * @example
 * ```ts
 * const [descriptor, received] = await detachConnection(writer);
 * await sender.sendFds(JSON.stringify({ received: received.toString("base64") }) + "\n", [descriptor]);
 * descriptor.close(); // the successor has its own
 * ```
 */
export async function detachConnection(
  connection: StreamWriter | Transport,
  options?: SignalOptions,
): Promise<[descriptor: Descriptor, received: NonSharedBuffer]> {
  const system = systemFor("detachConnection");
  checkWaitOptions("detachConnection", options);
  const socket = socketOf(connection, WHAT);
  const transport: unknown = connection instanceof StreamWriter ? connection.transport : connection;
  if (!(transport instanceof SocketTransport)) throw invalidType("connection", "a StreamWriter or a Transport of a socket", connection);
  if (!transport.canWriteEof()) throw invalidValue(`cannot ${WHAT}: it is secured by TLS, whose keys stay in this process`);
  /* c8 ignore next 2 -- Deno */
  if (process.versions["deno"] !== undefined && !(transport instanceof DescriptorTransport))
    throw new UnsupportedError(`cannot ${WHAT}: Deno may have read ahead; use startFdServer() or openFdConnection()`);
  return await withOneDeadline(cancellationOf(options), async (signal) => {
    checkDetachable(transport);
    do await transport.flushed(signal);
    while (transport.getWriteBufferSize() > 0);
    const engine = checkDetachable(transport);
    const fd = descriptorOf(socket, WHAT);
    const copy = system.duplicate(fd);
    if (copy < 0) throw errnoError(copy, "dup", "of the socket");
    const descriptor = new Descriptor(copy);
    try {
      transport.wire.deliverAll();
      checkDetachable(transport);
      const received = engine?.queue.takeAll() ?? Buffer.alloc(0);
      transport.abort();
      disown(fd); // its number, and the socket, may be adopted again
      return [descriptor, received];
    } catch (error) {
      descriptor.close(); // the protocol has thrown, or the memory of the bytes is detached
      throw error;
    }
  });
}

const WHAT = "detach the connection";

/** Throws unless a connection can be detached now. Returns the engine of its reader. */
function checkDetachable(transport: SocketTransport): ReadEngine | null {
  if (transport.ended.ours) throw new InvalidStateError(`cannot ${WHAT}: writeEof() was called`);
  if (transport.state === "securing") throw new InvalidStateError(`cannot ${WHAT}: a startTls() is in progress`);
  if (transport.state !== "open") throw new ConnectionLostError(`cannot ${WHAT}: it is closed or lost`);
  const protocol = transport.getProtocol();
  if (protocol instanceof FdStreamProtocol && protocol.bufferedFds > 0)
    throw new InvalidStateError(`cannot ${WHAT}: ${protocol.bufferedFds} received descriptors were not taken`);
  const engine = protocol instanceof FlowControl ? flowOf(protocol).engine : null;
  if (engine?.isInUse === true) throw new InvalidStateError(`cannot ${WHAT}: a read is waiting`);
  const taker = engine?.securing.taker;
  if (taker !== undefined) throw new InvalidStateError(`cannot ${WHAT}: ${taker}() may hold bytes that it has taken from the reader`);
  return engine;
}

/**
 * Duplicates the listening sockets of a server, for a process that continues to listen on them, by
 * `startUnixServer(callback, null, { sock })`, or `startServer()` for TCP. No client is refused in between: clients that connect wait in
 * the queue of the socket until one of the processes accepts them. Not in asyncio.
 *
 * The server itself goes on. Start the server of a Unix path with `cleanupSocket: false`, or `close()` would remove the socket's file.
 *
 * @param server a server that listens
 * @returns the sockets, in the order of `server.sockets`; the caller has to close them or to give them to an owner
 * @throws TypeError if `server` is no `Server`
 * @throws InvalidStateError if the server is closed or does not listen yet, or if `loadUnix()` was not called
 * @throws UnsupportedError if the runtime does not report the descriptors, such as those of TCP sockets on Deno
 * @throws the system's error, such as `EMFILE`
 *
 * @example
 * ```ts
 * const listeners = duplicateListeners(server);
 * await sender.sendFds("listeners\n", listeners);
 * for (const listener of listeners) listener.close(); // the successor has its own
 * server.close();
 * ```
 */
export function duplicateListeners(server: Server): Descriptor[] {
  const system = systemFor("duplicateListeners");
  if (!(server instanceof Server)) throw invalidType("server", "a Server", server);
  if (!server.isServing()) throw new InvalidStateError("cannot duplicate the listening sockets: the server does not listen");
  const descriptors: Descriptor[] = [];
  try {
    for (const { fd } of server.sockets as readonly ListeningSocket[]) {
      /* c8 ignore next -- Deno: TCP */
      if (fd < 0) throw new UnsupportedError("cannot duplicate the listening sockets: the runtime does not report their descriptors");
      const copy = system.duplicate(fd);
      if (copy < 0) throw errnoError(copy, "dup", `of descriptor ${fd}`);
      descriptors.push(new Descriptor(copy));
    }
    /* c8 ignore next 4 -- this process may open no more descriptors */
  } catch (error) {
    for (const descriptor of descriptors) descriptor.close();
    throw error;
  }
  return descriptors;
}
