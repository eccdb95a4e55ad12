/**
 * `createServer()` and `createUnixServer()`: listen, and create a protocol for each client. Python's loop methods of the same names.
 *
 * Arguments are checked before anything is opened. On any failure, every socket that was opened or passed in is closed, and no file is
 * left behind.
 */
import type net from "node:net";
import { checkBoolean, checkInteger, invalidType, invalidValue, outOfRange } from "../base/arguments.js";
import { checkKnownOptions, type KnownOptions, knownOptions, type OptionNames } from "../base/known-options.js";
import { cancellationOf, withOneDeadline } from "../base/waiting.js";
import type { Protocol, ProtocolFactory } from "../contracts/connection.js";
import type { IpSocketAddress, UnixSocketAddress } from "../contracts/extra-info.js";
import { reportClientError, reportErrorsOf, StreamReaderProtocol } from "../streams/protocol.js";
import { adoptServer, type BoundSocket, takingSock } from "./adopt.js";
import { AdoptedListener } from "./adopted-listener.js";
import { type Authorize, checkAuthorize } from "./authorization.js";
import { openServer } from "./open-server.js";
import {
  checkIpFamily,
  checkPort,
  checkServerOptions,
  type IpFamily,
  type ListenCall,
  refuseWithSock,
  SERVER_NAMES,
  type ServerOptions,
  type ServerTlsOptions,
} from "./options.js";
import type { OwnedDescriptor } from "./owned-descriptor.js";
import { type IpAddress, resolve, untilAborted } from "./resolve.js";
import type { Server } from "./server.js";
import { UnixListener } from "./socket-file/unix-listener.js";
import { type PathLike, parseUnixPath } from "./socket-file/unix-path.js";
import { TcpListener } from "./tcp-listener.js";

/** The highest file mode: the set-id bits and the sticky bit have no meaning on a socket. */
const MAX_MODE = 0o777;

/** The highest user or group id: the next one means "unchanged" to `chown()`. */
const MAX_ID = 2 ** 32 - 2;

/** Options of `createUnixServer()`. */
export interface UnixServerOptions extends ServerOptions, ServerTlsOptions {
  /**
   * A listening `net.Server`, the descriptor of a listening or bound socket, or Node 26's `net.BoundSocket`, instead of a path. The call
   * takes ownership, even if it fails.
   */
  readonly sock?: net.Server | BoundSocket | OwnedDescriptor | number | undefined;
  /**
   * File mode of the socket file, set before the first client can connect, whatever the umask. Default: 0o777 minus the process's umask.
   * Without `/proc`, refused with `EPERM` in a directory in which other users may rename files.
   */
  readonly mode?: number | undefined;
  /**
   * Owner of the socket file, set before the first client can connect. Usually only root may set an owner other than its own. An
   * omitted id stays that of the process. Without `/proc`, refused like `mode`.
   */
  readonly owner?:
    | {
        /** The user id. Default: the process's. */
        readonly uid?: number | undefined;
        /** The group id. Default: the process's, or the directory's if it has the set-group-id bit. */
        readonly gid?: number | undefined;
      }
    | undefined;
  /**
   * Replaces a live server on the path in one step, so that clients always reach one of the two. The old server keeps its clients and
   * accepts those that have already connected to it; close it when this call has returned. Default false: a live server gives
   * `EADDRINUSE`.
   */
  readonly takeover?: boolean | undefined;
  /**
   * Whether closing the server removes the socket file, if the file is still the server's. Default true; false for a `sock`, whose file
   * was created elsewhere.
   */
  readonly cleanupSocket?: boolean | undefined;
  /**
   * Decides about each client by the kernel's record of who has connected, before the client has a protocol: `true`, or a promise for
   * `true`, lets it in. Others are closed, counted (`stats().unauthorized`), and reported with `UnauthorizedError`. Needs `loadUnix()` of
   * `asyncio-streams/unix`. Default: every client that the file mode lets in.
   */
  readonly authorize?: Authorize | undefined;
}

