/**
 * `createConnection()` and `createUnixConnection()`: connect a socket and put a transport and a protocol on it. Python's loop methods
 * of the same names.
 *
 * Arguments are checked before anything is opened. On any failure, the socket that was created or passed in is closed.
 */
import type net from "node:net";
import { checkBoolean, checkFunction, checkInteger, invalidType, invalidValue, type SignalOptions } from "../base/arguments.js";
import { type KnownOptions, knownOptions, type OptionNames } from "../base/known-options.js";
import { MAX_TIMER_MS } from "../base/scheduling.js";
import { cancellationOf, checkWaitOptions, withOneDeadline } from "../base/waiting.js";
import type { Protocol, ProtocolFactory, Transport } from "../contracts/connection.js";
import type { IpSocketAddress, UnixSocketAddress } from "../contracts/extra-info.js";
import { now, publishError } from "../transports/diagnostics.js";
import { HandleWire } from "../transports/handle-wire.js";
import { adoptBound, adoptConnection, type BoundSocket, isBoundSocket, takingSock } from "./adopt.js";
import { connectTcp, connectUnix, type TcpTarget } from "./open-socket.js";
import { type ClientTlsOptions, checkClientTls, checkIpFamily, checkPort, type IpFamily, refuseWithSock } from "./options.js";
import type { OwnedDescriptor } from "./owned-descriptor.js";
import { checkSendProxyHeader, type SendProxyHeaderOptions } from "./proxy-protocol/send-header.js";
import { type PathLike, parseUnixPath } from "./socket-file/unix-path.js";
import { openTransport, startOpened } from "./start-transport.js";

/** Options of `createUnixConnection()`. */
export interface UnixConnectionOptions extends ClientTlsOptions, SignalOptions {
  /**
   * A connected socket or its file descriptor (a number, or a `Descriptor`), instead of an address; or, beside an address, Node 26's
   * `net.BoundSocket` to connect from. The call takes ownership, even if it fails.
   */
  readonly sock?: net.Socket | BoundSocket | OwnedDescriptor | number | undefined;
  /** Sends a header of the PROXY protocol first, before TLS. For balancers, which thereby tell the server who its client is. */
  readonly sendProxyHeader?: SendProxyHeaderOptions | undefined;
  /** Cancels connecting. Has no effect once the connection is made. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Limits connecting, in milliseconds: name lookup, all addresses and the TLS handshake together. The call then rejects with a
   * `TimeoutError`, and the socket is closed. Has no effect once the connection is made. Default, and `Infinity`: the system's limit.
   */
  readonly timeout?: number | undefined;
}

/** The names of the options of `createUnixConnection()`. */
export const UNIX_CONNECTION_NAMES: OptionNames<UnixConnectionOptions> = {
  sock: true,
  sendProxyHeader: true,
  signal: true,
  timeout: true,
  ssl: true,
  serverHostname: true,
  sslHandshakeTimeout: true,
  sslShutdownTimeout: true,
};

/** Options of `createConnection()`. */
export interface ConnectionOptions extends UnixConnectionOptions {
  /** 4 or 6 for addresses of that family only; 0 (default) for both. */
  readonly family?: IpFamily | undefined;
  /** The local address to connect from; port 0 for any port. */
  readonly localAddr?: readonly [host: string, port: number] | undefined;
  /**
   * Milliseconds after which the next address is tried in parallel (RFC 8305 recommends 250). Default: each address is tried only after
   * the previous one has failed.
   */
  readonly happyEyeballsDelay?: number | undefined;
  /**
   * How many addresses of the first family to try before the families alternate. Default 1 with `happyEyeballsDelay`, else 0: the
   * system's order.
   */
  readonly interleave?: number | undefined;
  /** Whether to throw an `AggregateError` of all errors if every address fails. Default false: one error that quotes them. */
  readonly allErrors?: boolean | undefined;
}

/** The names of the options of `createConnection()`. */
export const CONNECTION_NAMES: OptionNames<ConnectionOptions> = {
  ...UNIX_CONNECTION_NAMES,
  family: true,
  localAddr: true,
  happyEyeballsDelay: true,
  interleave: true,
  allErrors: true,
};

