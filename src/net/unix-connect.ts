/** `connectUnix()`: connects to a Unix socket. */
import type net from "node:net";
import { abortReason, forgetAborted, onceAborted } from "../base/waiting.js";
import type { UnixPath } from "./unix-path.js";
import { makeSocket } from "./wire-factory.js";

/** Connects. If aborted, closes the socket and rejects with the signal's reason. */
export function connectUnix(path: UnixPath, signal: AbortSignal | undefined): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    // The signal is not passed to Node, which would destroy the connection on a later abort.
    const socket = makeSocket();
    const stopWatching = (): void => forgetAborted(signal, onAbort);
    const onAbort = (): void => {
      socket.destroy();
      reject(abortReason(signal));
    };
    onceAborted(signal, onAbort); // throws if the signal does
    socket.on("error", (error) => {
      stopWatching();
      reject(error);
    });
    socket.once("connect", () => {
      stopWatching();
      resolve(socket);
    });
    socket.connect({ path: path.name });
  });
}
