/** `openServer()`: makes and starts the server of a call that listens, and reports the server's errors. */
import { debugMode } from "../base/debug-mode.js";
import { callForeign, describe, emitWarning } from "../base/errors.js";
import { abortReason, forgetAborted, onceAborted, throwIfAborted } from "../base/waiting.js";
import type { SocketAddress } from "../contracts/extra-info.js";
import type { Authorization } from "./authorization.js";
import type { ClientsPolicy } from "./clients.js";
import type { Listener } from "./listener.js";
import type { ListenCall, ServerConfig, ServerOptions } from "./options.js";
import { Server } from "./server.js";

/**
 * Makes a server of its listeners, and starts it unless `startServing` is false. On a failure, the listeners are closed.
 *
 * @param starting aborted by the program's signal, or when the time-out has passed. Then the server is closed, which ends the start.
 */
export async function openServer<Address extends SocketAddress>(
  listeners: readonly Listener[],
  { protocolFactory, onError: handler, kind }: ListenCall,
  options: Omit<ServerOptions, "onError"> | undefined,
  config: ServerConfig & { readonly authorization?: Authorization | null },
  starting: AbortSignal | undefined,
): Promise<Server<Address>> {
  const { maxConnections = Infinity, signal } = options ?? {};
  const onError = reporterTo(handler);
  const { origin } = config;
  const policy = {
    protocolFactory: debugMode?.noting(protocolFactory, origin) ?? protocolFactory,
    tls: config.tls,
    proxy: config.proxy,
    authorization: config.authorization ?? null,
    kind,
    maxConnections,
    maxWaiting: config.backlog,
    onError,
  };
  const server = makeServer<Address>(listeners, policy, signal, origin);
  const onAbort = (): void => server.close();
  try {
    throwIfAborted(starting);
    onceAborted(starting, onAbort);
    if (config.startServing) await server.startServing();
    throwIfAborted(starting);
    return server;
  } catch (error) {
    server.close();
    throw starting?.aborted === true ? abortReason(starting) : error;
  } finally {
    forgetAborted(starting, onAbort);
  }
}

/** Makes the server. If the signal throws when the server subscribes to it, the listeners are closed. */
function makeServer<Address extends SocketAddress>(
  listeners: readonly Listener[],
  policy: ClientsPolicy,
  signal: AbortSignal | undefined,
  origin: string | undefined,
): Server<Address> {
  try {
    return new Server<Address>(listeners, policy, signal, origin);
  } catch (error) {
    for (const listener of listeners) void listener.close();
    throw error;
  }
}

/** Made here, because a closure of `openServer()` would hold the server, too. */
function reporterTo(handler: ServerOptions["onError"]): (error: unknown) => void {
  return (error) => reportServerError(handler, error);
}

/** Reports an error of the server. An error that the handler throws is reported as a warning. */
function reportServerError(handler: ServerOptions["onError"], error: unknown): void {
  if (handler === undefined) {
    warnOfServerError(error);
    return;
  }
  callForeign(() => handler(error), warnOfServerError);
}

function warnOfServerError(error: unknown): void {
  emitWarning(`a server could not accept a client: ${describe(error)}`, {
    type: "ServerErrorWarning",
    code: "ASYNCIO_STREAMS_SERVER_ERROR",
  });
}
