/** `startServer()` and `startUnixServer()`: call a function with a stream pair for each client. Python's functions of the same names. */
import { checkFunction } from "./base/arguments.js";
import { type KnownOptions, knownOptions, type OptionNames } from "./base/known-options.js";
import { checkLimit } from "./base/limits.js";
import { checkWaitOptions } from "./base/waiting.js";
import type { IpSocketAddress, SocketAddress, UnixSocketAddress } from "./contracts/extra-info.js";
import { takingSock } from "./net/adopt.js";
import {
  listenOnHosts,
  listenOnPath,
  TCP_SERVER_NAMES,
  type TcpServerOptions,
  UNIX_SERVER_NAMES,
  type UnixServerOptions,
} from "./net/listen.js";
import type { ListenCall, ServerOptions } from "./net/options.js";
import type { Server } from "./net/server.js";
import type { PathLike } from "./net/socket-file/unix-path.js";
import type { StreamReaderOptions } from "./streams/base-reader.js";
import { type ClientConnectedCallback, type ClientErrorHandler, reportClientError, StreamReaderProtocol } from "./streams/protocol.js";
import { StreamReader } from "./streams/reader.js";

/** The options that both stream servers share. */
export interface StreamServerOptions extends StreamReaderOptions {
  /**
   * Receives what a client's callback throws, and errors before the callback is called (`writer` is `null` then). Default: a process
   * warning with the stack.
   */
  readonly onClientError?: ClientErrorHandler | undefined;
}

/** Options of `startUnixServer()`. */
export interface StartUnixServerOptions extends Omit<UnixServerOptions, "onError">, StreamServerOptions {}

/** Options of `startServer()`. */
export interface StartServerOptions extends Omit<TcpServerOptions, "onError">, StreamServerOptions {}

/** The addresses that a server's callback finds: those of its own sockets, or with `proxyProtocol` those in the headers, of either kind. */
export type PeerAddress<Address extends SocketAddress, Proxy> = Proxy extends false | undefined ? Address : SocketAddress;

const STREAM_NAMES: OptionNames<StreamServerOptions> = { limit: true, onClientError: true };
const UNIX_OPTIONS: KnownOptions = knownOptions<StartUnixServerOptions>({ ...STREAM_NAMES, ...UNIX_SERVER_NAMES });
const TCP_OPTIONS: KnownOptions = knownOptions<StartServerOptions>({ ...STREAM_NAMES, ...TCP_SERVER_NAMES });

/**
 * Serves clients on a Unix socket. Python's `asyncio.start_unix_server()`.
 *
 * A stale socket file, on which no server listens any more, is replaced; the path of a live server gives `EADDRINUSE`. The callback may
 * be async. If it throws, the error is reported, its connection is closed, and the server keeps running.
 *
 * **If aborted**, the server is closed. If the call has not returned yet, it rejects with the signal's reason.
 *
 * @param clientConnectedCb called with reader, writer and `{ signal }`, which is aborted when the server shuts down
 * @param path where to listen (text, bytes or a `file:` URL; a leading `"\0"` for an abstract name on Linux), unless `sock` is given
 * @param options `limit` of the readers in bytes, default 65,536; `mode` of the socket file; `cleanupSocket`, default true; `backlog`,
 *   default 511; `startServing`, default true; `maxConnections`; `onClientError`; `sock`; `signal`; `timeout` of starting in ms
 * @throws TypeError or RangeError for a wrong argument; `ENAMETOOLONG` if the path exceeds the system's limit; `EADDRINUSE` if a server
 *   listens there; otherwise the system's error
 *
 * @example
 * ```ts
 * const server = await startUnixServer(
 *   async (reader, writer) => {
 *     for await (const line of reader) {
 *       writer.write(line);
 *       await writer.drain();
 *     }
 *     writer.close();
 *   },
 *   "/run/app/app.sock",
 *   { mode: 0o660 },
 * );
 * await server.serveForever();
 * ```
 */
export async function startUnixServer<Proxy extends ServerOptions["proxyProtocol"] = undefined>(
  clientConnectedCb: ClientConnectedCallback<PeerAddress<UnixSocketAddress, Proxy>>,
  path?: PathLike | null,
  options?: StartUnixServerOptions & { readonly proxyProtocol?: Proxy },
): Promise<Server<UnixSocketAddress>> {
  return await takingSock(options?.sock, async (handOver) => {
    const call = streamServer("startUnixServer", UNIX_OPTIONS, clientConnectedCb, options);
    handOver();
    return await listenOnPath(call, path, options);
  });
}

/**
 * Serves clients over TCP. Python's `asyncio.start_server()`. Small writes are not delayed (`TCP_NODELAY`).
 *
 * **If aborted**, the server is closed. If the call has not returned yet, it rejects with the signal's reason.
 *
 * @param clientConnectedCb called with reader, writer and `{ signal }`, which is aborted when the server shuts down; may be async
 * @param host names or addresses to listen on, with one socket for each address; `null` or `""` for every interface
 * @param port 0 to 65,535; 0 for any free port, which may differ between the sockets
 * @param options `limit` of the readers in bytes, default 65,536; `family`; `reusePort`; `keepAlive`; `backlog`, default 511;
 *   `startServing`, default true; `maxConnections`; `onClientError`; `sock`; `signal`; `timeout` of starting in ms
 * @throws TypeError or RangeError for a wrong argument; the system's error if the call cannot listen
 *
 * @example
 * ```ts
 * const server = await startServer(serveClient, "127.0.0.1", 8080);
 * ```
 */
export async function startServer<Proxy extends ServerOptions["proxyProtocol"] = undefined>(
  clientConnectedCb: ClientConnectedCallback<PeerAddress<IpSocketAddress, Proxy>>,
  host?: string | readonly string[] | null,
  port?: number | null,
  options?: StartServerOptions & { readonly proxyProtocol?: Proxy },
): Promise<Server<IpSocketAddress>> {
  return await takingSock(options?.sock, async (handOver) => {
    const call = streamServer("startServer", TCP_OPTIONS, clientConnectedCb, options);
    handOver();
    return await listenOnHosts(call, host, port, options);
  });
}

function streamServer<Address extends SocketAddress>(
  name: string,
  known: KnownOptions,
  clientConnectedCb: ClientConnectedCallback<Address>,
  options: StartServerOptions | StartUnixServerOptions | undefined,
): ListenCall {
  checkFunction("clientConnectedCb", clientConnectedCb);
  checkWaitOptions(name, options, known);
  const limit = checkLimit(options?.limit);
  const onClientError = options?.onClientError;
  if (onClientError !== undefined) checkFunction("onClientError", onClientError);
  const readerOptions = { limit };
  const protocolOptions = { onClientError };
  return {
    name,
    known,
    protocolFactory: () =>
      new StreamReaderProtocol(new StreamReader(readerOptions), clientConnectedCb as ClientConnectedCallback, protocolOptions),
    onError: (error) => reportClientError(onClientError, error, null),
  };
}