/** The names of the options of `createUnixServer()`, without `onError`. */
export const UNIX_SERVER_NAMES: OptionNames<Omit<UnixServerOptions, "onError">> = {
  ...SERVER_NAMES,
  sock: true,
  mode: true,
  owner: true,
  takeover: true,
  cleanupSocket: true,
  authorize: true,
};

const OWNER_IDS: KnownOptions = knownOptions<NonNullable<UnixServerOptions["owner"]>>({ uid: true, gid: true });

/** Options of `createServer()`. */
export interface TcpServerOptions extends ServerOptions, ServerTlsOptions {
  /**
   * A listening `net.Server`, the descriptor of a listening or bound socket, or Node 26's `net.BoundSocket`, instead of host and port. The
   * call takes ownership, even if it fails.
   */
  readonly sock?: net.Server | BoundSocket | OwnedDescriptor | number | undefined;
  /** 4 or 6 for addresses of that family only; 0 (default) for both. */
  readonly family?: IpFamily | undefined;
  /** Always true: the runtime sets `SO_REUSEADDR` itself. `false` is refused. */
  readonly reuseAddress?: boolean | undefined;
  /** Whether several servers may listen on the port and share its clients (`SO_REUSEPORT`). Default false. Needs Node 22.12 or 23.1. */
  readonly reusePort?: boolean | undefined;
  /** Whether accepted connections are probed when idle (`SO_KEEPALIVE`). Default false. */
  readonly keepAlive?: boolean | undefined;
}

/** The names of the options of `createServer()`, without `onError`. */
export const TCP_SERVER_NAMES: OptionNames<Omit<TcpServerOptions, "onError">> = {
  ...SERVER_NAMES,
  sock: true,
  family: true,
  reuseAddress: true,
  reusePort: true,
  keepAlive: true,
};

const UNIX_SERVER_OPTIONS: KnownOptions = knownOptions<UnixServerOptions>({ onError: true, ...UNIX_SERVER_NAMES });
const TCP_SERVER_OPTIONS: KnownOptions = knownOptions<TcpServerOptions>({ onError: true, ...TCP_SERVER_NAMES });

/**
 * Listens on a Unix socket with a custom protocol. Python's `loop.create_unix_server()`.
 *
 * A stale socket file, on which no server listens any more, is replaced; the path of a live server gives `EADDRINUSE`.
 *
 * **If aborted**, the server is closed. If the call has not returned yet, it rejects with the signal's reason.
 *
 * @param protocolFactory creates a protocol for each client
 * @param path where to listen (text, bytes or a `file:` URL; a leading `"\0"` for an abstract name on Linux), unless `sock` is given
 * @param options see `UnixServerOptions`
 * @throws TypeError or RangeError for a wrong argument; `ENAMETOOLONG` if the path exceeds the system's limit; `EADDRINUSE` if a server
 *   listens there; otherwise the system's error
 *
 * @example
 * ```ts
 * const server = await createUnixServer(() => new MyProtocol(), "/run/app/app.sock", { mode: 0o660 });
 * await server.serveForever();
 * ```
 */
export async function createUnixServer(
  protocolFactory: ProtocolFactory,
  path?: PathLike | null,
  options?: UnixServerOptions,
): Promise<Server<UnixSocketAddress>> {
  return listenOnPath(protocolServer("createUnixServer", UNIX_SERVER_OPTIONS, protocolFactory, options), path, options);
}

/**
 * The call of a server with custom protocols. `onClientError` serves as in `startServer()`, for the protocols that are
 * `StreamReaderProtocol`s.
 */
function protocolServer(
  name: string,
  known: KnownOptions,
  protocolFactory: ProtocolFactory,
  options: ServerOptions | undefined,
): ListenCall {
  const onError = options?.onError;
  const onClientError = options?.onClientError;
  if (typeof protocolFactory !== "function" || typeof onClientError !== "function") return { name, known, protocolFactory, onError };
  const reporting = (): Protocol => {
    const protocol = protocolFactory();
    if (protocol instanceof StreamReaderProtocol) reportErrorsOf(protocol, onClientError);
    return protocol;
  };
  return { name, known, protocolFactory: reporting, onError: onError ?? ((error) => reportClientError(onClientError, error, null)) };
}

