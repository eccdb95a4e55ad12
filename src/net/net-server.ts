/** Starting and ending a `net.Server`, as promises and without surprises. */
import type net from "node:net";
import { InvalidStateError } from "../base/errors.js";
import { ignore } from "../base/thrown.js";

/**
 * Listens with a `net.Server`, and resolves or rejects when that has worked or not.
 *
 * Node: takes a backlog of 0 for none given, and gives the longest queue for the shortest.
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

/** Closes a server whether it listens or not. */
export function closeServer(server: net.Server): void {
  // Not `server.listening`: one that is still on its way has to be closed, too. Closing what is not open calls back with an error, and nothing else.
  server.on("error", ignore);
  server.close(ignore);
}
