/**
 * What no runtime offers by itself: the credentials of the process at the other end of a Unix socket, and passing open files and sockets
 * between processes. Linux only. See `loadUnix()`.
 *
 * @module asyncio-streams/unix
 */
/// <reference types="node" preserve="true" />
export { getPeerCredentials } from "./credentials.js";
export { Descriptor } from "./descriptor.js";
export { DescriptorLimitError, UnsupportedError } from "./errors.js";
export { type FdClientConnectedCallback, FdStreamReader, FdStreamWriter, type HasFd } from "./fd-streams.js";
export type { FfiName } from "./libc.js";
export { type LoadedUnix, type LoadUnixOptions, loadUnix } from "./load-unix.js";
export { type FdStreamOptions, type OpenFdConnectionOptions, openFdConnection } from "./open-fd-connection.js";
export { type StartFdServerOptions, startFdServer } from "./start-fd-server.js";