/** Listens on a Unix socket for a public call. */
export async function listenOnPath(
  call: ListenCall,
  path: PathLike | null | undefined,
  options: Omit<UnixServerOptions, "onError"> | undefined,
): Promise<Server<UnixSocketAddress>> {
  const sock = options?.sock;
  return await takingSock(sock, async (handOver) => {
    const config = checkServerOptions(call, options, "unix");
    const { backlog } = config;
    const parsed = path === undefined || path === null ? undefined : parseUnixPath("listen", path);
    if (parsed === undefined && sock === undefined) throw invalidValue("neither path nor sock was given");
    if (parsed !== undefined && sock !== undefined) throw invalidValue("path and sock cannot be given at the same time");
    const mode = options?.mode === undefined ? undefined : checkMode(options.mode);
    const owner = checkOwner(call.name, options?.owner);
    const takeover = checkBoolean("takeover", options?.takeover) ?? false;
    const authorization = checkAuthorize(options?.authorize);
    const hasFile = parsed !== undefined && !parsed.abstract;
    for (const [name, given] of Object.entries({ mode, owner, takeover: takeover || undefined })) {
      if (given !== undefined && !hasFile) throw invalidValue(`${name} is only meaningful with a path in the file system`);
    }
    const cleanupSocket = checkBoolean("cleanupSocket", options?.cleanupSocket) ?? sock === undefined;
    return await withOneDeadline(cancellationOf(options), async (starting) => {
      if (parsed === undefined) {
        const adopted = adoptServer(sock as NonNullable<typeof sock>, "unix");
        const listener = new AdoptedListener(adopted, { backlog, cleanupSocket, keepAlive: false });
        handOver();
        return await openServer([listener], call, options, { ...config, authorization }, starting);
      }
      const listener = new UnixListener(parsed, { backlog, mode, owner, takeover, cleanupSocket });
      await listener.bind();
      return await openServer([listener], call, options, { ...config, authorization }, starting);
    });
  });
}

/**
 * Listens on TCP with a custom protocol. Python's `loop.create_server()`. Small writes are not delayed (`TCP_NODELAY`).
 *
 * **If aborted**, the server is closed. If the call has not returned yet, it rejects with the signal's reason.
 *
 * @param protocolFactory creates a protocol for each client
 * @param host names or addresses to listen on, with one socket for each address; `null` or `""` for every interface
 * @param port 0 to 65,535; 0 for any free port, which may differ between the sockets
 * @param options see `TcpServerOptions`
 * @throws TypeError or RangeError for a wrong argument; the system's error if the call cannot listen
 *
 * @example
 * ```ts
 * const server = await createServer(() => new MyProtocol(), ["127.0.0.1", "::1"], 8080);
 * console.log(server.sockets.map((socket) => socket.getsockname()));
 * ```
 */
export async function createServer(
  protocolFactory: ProtocolFactory,
  host?: string | readonly string[] | null,
  port?: number | null,
  options?: TcpServerOptions,
): Promise<Server<IpSocketAddress>> {
  return listenOnHosts(protocolServer("createServer", TCP_SERVER_OPTIONS, protocolFactory, options), host, port, options);
}