const UNIX_CONNECTION_OPTIONS: KnownOptions = knownOptions<UnixConnectionOptions>(UNIX_CONNECTION_NAMES);
const CONNECTION_OPTIONS: KnownOptions = knownOptions<ConnectionOptions>(CONNECTION_NAMES);

/** The public call that connects: its name, and the names of its options. */
export interface ConnectCall {
  readonly name: string;
  readonly known: KnownOptions;
}

/**
 * Connects to a Unix socket with a custom protocol. Python's `loop.create_unix_connection()`.
 *
 * **If aborted** while connecting, the socket is closed and the call rejects with the signal's reason.
 *
 * @param protocolFactory creates the protocol
 * @param path the socket's path (text, bytes or a `file:` URL; a leading `"\0"` for an abstract name on Linux), unless `sock` is given
 * @param options see `UnixConnectionOptions`
 * @returns the transport and the protocol
 * @throws TypeError for a wrong argument; `ENAMETOOLONG` if the path exceeds the system's limit; the system's error if it cannot
 *   connect; the TLS error or ConnectionTimeoutError if the handshake fails
 *
 * @example
 * ```ts
 * const [transport, protocol] = await createUnixConnection(() => new MyProtocol(), "/run/app.sock");
 * transport.write("hello\n");
 * ```
 */
export function createUnixConnection<P extends Protocol>(
  protocolFactory: ProtocolFactory<P>,
  path?: PathLike | null,
  options?: UnixConnectionOptions,
): Promise<[Transport<UnixSocketAddress>, P]> {
  return connectToPath({ name: "createUnixConnection", known: UNIX_CONNECTION_OPTIONS }, protocolFactory, path, options);
}

/**
 * Connects to a Unix socket for a public call.
 *
 * @internal
 */
export async function connectToPath<P extends Protocol>(
  call: ConnectCall,
  protocolFactory: ProtocolFactory<P>,
  path: PathLike | null | undefined,
  options: UnixConnectionOptions | undefined,
): Promise<[Transport<UnixSocketAddress>, P]> {
  const sock = options?.sock;
  return await takingSock(sock, async (handOver) => {
    checkCommon(call, protocolFactory, options);
    const parsed = path === undefined || path === null ? undefined : parseUnixPath("connect", path);
    if (parsed === undefined && sock === undefined) throw invalidValue("neither path nor sock was given");
    const bound = isBoundSocket(sock) ? adoptBound(sock, "unix") : undefined;
    if (parsed !== undefined && sock !== undefined && bound === undefined)
      throw invalidValue("path and sock cannot be given at the same time");
    const tls = checkClientTls(options, undefined);
    const proxyHeader = checkSendProxyHeader(options?.sendProxyHeader, call.name);
    return await opening(options, async (signal, begunAt) => {
      const manner = { bound: bound?.sock, wireWillDo: tls === null && proxyHeader === null };
      const socket = parsed === undefined ? adoptConnection(sock, "unix") : await connectUnix(parsed, signal, manner);
      handOver();
      const unixNames = { sockname: bound?.name ?? "", peername: parsed?.name ?? "" };
      const facts = { unixNames, begunAt, host: undefined };
      const opened =
        socket instanceof HandleWire
          ? startOpened(socket, protocolFactory, facts)
          : await openTransport(socket, protocolFactory, { ...facts, proxyHeader, tls, signal });
      return opened as [Transport<UnixSocketAddress>, P];
    });
  });
}

/**
 * Connects to a host over TCP with a custom protocol. Python's `loop.create_connection()`. Small writes are not delayed
 * (`TCP_NODELAY`).
 *
 * **If aborted** while connecting, the socket is closed and the call rejects with the signal's reason.
 *
 * @param protocolFactory creates the protocol
 * @param host a host name or an address; `null` for this machine. All addresses of a name are tried.
 * @param port 0 to 65,535
 * @param options see `ConnectionOptions`
 * @returns the transport and the protocol
 * @throws TypeError or RangeError for a wrong argument; the system's error if it cannot connect, see `allErrors`
 *
 * @example
 * ```ts
 * const [transport, protocol] = await createConnection(() => new MyProtocol(), "localhost", 8080, { happyEyeballsDelay: 250 });
 * ```
 */
export function createConnection<P extends Protocol>(
  protocolFactory: ProtocolFactory<P>,
  host?: string | null,
  port?: number | null,
  options?: ConnectionOptions,
): Promise<[Transport<IpSocketAddress>, P]> {
  return connectToHost({ name: "createConnection", known: CONNECTION_OPTIONS }, protocolFactory, host, port, options);
}

