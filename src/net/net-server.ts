/** Starts and closes a `net.Server`, with promises instead of events. */
import type net from "node:net";
import { InvalidStateError, ignore } from "../base/errors.js";

/**
 * Listens with a `net.Server`. Resolves when it listens, and rejects if it fails.
 *
 * Node: treats a backlog of 0 as missing, and so uses its longest queue instead of the shortest.
 */
export function listenOn(server: net.Server, options: net.ListenOptions & { readonly fd?: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      server.off("error", onError).off("close", onClose).off("listening", onListening);
    };
    const onError = (error: Error): void => {
      settle();
      reject(error);
    };
    const onClose = (): void => {
      settle();
      reject(new InvalidStateError("cannot listen: the server was closed meanwhile"));
    };
    const onListening = (): void => {
      settle();
      resolve();
    };
    server
      .on("error", onError)
      .on("close", onClose)
      .on("listening", onListening)
      .listen(options.backlog === 0 ? { ...options, backlog: 1 } : options);
  });
}

/** Closes a server, whether it listens or not. */
export function closeServer(server: net.Server): void {
  // Does not check `server.listening`, because a server that is about to listen must be closed, too. Closing a server that is not open
  // only passes an error to the callback.
  server.on("error", ignore);
  server.close(ignore);
}
