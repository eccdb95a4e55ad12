/** `startFdServer()`: serves clients on a Unix socket with stream pairs that carry descriptors. */
import { checkFunction } from "../base/arguments.js";
import { type KnownOptions, knownOptions } from "../base/known-options.js";
import { checkWaitOptions } from "../base/waiting.js";
import type { ProtocolFactory } from "../contracts/connection.js";
import { takingSock } from "../net/adopt.js";
import type { ConnectionContext, ConnectionKind } from "../net/connection-context.js";
import { listenOnPath, type UnixServerOptions } from "../net/listen.js";
import type { Server } from "../net/server.js";
import type { PathLike } from "../net/socket-file/unix-path.js";
import { type ClientErrorHandler, reportClientError } from "../streams/protocol.js";
import type { Wire } from "../transports/wire.js";
import { type DescriptorProtocol, startDescriptorTransport } from "./descriptor-transport.js";
import { DescriptorWire } from "./descriptor-wire.js";
import { errnoError } from "./errors.js";
import type { FdClientConnectedCallback } from "./fd-streams.js";
import { checkFdStreams, type FdStreamOptions } from "./open-fd-connection.js";
import { type System, systemFor } from "./system.js";

/** Options of `startFdServer()`. TLS and the PROXY protocol are not supported. */
export interface StartFdServerOptions
  extends Omit<UnixServerOptions, "onError" | "ssl" | "sslHandshakeTimeout" | "sslShutdownTimeout" | "proxyProtocol">,
    FdStreamOptions {
  /**
   * Receives what a client's callback throws, and errors before the callback is called (`writer` is `null` then). Default: a process
   * warning with the stack.
   */
  readonly onClientError?: ClientErrorHandler | undefined;
}

const OPTIONS: KnownOptions = knownOptions<StartFdServerOptions>({
  limit: true,
  fdLimit: true,
  onClientError: true,
  backlog: true,
  startServing: true,
  maxConnections: true,
  signal: true,
  timeout: true,
  sock: true,
  mode: true,
  owner: true,
  takeover: true,
  cleanupSocket: true,
  authorize: true,
});

/**
 * Serves clients on a Unix socket, with stream pairs that carry descriptors beside bytes. Otherwise like `startUnixServer()`.
 *
 * **If aborted**, the server is closed. If the call has not returned yet, it rejects with the signal's reason.
 *
 * @param clientConnectedCb called with reader, writer and `{ signal }`, which is aborted when the server shuts down
 * @param path where to listen, as for `startUnixServer()`, unless `sock` is given
 * @param options those of `startUnixServer()` without TLS and the PROXY protocol, and `fdLimit`, default 512
 * @throws TypeError or RangeError for a wrong argument; InvalidStateError if `loadUnix()` was not called; the errors of
 *   `startUnixServer()`
 *
 * @example
 * ```ts
 * await loadUnix();
 * const server = await startFdServer(async (receiver, sender) => {
 *   const [data, descriptors] = await receiver.receiveFds(65_536);
 *   for (const descriptor of descriptors) descriptor.close();
 *   sender.write(`${data.length} bytes, ${descriptors.length} descriptors\n`);
 *   sender.close();
 * }, "/run/app.sock");
 * ```
 */
export async function startFdServer(
  clientConnectedCb: FdClientConnectedCallback,
  path?: PathLike | null,
  options?: StartFdServerOptions,
): Promise<Server> {
  return await takingSock(options?.sock, async (handOver) => {
    const system = systemFor("startFdServer");
    checkFunction("clientConnectedCb", clientConnectedCb);
    checkWaitOptions("startFdServer", options, OPTIONS);
    const streams = checkFdStreams(system, options);
    const onClientError = options?.onClientError;
    if (onClientError !== undefined) checkFunction("onClientError", onClientError);
    handOver();
    const call = {
      name: "startFdServer",
      known: OPTIONS,
      protocolFactory: () => streams.accept(clientConnectedCb, { onClientError }),
      onError: (error: unknown) => reportClientError(onClientError, error, null),
      kind: new DescriptorConnections(system),
    };
    return await listenOnPath(call, path, options);
  });
}

/** Makes connections that carry descriptors of accepted ones. */
class DescriptorConnections implements ConnectionKind {
  readonly #system: System;

  constructor(system: System) {
    this.#system = system;
  }

  /** Moves a connection from the runtime's handle to a descriptor of its own, before the runtime reads from it. */
  convert(wire: Wire): Wire {
    const fd = this.#system.duplicate(wire.fd);
    if (fd < 0) throw errnoError(fd, "dup", "of an accepted connection");
    wire.destroy();
    return new DescriptorWire(this.#system, fd);
  }

  start(wire: Wire, protocolFactory: ProtocolFactory, facts: ConnectionContext): void {
    startDescriptorTransport(wire as DescriptorWire, protocolFactory() as DescriptorProtocol, facts);
  }
}
