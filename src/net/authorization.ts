/**
 * `authorize`: a server on a Unix socket asks the program about each client, by the kernel's record of who has connected. A refused client
 * never has a protocol, and nothing is read from it.
 */
import { checkFunction } from "../base/arguments.js";
import { asError, InvalidStateError, isThenable, nameOnPrototype } from "../base/errors.js";
import type { PeerCredentials } from "../contracts/extra-info.js";
import { canReadCredentials } from "../transports/peer-credentials.js";
import type { ConnectedSocket } from "../transports/socket-info.js";

/** Decides about a client: only `true`, or a promise for `true`, lets it in. */
export type Authorize = (credentials: PeerCredentials) => boolean | PromiseLike<boolean>;

/**
 * A server refused a client, because its `authorize` did not let it in. Passed to the server's error handler. Python has no counterpart.
 */
export class UnauthorizedError extends Error {
  /** Always `"ERR_UNAUTHORIZED"`. */
  readonly code = "ERR_UNAUTHORIZED";
  /** The credentials of the client; `null` if the system does not have them. */
  readonly credentials: PeerCredentials | null;

  /**
   * Creates the error.
   *
   * @param message who was refused
   * @param credentials the credentials of the client
   * @param options `cause`, as for every `Error`
   */
  constructor(message: string, credentials: PeerCredentials | null, options?: ErrorOptions) {
    super(message, options);
    this.credentials = credentials;
  }
}
nameOnPrototype(UnauthorizedError, "UnauthorizedError");

/** The clients that a server lets in. */
export class Authorization {
  readonly #authorize: Authorize;

  constructor(authorize: Authorize) {
    this.#authorize = authorize;
  }

  /**
   * Asks the program about a client.
   *
   * @returns `null` if it has decided to let the client in; otherwise a promise, which rejects if the client is refused
   * @throws UnauthorizedError if the client is refused; what the program's function throws
   */
  check({ peercred }: ConnectedSocket): Promise<void> | null {
    if (peercred === null) throw new UnauthorizedError("refused a client: the system does not have its credentials", null);
    const answer: unknown = this.#authorize(peercred);
    if (!isThenable(answer)) {
      requireTrue(answer, peercred);
      return null;
    }
    // A new promise calls `then` in a separate job, and handles a `then` that throws or calls back twice.
    return new Promise((resolve) => resolve(answer)).then(
      (settled) => requireTrue(settled, peercred),
      (error: unknown) => {
        throw asError(error, "authorize rejected with");
      },
    );
  }
}

function requireTrue(answer: unknown, peercred: PeerCredentials): void {
  if (answer === true) return;
  const { pid, uid, gid } = peercred;
  throw new UnauthorizedError(`refused a client: uid ${uid}, gid ${gid}, pid ${pid ?? "unknown"} is not authorized`, peercred);
}

/** Checks the option `authorize`. */
export function checkAuthorize(authorize: Authorize | undefined): Authorization | null {
  if (authorize === undefined) return null;
  checkFunction("authorize", authorize);
  if (canReadCredentials()) return new Authorization(authorize);
  throw new InvalidStateError("authorize needs the credentials of clients: call loadUnix() of asyncio-streams/unix first");
}
