/** `DescriptorTransport`: a transport over a `DescriptorWire`, with the descriptors that it receives and sends. */
import type { Protocol, Transport } from "../contracts/connection.js";
import type { ConnectionContext } from "../net/connection-context.js";
import { publishStarted } from "../transports/diagnostics.js";
import { SocketTransport, type SocketTransportOptions } from "../transports/socket.js";
import type { DescriptorEvents, DescriptorWire } from "./descriptor-wire.js";

/** A protocol that receives descriptors. */
export interface DescriptorProtocol extends Protocol {
  /**
   * Descriptors were received. Called before `dataReceived()` with the first byte that they were sent with.
   *
   * @param isCut whether the kernel has dropped some
   * @param hasBytes whether this protocol receives the bytes, too: not after `setProtocol()`
   * @throws if there are too many, or some are lost
   */
  descriptorsReceived(fds: readonly number[], isCut: boolean, hasBytes: boolean): void;
  /** The program has closed the connection. */
  descriptorsClosed(): void;
}

export class DescriptorTransport extends SocketTransport implements DescriptorEvents {
  /** Owns the descriptors of the connection, also after `setProtocol()`: another protocol receives bytes only. */
  readonly #descriptors: DescriptorProtocol;

  constructor(wire: DescriptorWire, options: SocketTransportOptions & { readonly protocol: DescriptorProtocol }) {
    super(wire, options);
    this.#descriptors = options.protocol;
  }

  /** @internal */
  handleDescriptors(fds: readonly number[], isCut: boolean): void {
    this.#descriptors.descriptorsReceived(fds, isCut, this.getProtocol() === this.#descriptors);
  }

  /**
   * Sends descriptors with the bytes that `write` writes. They belong to the transport from now on. If they cannot be sent, they are
   * closed.
   *
   * @throws what `write` throws
   */
  sendDescriptors(fds: readonly number[], write: () => void): void {
    const wire = this.wire as DescriptorWire;
    this.flush(true); // what was written before goes first
    wire.attach(fds);
    try {
      write();
      this.flush(true);
    } finally {
      wire.dropAttached();
    }
  }

  override close(): void {
    super.close();
    this.#descriptors.descriptorsClosed();
  }

  override abort(reason?: Error): void {
    super.abort(reason);
    this.#descriptors.descriptorsClosed();
  }
}

/** Starts a connection that carries descriptors. */
export function startDescriptorTransport(
  wire: DescriptorWire,
  protocol: DescriptorProtocol,
  { owner, begunAt, info }: ConnectionContext,
): Transport {
  const transport = new DescriptorTransport(wire, { protocol, info, owner });
  publishStarted(transport, owner !== undefined, begunAt);
  transport.start();
  return transport;
}
