/**
 * What no runtime offers by itself: the credentials of the process at the other end of a Unix socket, passing open files and sockets
 * between processes, and socket options. Linux only. See `loadUnix()`.
 *
 * @module asyncio-streams/unix
 */
/// <reference types="node" preserve="true" />

export { UnsupportedError } from "../base/errors.js";
export { getPeerCredentials, openPeerPidfd } from "./credentials.js";
export { Descriptor } from "./descriptor.js";
export { DescriptorLimitError } from "./errors.js";
export { type FdClientConnectedCallback, FdStreamReader, FdStreamWriter, type HasFd } from "./fd-streams.js";
export { detachConnection, duplicateListeners } from "./hand-over.js";
export type { FfiName } from "./libc.js";
export { type LoadedUnix, type LoadUnixOptions, loadUnix } from "./load-unix.js";
export { type FdStreamOptions, type OpenFdConnectionOptions, openFdConnection } from "./open-fd-connection.js";
export { type SdNotifyOptions, sdNotify, sdWatchdogMs } from "./sd-notify.js";
export {
  getsockopt,
  getTcpInfo,
  IPPROTO_TCP,
  SO_KEEPALIVE,
  SO_RCVBUF,
  SO_SNDBUF,
  SOL_SOCKET,
  setsockopt,
  TCP_KEEPCNT,
  TCP_KEEPIDLE,
  TCP_KEEPINTVL,
  TCP_NODELAY,
  TCP_QUICKACK,
  TCP_USER_TIMEOUT,
  type TcpInfo,
} from "./socket-options.js";
export { openSocketpair } from "./socketpair.js";
export { type StartFdServerOptions, startFdServer } from "./start-fd-server.js";