/**
 * Connects to a host for a public call.
 *
 * @internal
 */
export async function connectToHost<P extends Protocol>(
  call: ConnectCall,
  protocolFactory: ProtocolFactory<P>,
  host: string | null | undefined,
  port: number | null | undefined,
  options: ConnectionOptions | undefined,
): Promise<[Transport<IpSocketAddress>, P]> {
  const sock = options?.sock;
  return await takingSock(sock, async (handOver) => {
    checkCommon(call, protocolFactory, options);
    const given = (host !== undefined && host !== null) || (port !== undefined && port !== null);
    if (!given && sock === undefined) throw invalidValue("neither host and port nor sock were given");
    const bound = isBoundSocket(sock) ? adoptBound(sock, "tcp") : undefined;
    if (given && sock !== undefined && bound === undefined) throw invalidValue("host or port and sock cannot be given at the same time");
    if (sock !== undefined) refuseWithSock(options, bound === undefined ? OPTIONS_OF_AN_ADDRESS : ["localAddr"]);
    const address = given ? checkTarget(host, port, options) : undefined;
    const tls = checkClientTls(options, host ?? undefined);
    const proxyHeader = checkSendProxyHeader(options?.sendProxyHeader, call.name);
    const wireWillDo = tls === null && proxyHeader === null;
    const target = address === undefined ? undefined : { ...address, bound: bound?.sock, wireWillDo };
    return await opening(options, async (signal, begunAt) => {
      const socket = target === undefined ? adoptConnection(sock, "tcp").setNoDelay(true) : await connectTcp(target, signal);
      handOver();
      const facts = { unixNames: null, begunAt, host: target?.host };
      const opened =
        socket instanceof HandleWire
          ? startOpened(socket, protocolFactory, facts)
          : await openTransport(socket, protocolFactory, { ...facts, proxyHeader, tls, signal });
      return opened as [Transport<IpSocketAddress>, P];
    });
  });
}

/** Runs the part of a call that opens the connection, within its limits. Publishes a failure for diagnostics. */
async function opening<T>(
  options: SignalOptions | undefined,
  call: (signal: AbortSignal | undefined, begunAt: number) => Promise<T>,
): Promise<T> {
  const cancellation = cancellationOf(options);
  const begunAt = now();
  try {
    return await withOneDeadline(cancellation, (signal) => call(signal, begunAt));
  } catch (error) {
    publishError(null, error, "connect");
    throw error;
  }
}

/** The options that choose addresses. */
const OPTIONS_OF_AN_ADDRESS = ["family", "localAddr", "happyEyeballsDelay", "interleave", "allErrors"] as const;

function checkCommon({ name, known }: ConnectCall, protocolFactory: unknown, options: UnixConnectionOptions | undefined): void {
  checkFunction("protocolFactory", protocolFactory);
  checkWaitOptions(name, options, known);
}

function checkTarget(
  host: string | null | undefined,
  port: number | null | undefined,
  options: ConnectionOptions | undefined,
): Omit<TcpTarget, "bound" | "wireWillDo"> {
  if (host !== undefined && host !== null && typeof host !== "string") throw invalidType("host", "a string", host);
  if (host === "") throw invalidValue("host must not be empty");
  const localAddr: unknown = options?.localAddr;
  if (localAddr !== undefined) {
    if (!Array.isArray(localAddr) || typeof localAddr[0] !== "string")
      throw invalidType("localAddr", "an array of host and port", localAddr);
    checkPort("localAddr[1]", localAddr[1]);
  }
  const delay = options?.happyEyeballsDelay;
  if (delay !== undefined) checkInteger("happyEyeballsDelay", delay, 0, MAX_TIMER_MS);
  const interleave = options?.interleave;
  return {
    host: host ?? "localhost",
    port: checkPort("port", port),
    family: checkIpFamily(options?.family),
    localAddr: options?.localAddr,
    happyEyeballsDelay: delay,
    interleave: interleave === undefined ? (delay === undefined ? 0 : 1) : checkInteger("interleave", interleave, 0),
    allErrors: checkBoolean("allErrors", options?.allErrors) ?? false,
  };
}
