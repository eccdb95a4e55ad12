/** `openConnection()` and `openUnixConnection()`: connect and return a stream pair. Python's functions of the same names. */
import { debugMode } from "./base/debug-mode.js";
import { knownOptions } from "./base/known-options.js";
import { checkWaitOptions } from "./base/waiting.js";
import type { Protocol, ProtocolFactory, Transport } from "./contracts/connection.js";
import type { IpSocketAddress, SocketAddress, UnixSocketAddress } from "./contracts/extra-info.js";
import { takingSock } from "./net/adopt.js";
import {
  CONNECTION_NAMES,
  type ConnectCall,
  type ConnectionOptions,
  connectToHost,
  connectToPath,
  UNIX_CONNECTION_NAMES,
  type UnixConnectionOptions,
} from "./net/connect.js";
import type { PathLike } from "./net/socket-file/unix-path.js";
import type { StreamReaderOptions } from "./streams/base-reader.js";
import { StreamReaderProtocol } from "./streams/protocol.js";
import { StreamReader } from "./streams/reader.js";
import { StreamWriter } from "./streams/writer.js";

/** Options of `openUnixConnection()`. */
export interface OpenUnixConnectionOptions extends UnixConnectionOptions, StreamReaderOptions {}

/** Options of `openConnection()`. */
export interface OpenConnectionOptions extends ConnectionOptions, StreamReaderOptions {}

const OPEN_UNIX_CONNECTION: ConnectCall = {
  name: "openUnixConnection",
  known: knownOptions<OpenUnixConnectionOptions>({ limit: true, ...UNIX_CONNECTION_NAMES }),
};

const OPEN_CONNECTION: ConnectCall = {
  name: "openConnection",
  known: knownOptions<OpenConnectionOptions>({ limit: true, ...CONNECTION_NAMES }),
};

/**
 * Connects to a Unix socket. Python's `asyncio.open_unix_connection()`.
 *
 * **If aborted** while connecting, the socket is closed and the call rejects with the signal's reason. Once the connection is made, an
 * abort has no effect.
 *
 * @param path the socket's path (text, bytes or a `file:` URL; a leading `"\0"` for an abstract name on Linux), unless `sock` is given
 * @param options `limit` of the reader in bytes, default 65,536; `sock`; `signal`; `timeout` of connecting in ms
 * @returns the reader and the writer
 * @throws TypeError or RangeError for a wrong argument; `ENAMETOOLONG` if the path exceeds the system's limit; the system's error
 *   (`ENOENT`, `ECONNREFUSED`, `EACCES`) if it cannot connect
 *
 * @example
 * ```ts
 * const [reader, writer] = await openUnixConnection("/run/app.sock");
 * writer.write("ping\n");
 * console.log((await reader.readline()).toString());
 * writer.close();
 * await writer.waitClosed();
 * ```
 */
export function openUnixConnection(
  path?: PathLike | null,
  options?: OpenUnixConnectionOptions,
): Promise<[StreamReader, StreamWriter<UnixSocketAddress>]> {
  return openStreams(OPEN_UNIX_CONNECTION, options, (protocolFactory) =>
    connectToPath(OPEN_UNIX_CONNECTION, protocolFactory, path, options),
  );
}

/**
 * Connects to a host over TCP. Python's `asyncio.open_connection()`. Small writes are not delayed (`TCP_NODELAY`).
 *
 * **If aborted** while connecting, the socket is closed and the call rejects with the signal's reason. Once the connection is made, an
 * abort has no effect.
 *
 * @param host a host name or an address; `null` for this machine. All addresses of a name are tried.
 * @param port 0 to 65,535
 * @param options `limit` of the reader in bytes, default 65,536; `family`; `localAddr`; `happyEyeballsDelay` in ms; `interleave`;
 *   `allErrors`; `sock`; `signal`; `timeout` of connecting in ms
 * @returns the reader and the writer
 * @throws TypeError or RangeError for a wrong argument; the system's error if it cannot connect
 *
 * @example
 * ```ts
 * const [reader, writer] = await openConnection("localhost", 8080, { timeout: 3_000 });
 * ```
 */
export function openConnection(
  host?: string | null,
  port?: number | null,
  options?: OpenConnectionOptions,
): Promise<[StreamReader, StreamWriter<IpSocketAddress>]> {
  return openStreams(OPEN_CONNECTION, options, (protocolFactory) => connectToHost(OPEN_CONNECTION, protocolFactory, host, port, options));
}

async function openStreams<Address extends SocketAddress>(
  call: ConnectCall,
  options: OpenConnectionOptions | undefined,
  connect: <P extends Protocol>(protocolFactory: ProtocolFactory<P>) => Promise<[Transport<Address>, P]>,
): Promise<[StreamReader, StreamWriter<Address>]> {
  const origin = debugMode?.origin("It was opened here");
  return await takingSock(options?.sock, async (handOver) => {
    checkWaitOptions(call.name, options, call.known);
    const reader = new StreamReader({ limit: options?.limit });
    handOver();
    const [transport, protocol] = await connect(() => new StreamReaderProtocol(reader));
    if (origin !== undefined) debugMode?.note(protocol, { origin });
    return [reader, new StreamWriter(transport, protocol, reader)];
  });
}
