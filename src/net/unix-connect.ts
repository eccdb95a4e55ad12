/** Connecting to a Unix socket. */
import net from "node:net";
import type { UnixPath } from "./unix-path.js";

/** Connects; if aborted, closes what was opened and rejects with the signal's reason. */
export function connectUnix(path: UnixPath, signal: AbortSignal | undefined): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    // The signal is not given to Node, which would destroy the connection with it later on.
    const socket = net.connect({ path: path.name, allowHalfOpen: true });
    const onAbort = (): void => {
      socket.destroy();
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    socket.on("error", (error) => {
      signal?.removeEventListener("abort", onAbort);
      reject(error);
    });
    socket.once("connect", () => {
      signal?.removeEventListener("abort", onAbort);
      resolve(socket);
    });
  });
}
