/**
 * What no runtime offers by itself: the credentials of the process at the other end of a Unix socket. Linux only. See `loadUnix()`.
 *
 * @module asyncio-streams/unix
 */
/// <reference types="node" preserve="true" />
export { getPeerCredentials } from "./credentials.js";
export { UnsupportedError } from "./errors.js";
export type { FfiName } from "./libc.js";
export { type LoadedUnix, type LoadUnixOptions, loadUnix } from "./load-unix.js";
