/** `StartTlsOperation`: changes a connection from plain to TLS, from the emptied wire to the secured socket. */

import type { TLSSocket } from "node:tls";
import type { NonSharedBuffer } from "../base/bytes.js";
import { ConnectionTimeoutError, InvalidStateError } from "../base/errors.js";
import { refuseWithoutTls } from "../base/platform.js";
import { startTimeout, stopTimeout, type Timeout } from "../base/timeouts.js";
import { abortReason, Canceller, forgetAborted, onceAborted, throwIfAborted } from "../base/waiting.js";
import type { StartTlsRequest } from "../contracts/connection.js";
import type { SSLClient, SSLServer } from "../contracts/extra-info.js";
import type { Beneath } from "./tls-carrier.js";
import { ClientHandshake, ServerHandshakes } from "./tls-handshake.js";

export class StartTlsOperation {
  readonly #request: StartTlsRequest;
  readonly #handshake: ClientHandshake | ServerHandshakes;
  readonly #canceller: Canceller = new Canceller();
  #timer: Timeout | undefined;
  #beneath: Beneath | null = null;
  #closed = false;

  /**
   * @param host the host that the connection was opened to; `undefined` if unknown
   * @throws if the TLS options are invalid, before anything is changed
   */
  constructor(request: StartTlsRequest, host: string | undefined) {
    refuseWithoutTls();
    this.#request = request;
    this.#handshake =
      request.role === "server"
        ? new ServerHandshakes(request.ssl as SSLServer)
        : // If no name is known (a Unix socket), this is Node's own default.
          new ClientHandshake(request.ssl as SSLClient, request.serverHostname ?? host ?? "localhost");
  }

  /**
   * Begins the time limit, and lets the program's signal end the operation.
   *
   * @param unsent returns the number of bytes that wait to be sent before the handshake
   */
  begin(unsent: () => number): void {
    const { signal, sslHandshakeTimeout: limitMs } = this.#request;
    onceAborted(signal, this.#onAbort); // first, because it throws if the signal does
    this.#timer = startTimeout(limitMs, () => {
      const what = this.#beneath === null ? `the peer has not taken the ${unsent()} bytes written before, and ` : "";
      this.#canceller.abort(new ConnectionTimeoutError(`the TLS handshake took longer than ${limitMs} ms: ${what}the connection was cut`));
    });
  }

  readonly #onAbort = (): void => this.#canceller.abort(abortReason(this.#request.signal));

  /** Ends the time limit, and forgets the program's signal. */
  end(): void {
    stopTimeout(this.#timer);
    forgetAborted(this.#request.signal, this.#onAbort);
  }

  /** Aborted when the operation must end. */
  get signal(): Canceller {
    return this.#canceller;
  }

  /** Whether the program has closed the connection meanwhile. */
  get closed(): boolean {
    return this.#closed;
  }

  /** The program closes the connection: ends the operation. */
  close(): void {
    this.#closed = true;
    this.#canceller.abort();
  }

  /** Closes what TLS runs over; does nothing before `secure()`. */
  destroy(): void {
    this.#beneath?.destroy();
  }

  /**
   * Performs the handshake.
   *
   * @param readAhead bytes that were received and not passed to the program
   */
  secure(takeBeneath: () => Beneath, readAhead: NonSharedBuffer): Promise<TLSSocket> {
    if (readAhead.length > 0 && this.#request.role === "client") {
      // In TLS, a server never sends first. These bytes arrived in plain text, possibly from an attacker in the middle who wants them to
      // pass for secured.
      throw new InvalidStateError(`cannot startTls(): ${readAhead.length} unread plaintext bytes are buffered`);
    }
    throwIfAborted(this.#canceller); // during the wait before
    const beneath = takeBeneath();
    this.#beneath = beneath;
    // For a server, these bytes are the beginning of the client's handshake.
    if (readAhead.length > 0) beneath.unshift(readAhead);
    return this.#handshake.secure(beneath, null, this.#canceller);
  }
}
