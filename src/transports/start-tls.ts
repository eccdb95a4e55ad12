/** `StartTlsOperation`: changes a connection from plain to TLS, from the emptied wire to the secured socket. */
import type net from "node:net";
import type { TLSSocket } from "node:tls";
import { InvalidStateError } from "../base/errors.js";
import type { StartTlsRequest } from "../contracts/connection.js";
import type { SSLClient, SSLServer } from "../contracts/extra-info.js";
import { ClientHandshake, ServerHandshakes } from "./tls-handshake.js";
import type { Wire } from "./wire.js";

export class StartTlsOperation {
  readonly #upgrade: StartTlsRequest;
  readonly #handshake: ClientHandshake | ServerHandshakes;
  readonly #controller: AbortController = new AbortController();
  /** The socket that the wire has released. */
  #socket: net.Socket | null = null;

  /**
   * @param host the host that the connection was opened to; `undefined` if unknown
   * @throws if the TLS options are invalid, before anything is changed
   */
  constructor(upgrade: StartTlsRequest, host: string | undefined) {
    this.#upgrade = upgrade;
    this.#handshake =
      upgrade.role === "server"
        ? new ServerHandshakes(upgrade.ssl as SSLServer)
        : // If no name is known (a Unix socket), this is Node's own default.
          new ClientHandshake(upgrade.ssl as SSLClient, upgrade.serverHostname ?? host ?? "localhost");
  }

  /** Whether `giveUp()` was called. */
  get givenUp(): boolean {
    return this.#controller.signal.aborted;
  }

  /** Aborts the handshake and closes the connection. */
  giveUp(wire: Wire): void {
    this.#controller.abort(); // destroys the socket if the handshake has started
    wire.destroy();
  }

  /** Closes the connection. */
  destroy(wire: Wire): void {
    (this.#socket ?? wire).destroy();
  }

  /**
   * Performs the handshake.
   *
   * @param wire a wire without unsent bytes
   * @param readAhead bytes that were read from the wire and not passed to the program
   */
  async secure(wire: Wire, readAhead: Buffer): Promise<TLSSocket> {
    if (readAhead.length > 0 && this.#upgrade.role === "client") {
      // In TLS, a server never sends first. These bytes arrived in plain text, possibly from an attacker in the middle who wants them to
      // pass for secured.
      throw new InvalidStateError(`cannot startTls(): ${readAhead.length} unread plaintext bytes are buffered`);
    }
    const socket = wire.release();
    this.#socket = socket;
    // For a server, these bytes are the beginning of the client's handshake.
    if (readAhead.length > 0) socket.unshift(readAhead);
    return await this.#handshake.secure(socket, this.#upgrade.sslHandshakeTimeout, this.#controller.signal);
  }
}