/** Listens on TCP for a public call. */
export async function listenOnHosts(
  call: ListenCall,
  host: string | readonly string[] | null | undefined,
  port: number | null | undefined,
  options: Omit<TcpServerOptions, "onError"> | undefined,
): Promise<Server<IpSocketAddress>> {
  const sock = options?.sock;
  return await takingSock(sock, async (handOver) => {
    const config = checkServerOptions(call, options, "tcp");
    const { backlog } = config;
    const given = (host !== undefined && host !== null) || (port !== undefined && port !== null);
    if (!given && sock === undefined) throw invalidValue("neither host and port nor sock were given");
    if (given && sock !== undefined) throw invalidValue("host or port and sock cannot be given at the same time");
    if (sock !== undefined) refuseWithSock(options, ["family", "reuseAddress", "reusePort"]);
    const hosts = checkHosts(host);
    const checkedPort = sock === undefined ? checkPort("port", port ?? 0) : 0;
    const family = checkIpFamily(options?.family);
    if (checkBoolean("reuseAddress", options?.reuseAddress) === false)
      throw invalidValue("reuseAddress cannot be false: the runtime always sets SO_REUSEADDR");
    const reusePort = checkBoolean("reusePort", options?.reusePort) ?? false;
    if (reusePort) checkReusePort();
    const keepAlive = checkBoolean("keepAlive", options?.keepAlive) ?? false;
    return await withOneDeadline(cancellationOf(options), async (starting) => {
      if (sock !== undefined) {
        const listener = new AdoptedListener(adoptServer(sock, "tcp"), { backlog, cleanupSocket: false, keepAlive });
        handOver();
        return await openServer([listener], call, options, config, starting);
      }
      const addresses = await untilAborted(resolveAll(hosts, family), starting);
      const listeners = addresses.map((address) => new TcpListener({ host: address, port: checkedPort, backlog, reusePort, keepAlive }));
      return await openServer(listeners, call, options, config, starting);
    });
  });
}

/** IPv4 and IPv6 use one socket each, as in asyncio. */
const ANY_INTERFACE: readonly string[] = ["0.0.0.0", "::"];

function checkHosts(host: string | readonly string[] | null | undefined): readonly string[] {
  if (host === undefined || host === null || host === "") return ANY_INTERFACE;
  const hosts: readonly unknown[] = typeof host === "string" ? [host] : Array.isArray(host) ? host : [];
  if (hosts.length === 0) throw invalidType("host", "a string or an array of strings", host);
  for (const one of hosts)
    if (typeof one !== "string" || one === "") throw invalidType("host", "a non-empty string or an array of non-empty strings", one);
  return hosts as readonly string[];
}

/** Resolves all hosts; returns each address once, even if several hosts share it. */
async function resolveAll(hosts: readonly string[], family: IpFamily): Promise<string[]> {
  const wanted = hosts === ANY_INTERFACE ? hosts.filter((host) => family === 0 || host.includes(":") === (family === 6)) : hosts;
  const found: IpAddress[][] = await Promise.all(wanted.map((host) => resolve(host, family)));
  return [...new Set(found.flat().map(({ address }) => address))];
}

/** Checks a file mode. The digits of `mode: 660` mean 0o660, and so does the text. */
function checkMode(mode: unknown): number {
  const digits = /^(?:0o?)?([0-7]{3})$/.exec(String(mode))?.[1];
  if (typeof mode === "string" && digits !== undefined) throw invalidType("mode", `a number: 0o${digits}`, mode);
  if (typeof mode === "number" && mode > MAX_MODE && digits !== undefined)
    throw outOfRange("mode", `0o${digits}, in octal, or another integer from 0 to 0o777`, mode);
  return checkInteger("mode", mode, 0, MAX_MODE);
}

/** Checks `owner`. An omitted id becomes -1, which leaves the id that the system gave the new file. */
function checkOwner(call: string, owner: UnixServerOptions["owner"]): { uid: number; gid: number } | undefined {
  if (owner === undefined) return undefined;
  checkKnownOptions(call, owner, OWNER_IDS, "owner");
  const { uid, gid } = owner;
  return {
    uid: uid === undefined ? -1 : checkInteger("owner.uid", uid, 0, MAX_ID),
    gid: gid === undefined ? -1 : checkInteger("owner.gid", gid, 0, MAX_ID),
  };
}

function checkReusePort(): void {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const hasIt = (major === 22 && minor >= 12) || (major === 23 && minor >= 1) || major > 23;
  if (!hasIt) throw invalidValue(`reusePort needs Node.js 22.12, 23.1 or later: this is ${process.versions.node}`);
}
