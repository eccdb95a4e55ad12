/** `openFdConnection()`: connects to a Unix socket and returns a stream pair that carries descriptors. */
import { checkInteger, invalidValue, type SignalOptions } from "../base/arguments.js";
import { type KnownOptions, knownOptions } from "../base/known-options.js";
import { checkLimit } from "../base/limits.js";
import { delay } from "../base/scheduling.js";
import { cancellationOf, checkWaitOptions, throwIfAborted, withOneDeadline } from "../base/waiting.js";
import { inUse, takingSock } from "../net/adopt.js";
import { OwnedDescriptor } from "../net/owned-descriptor.js";
import { untilAborted } from "../net/resolve.js";
import { type PathLike, parseUnixPath, type UnixPath } from "../net/socket-file/unix-path.js";
import type { StreamReaderOptions } from "../streams/base-reader.js";
import { now, publishError } from "../transports/diagnostics.js";
import { ConnectedSocket } from "../transports/socket-info.js";
import { libuvError } from "../transports/stream-handle.js";
import { readPeerCredentials } from "./credentials.js";
import { startDescriptorTransport } from "./descriptor-transport.js";
import { DescriptorWire, isOwnedByWire } from "./descriptor-wire.js";
import { DEFAULT_FD_LIMIT, type FdStreamReader, FdStreams, type FdStreamWriter } from "./fd-streams.js";
import { AF_UNIX, EAGAIN, SOCK_STREAM, SOL_SOCKET, type System, sockaddrOf, systemFor } from "./system.js";

const SO_TYPE = 3;
const SO_ACCEPTCONN = 30;
const SO_DOMAIN = 39;

/** The longest pause between two attempts to connect to a server whose queue is full, in milliseconds. */
const MAX_RETRY_MS = 50;

/** Options of the calls that carry descriptors. */
export interface FdStreamOptions extends StreamReaderOptions {
  /**
   * The maximum number of descriptors that a peer may have sent and the program has not taken, 1 to 65,535. Above half of it, the peer is
   * slowed down, unless a read waits. If the peer sends more, the connection ends with `DescriptorLimitError`. Default 512.
   */
  readonly fdLimit?: number | undefined;
}

/** Options of `openFdConnection()`. */
export interface OpenFdConnectionOptions extends FdStreamOptions, SignalOptions {
  /**
   * The descriptor of a connected Unix stream socket, instead of a path: a number, or a `Descriptor`. The call takes ownership, even if it
   * fails.
   */
  readonly sock?: number | OwnedDescriptor | undefined;
  /** Cancels connecting. Has no effect once the connection is made. */
  readonly signal?: AbortSignal | undefined;
  /** Limits connecting, in milliseconds. Has no effect once the connection is made. Default: no limit. */
  readonly timeout?: number | undefined;
}

const OPTIONS: KnownOptions = knownOptions<OpenFdConnectionOptions>({
  limit: true,
  fdLimit: true,
  sock: true,
  signal: true,
  timeout: true,
});

/** Checks the options of the streams. */
export function checkFdStreams(system: System, options: FdStreamOptions | undefined): FdStreams {
  const fdLimit = options?.fdLimit === undefined ? DEFAULT_FD_LIMIT : checkInteger("fdLimit", options.fdLimit, 1, 65_535);
  return new FdStreams(system, checkLimit(options?.limit), fdLimit);
}

/**
 * Connects to a Unix socket, and returns a stream pair that carries descriptors beside bytes. The peer may be any program that calls
 * `sendmsg()` and `recvmsg()`, such as Python with `socket.send_fds()` and `socket.recv_fds()`.
 *
 * TLS is not supported: it would encrypt the bytes that carry the descriptors.
 *
 * **If aborted** while connecting, the socket is closed and the call rejects with the signal's reason. Once the connection is made, an
 * abort has no effect.
 *
 * @param path the socket's path, as for `openUnixConnection()`, unless `sock` is given
 * @param options `limit` of the reader in bytes, default 65,536; `fdLimit`, default 512; `sock`; `signal`; `timeout` of connecting in ms
 * @returns the reader and the writer
 * @throws TypeError or RangeError for a wrong argument; InvalidStateError if `loadUnix()` was not called; the system's error (`ENOENT`,
 *   `ECONNREFUSED`, `EACCES`) if it cannot connect
 *
 * @example
 * ```ts
 * await loadUnix();
 * const [receiver, sender] = await openFdConnection("/run/app.sock");
 * await sender.sendFds("take this\n", [0]);
 * const [answer, descriptors] = await receiver.receiveFds(65_536);
 * for (const descriptor of descriptors) descriptor.close();
 * sender.close();
 * ```
 */
