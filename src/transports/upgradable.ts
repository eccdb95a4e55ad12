/**
 * `UpgradableTransport`: a `SocketTransport` that can change over to TLS.
 *
 * `startTls()` waits until the wire is empty, turns it into a `net.Socket`, puts the bytes that were read ahead back into it, and performs
 * the handshake (`start-tls.ts`). A new transport then drives the secured socket for the same protocol; this transport is `replaced`.
 */
import type { TLSSocket } from "node:tls";
import { ConnectionLostError, InvalidStateError, notSentError } from "../base/errors.js";
import type { StartTlsRequest, Transport } from "../contracts/connection.js";
import { now, publishSecured } from "./diagnostics.js";
import { NodeWire } from "./node-wire.js";
import { SocketTransport, type SocketTransportOptions } from "./socket.js";
import { tlsExtraInfo } from "./socket-info.js";
import { StartTlsOperation } from "./start-tls.js";
import type { Wire } from "./wire.js";

export class UpgradableTransport extends SocketTransport {
  readonly #host: string | undefined;
  /** Set once `startTls()` has begun. */
  #upgrade: StartTlsOperation | null = null;

  constructor(wire: Wire, options: SocketTransportOptions) {
    super(wire, options);
    this.#host = options.host;
  }

  /** @internal */
  async startTls(upgrade: StartTlsRequest): Promise<Transport> {
    if (this.isTls) throw new InvalidStateError("cannot startTls(): the connection already uses TLS");
    if (this.state === "securing") throw new InvalidStateError("cannot startTls(): another startTls() is in progress");
    if (this.isHalfClosed) throw new InvalidStateError("cannot startTls(): the connection is half-closed");
    if (this.state !== "open") throw new ConnectionLostError("cannot startTls(): the connection is closed");
    const change = new StartTlsOperation(upgrade, this.#host);
    const begunAt = now();
    const { wire } = this;
    wire.pause();
    this.flush(); // which may fail
    this.#upgrade = change;
    try {
      if (!this.moveTo("securing")) throw notSentError(this.error);
      // The TLS engine bypasses the wire's unsent bytes, so they must be sent first.
      if (this.getWriteBufferSize() > 0) await this.waitFlushed();
      if (this.isClosing() || wire.destroyed) throw notSentError(this.error);
      const readAhead = upgrade.takeReadAhead();
      this.uncount(readAhead.length);
      const secured = await change.secure(wire, readAhead);
      if (this.isClosing()) {
        secured.destroy();
        throw notSentError(this.error);
      }
      const successor = this.#handOver(secured, upgrade);
      publishSecured(successor, upgrade.role, begunAt);
      return successor;
    } catch (error) {
      change.destroy(wire);
      if (!change.givenUp) this.noteError(error as Error);
      this.loseConnection();
      throw change.givenUp ? new ConnectionLostError("cannot startTls(): the connection was closed meanwhile") : error;
    }
  }

  #handOver(secured: TLSSocket, upgrade: StartTlsRequest): Transport {
    const successor = new UpgradableTransport(new NodeWire(secured), {
      ...this.yieldConnection(),
      host: this.#host,
      tlsInfo: tlsExtraInfo(secured, upgrade.ssl),
      tlsShutdownTimeout: upgrade.sslShutdownTimeout,
    });
    successor.attach();
    this.moveTo("replaced");
    this.detach();
    upgrade.onSecured(successor);
    if (this.writingPaused) this.call(() => this.resumeWriting());
    successor.beginReading();
    return successor;
  }

  protected override cut(): void {
    if (this.#upgrade === null) super.cut();
    else this.#upgrade.giveUp(this.wire);
  }

  protected override get lostDuring(): "connection" | "tls-upgrade" {
    return this.#upgrade === null ? "connection" : "tls-upgrade";
  }
}
