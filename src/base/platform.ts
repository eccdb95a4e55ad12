/**
 * Features that a whole system or runtime lacks. Each is refused where a call begins, with an error that says what to use instead, because
 * the platform's own error would name a detail, such as an invalid argument.
 */
import { UnsupportedError } from "./errors.js";

/** Returns whether this is Cloudflare Workers, whose `process` claims to be Node.js on Linux. */
function isWorkers(): boolean {
  const { navigator } = globalThis as { readonly navigator?: { readonly userAgent?: unknown } };
  return navigator?.userAgent === "Cloudflare-Workers";
}

/** Returns the name of the platform for messages. */
export function platformName(): string {
  return isWorkers() ? "Cloudflare Workers" : `${process.platform} on ${process.arch}`;
}

/** Returns whether this is a system on which the numbers and layouts of Linux apply. */
export function isLinux(): boolean {
  return process.platform === "linux" && !isWorkers();
}

/**
 * Windows: `node:net` takes every path as the name of a pipe, and the system's Unix sockets have neither modes nor descriptors.
 *
 * @param what the path, for the message
 * @throws UnsupportedError if the platform has no Unix sockets
 */
export function refuseWithoutUnixSockets(what: string): void {
  if (process.platform === "win32") throw new UnsupportedError(`Unix sockets are not supported on Windows: use TCP on 127.0.0.1 (${what})`);
  if (isWorkers()) throw new UnsupportedError(`Unix sockets do not exist on Cloudflare Workers: use TCP (${what})`);
}

/**
 * Windows: a descriptor is a number of the C library, which no other process and no socket shares.
 *
 * @throws UnsupportedError if the platform has no descriptors of sockets
 */
export function refuseWithoutDescriptors(fd: number): void {
  if (process.platform === "win32")
    throw new UnsupportedError(`sock cannot be a file descriptor on Windows: pass a net.Socket or a net.Server (${fd})`);
}

/** @throws UnsupportedError if the platform has no POSIX shell */
export function refuseWithoutShell(what: string): void {
  if (process.platform === "win32") throw new UnsupportedError(`${what} needs /bin/sh, which Windows does not have`);
}

/** @throws UnsupportedError if nothing can connect to this program */
export function refuseWithoutServers(): void {
  if (isWorkers())
    throw new UnsupportedError("servers do not exist on Cloudflare Workers: export a fetch() or a connect() handler of the platform");
}

/**
 * Cloudflare Workers: `tls.connect({ socket })` throws "Cannot call releaseLock() on a reader with outstanding read promises".
 *
 * @throws UnsupportedError if the platform has no TLS over an open socket
 */
export function refuseWithoutTls(): void {
  if (isWorkers())
    throw new UnsupportedError(
      'node:tls cannot secure an open socket on Cloudflare Workers: use connect() of "cloudflare:sockets" with secureTransport, and ' +
        "StreamReader.from(socket.readable)",
    );
}
