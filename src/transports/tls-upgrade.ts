/** `TlsChange`: a connection's change from plain to TLS, from the emptied wire to the secured socket. */
import type net from "node:net";
import type { TLSSocket } from "node:tls";
import { InvalidStateError } from "../base/errors.js";
import type { TlsUpgrade } from "../contracts/connection.js";
import type { SSLClient, SSLServer } from "../contracts/tls.js";
import { ClientHandshake, ServerHandshakes } from "./tls-handshake.js";
import type { Wire } from "./wire.js";

export class TlsChange {
  readonly #upgrade: TlsUpgrade;
  readonly #handshake: ClientHandshake | ServerHandshakes;
  readonly #controller: AbortController = new AbortController();
  /** What is left of the wire. */
  #socket: net.Socket | null = null;

  /**
   * @param host the host that the connection was opened to; `undefined` where none is known
   * @throws if the options do not make TLS, before anything is touched
   */
  constructor(upgrade: TlsUpgrade, host: string | undefined) {
    this.#upgrade = upgrade;
    this.#handshake =
      upgrade.role === "server"
        ? new ServerHandshakes(upgrade.ssl as SSLServer)
        : // Where no name is known (a Unix socket), Node's own default.
          new ClientHandshake(upgrade.ssl as SSLClient, upgrade.serverHostname ?? host ?? "localhost");
  }

  /** Whether `giveUp()` was called. */
  get givenUp(): boolean {
    return this.#controller.signal.aborted;
  }

  /** Ends the handshake and the connection. */
  giveUp(wire: Wire): void {
    this.#controller.abort(); // destroys the socket, once the handshake has it
    wire.destroy();
  }

  /** Ends the connection. */
  destroy(wire: Wire): void {
    (this.#socket ?? wire).destroy();
  }

  /** Makes the handshake. @param wire has nothing left to send. @param readAhead what was read from it and is not for the program. */
  async secure(wire: Wire, readAhead: Buffer): Promise<TLSSocket> {
    if (readAhead.length > 0 && this.#upgrade.role === "client") {
      // A server never speaks first in TLS: this came in the clear, perhaps from somebody in the middle who wants it to be taken for secured.
      throw new InvalidStateError(`cannot startTls(): ${readAhead.length} unread plaintext bytes are buffered`);
    }
    const socket = wire.release();
    this.#socket = socket;
    // For a server that is the beginning of the client's handshake.
    if (readAhead.length > 0) socket.unshift(readAhead);
    return await this.#handshake.secure(socket, this.#upgrade.sslHandshakeTimeout, this.#controller.signal);
  }
}
