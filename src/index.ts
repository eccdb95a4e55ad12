/**
 * Python's asyncio Streams for TypeScript: `[reader, writer]` pairs over Unix sockets and TCP, and the transports and protocols below them.
 *
 * @module asyncio-streams
 */
/// <reference types="node" preserve="true" />
export type { NodeStreamOptions } from "./adapters/node-streams.js";
export type { Data, SignalOptions } from "./base/arguments.js";
export type { NonSharedBuffer, NonSharedUint8Array } from "./base/bytes.js";
export {
  ConcurrentReadError,
  ConnectionLostError,
  ConnectionMemoryError,
  ConnectionTimeoutError,
  DetachedMemoryError,
  IncompleteReadError,
  InvalidStateError,
  LimitOverrunError,
  LineTooLongError,
  ProxyProtocolError,
  TimeoutError,
  UnsupportedError,
} from "./base/errors.js";
export type { ByteCounts, Protocol, ProtocolFactory, Transport, WriteBufferLimits, WriteData } from "./contracts/connection.js";
export { BaseProtocol } from "./contracts/connection.js";
export type {
  CipherInfo,
  ExtraInfo,
  ExtraInfoSource,
  IpSocketAddress,
  PeerCredentials,
  ProxyFields,
  ProxyHeader,
  ProxySsl,
  ProxyTlv,
  SocketAddress,
  SSLClient,
  SSLServer,
  TlsTimeouts,
  TransportSocket,
  UnixSocketAddress,
} from "./contracts/extra-info.js";
export { type CopyOptions, copy, type RelayOptions, relay } from "./copy.js";
export { type DuplexOptions, toDuplex } from "./duplex.js";
export type { BoundSocket } from "./net/adopt.js";
export { type Authorize, UnauthorizedError } from "./net/authorization.js";
export type { ServerStats } from "./net/clients.js";
export { type ConnectionOptions, createConnection, createUnixConnection, type UnixConnectionOptions } from "./net/connect.js";
export { type AcceptedSocketOptions, connectAcceptedSocket } from "./net/connect-accepted.js";
export { createServer, createUnixServer, type TcpServerOptions, type UnixServerOptions } from "./net/listen.js";
export { type ListenFd, listenFds } from "./net/listen-fds.js";
export type { ClientTlsOptions, IpFamily, ServerOptions, ServerTlsOptions } from "./net/options.js";
export type { OwnedDescriptor } from "./net/owned-descriptor.js";
export type { ProxyProtocolOptions } from "./net/proxy-protocol/proxy-option.js";
export type { SendProxyHeaderOptions } from "./net/proxy-protocol/send-header.js";
export type { Server, ShutdownResult } from "./net/server.js";
export type { PathLike } from "./net/socket-file/unix-path.js";
export { startTls, type TransportStartTlsOptions } from "./net/upgrade.js";
export { type OpenConnectionOptions, type OpenUnixConnectionOptions, openConnection, openUnixConnection } from "./open.js";
export {
  type PeerAddress,
  type StartServerOptions,
  type StartUnixServerOptions,
  type StreamServerOptions,
  startServer,
  startUnixServer,
} from "./serve.js";
export type { ReadlineOptions, ReaduntilOptions, StreamReaderOptions } from "./streams/base-reader.js";
export type { FlowControl } from "./streams/flow-control.js";
export {
  type ClientConnectedCallback,
  type ClientContext,
  type ClientErrorHandler,
  StreamReaderProtocol,
  type StreamReaderProtocolOptions,
} from "./streams/protocol.js";
export { type LinesOptions, StreamReader } from "./streams/reader.js";
export type { StartTlsOptions } from "./streams/start-tls.js";
export { StreamWriter } from "./streams/writer.js";
export type {
  AcceptMessage,
  CloseMessage,
  ConnectMessage,
  DiagnosticsMessages,
  ErrorMessage,
  PauseMessage,
  ResumeMessage,
  TlsUpgradeMessage,
} from "./transports/diagnostics.js";
