/**
 * Python's asyncio Streams for TypeScript: `[reader, writer]` pairs over Unix sockets and TCP, and the transports and protocols below them.
 *
 * @module
 */
export type { Data, SignalOptions } from "./base/arguments.js";
export {
  ConcurrentReadError,
  ConnectionLostError,
  ConnectionTimeoutError,
  IncompleteReadError,
  InvalidStateError,
  LimitOverrunError,
  LineTooLongError,
} from "./base/errors.js";
export type { ExtraInfo, SocketAddress, TransportSocket } from "./contracts/extra-info.js";
export { BaseProtocol, type Protocol, type ProtocolFactory } from "./contracts/protocol.js";
export type { Transport, WriteBufferLimits, WriteData } from "./contracts/transport.js";
export { type ConnectionOptions, createConnection, createUnixConnection, type UnixConnectionOptions } from "./net/connect.js";
export { createServer, createUnixServer, type TcpServerOptions, type UnixServerOptions } from "./net/listen.js";
export type { IpFamily, ServerOptions } from "./net/options.js";
export type { Server, ShutdownResult } from "./net/server.js";
export type { PathLike } from "./net/unix-path.js";
export { type OpenConnectionOptions, type OpenUnixConnectionOptions, openConnection, openUnixConnection } from "./open.js";
export { type StartServerOptions, type StartUnixServerOptions, startServer, startUnixServer } from "./serve.js";
export {
  type ClientConnectedCallback,
  type ClientContext,
  type ClientErrorHandler,
  StreamReaderProtocol,
  type StreamReaderProtocolOptions,
} from "./streams/protocol.js";
export { StreamReader, type StreamReaderOptions } from "./streams/reader.js";
export { StreamWriter } from "./streams/writer.js";
