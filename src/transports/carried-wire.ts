/**
 * `CarriedWire`: the wire of a secured socket over a `TransportCarrier` (TLS in TLS). It has a file of its own because `node-wire.ts`
 * imports the carriers.
 */
import type { TLSSocket } from "node:tls";
import { NodeWire } from "./node-wire.js";
import type { TransportCarrier } from "./transport-carrier.js";

export class CarriedWire extends NodeWire {
  readonly #carrier: TransportCarrier;

  constructor(secured: TLSSocket, carrier: TransportCarrier) {
    super(secured);
    this.#carrier = carrier;
    carrier.onWritten = () => this.setWritten();
    carrier.onWritingFailed = (error) => this.failWriting(error);
  }

  /** Bun: reports a write as done when it is encrypted, and the bytes wait in the carrier. */
  protected override get pendingBytes(): number {
    return Math.max(super.pendingBytes, this.#carrier.writableLength);
  }

  /** A failed write is reported by the transport below, so the descriptor need not be asked. Bun: there is none. */
  override isPeerGone(): boolean {
    return this.destroyed || this.#carrier.destroyed;
  }

  override destroy(): void {
    super.destroy();
    this.#carrier.cut();
  }

  override handleClose(): void {
    if (this.#carrier.closed) super.handleClose();
    else this.#carrier.destroy().once("close", () => super.handleClose());
  }
}