export async function openFdConnection(
  path?: PathLike | null,
  options?: OpenFdConnectionOptions,
): Promise<[FdStreamReader, FdStreamWriter]> {
  return await takingSock(options?.sock, (handOver) => open(path, options, handOver));
}

/** @param handOver must be called when the `sock` belongs to another owner */
async function open(
  path: PathLike | null | undefined,
  options: OpenFdConnectionOptions | undefined,
  handOver: () => void,
): Promise<[FdStreamReader, FdStreamWriter]> {
  const system = systemFor("openFdConnection");
  checkWaitOptions("openFdConnection", options, OPTIONS);
  const streams = checkFdStreams(system, options);
  const sock = options?.sock;
  const parsed = path === undefined || path === null ? undefined : parseUnixPath("connect", path);
  if (parsed === undefined && sock === undefined) throw invalidValue("neither path nor sock was given");
  if (parsed !== undefined && sock !== undefined) throw invalidValue("path and sock cannot be given at the same time");
  const begunAt = now();
  try {
    if (typeof sock === "number" && isOwnedByWire(sock)) {
      handOver(); // its owner closes it
      throw inUse(sock, undefined);
    }
    const fd =
      parsed === undefined
        ? adopt(system, sock as number | OwnedDescriptor)
        : await withOneDeadline(cancellationOf(options), (signal) => connect(system, parsed, signal));
    handOver();
    const wire = new DescriptorWire(system, fd);
    const info = new ConnectedSocket(wire, { sockname: "", peername: parsed?.name ?? "" });
    const [reader, protocol] = streams.open();
    const transport = startDescriptorTransport(wire, protocol, { begunAt, info });
    return [reader, streams.writer(transport, protocol, reader)];
  } catch (error) {
    publishError(null, error, "connect");
    throw error;
  }
}

/** Checks that a descriptor is a connected Unix stream socket, and takes it over. */
function adopt(system: System, sock: number | OwnedDescriptor): number {
  const fd = sock instanceof OwnedDescriptor ? sock.fd : checkInteger("sock", sock, 0);
  const isUnix = system.intOption(fd, SOL_SOCKET, SO_DOMAIN) === AF_UNIX && system.intOption(fd, SOL_SOCKET, SO_TYPE) === SOCK_STREAM;
  if (!isUnix || system.intOption(fd, SOL_SOCKET, SO_ACCEPTCONN) !== 0 || readPeerCredentials(system, fd) === null)
    throw invalidValue(`sock must be a connected Unix stream socket: file descriptor ${fd} is not`);
  if (sock instanceof OwnedDescriptor) sock.detach();
  return fd;
}

/** Connects. The system accepts a connection at once, or not at all; if the server's queue is full, the call waits. */
async function connect(system: System, path: UnixPath, signal: AbortSignal | undefined): Promise<number> {
  const fd = system.socket();
  if (fd < 0) throw libuvError(fd, "socket");
  const address = sockaddrOf(path);
  try {
    for (let pauseMs = 1; ; pauseMs = Math.min(2 * pauseMs, MAX_RETRY_MS)) {
      throwIfAborted(signal);
      const result = system.connect(fd, address);
      if (result === 0) return fd;
      if (result !== EAGAIN) throw Object.assign(libuvError(result, "connect", path.name), { address: path.name });
      await untilAborted(delay(pauseMs), signal);
    }
  } catch (error) {
    system.close(fd);
    throw error;
  }
}
