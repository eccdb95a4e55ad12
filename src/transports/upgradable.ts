/**
 * `UpgradableTransport`: a `SocketTransport` that can change over to TLS.
 *
 * Theory of operation
 *
 * `startTls()` waits until the wire is empty and performs the handshake (`start-tls.ts`). A new transport then drives the secured socket;
 * this transport is `replaced`. The time limits count from the call. Until the call has ended, writing is refused.
 *
 * A plain connection. The wire turns into a `net.Socket`, the bytes that were read ahead are put back into it, and TLS runs over it.
 *
 * TLS in TLS. The wire stays with the TLS that it has. Another `SocketTransport` takes it over, whose protocol is a stream
 * (`transport-carrier.ts`), and TLS runs over that stream. So both layers have the flow control, the errors and the shutdown of any
 * connection. That transport belongs to no server and publishes no events: the program has one connection.
 */
import type { TLSSocket } from "node:tls";
import { asError, ConnectionLostError, InvalidStateError, notSentError } from "../base/errors.js";
import { DONE } from "../base/waiting.js";
import type { StartTlsRequest, Transport } from "../contracts/connection.js";
import { CarriedWire } from "./carried-wire.js";
import { mute, now, publishSecured } from "./diagnostics.js";
import { NodeWire } from "./node-wire.js";
import { SocketTransport, type SocketTransportOptions } from "./socket.js";
import { StartTlsOperation } from "./start-tls.js";
import type { Beneath } from "./tls-carrier.js";
import { TlsInfo } from "./tls-info.js";
import { TransportCarrier } from "./transport-carrier.js";
import type { Wire } from "./wire.js";

export class UpgradableTransport extends SocketTransport {
  readonly #options: SocketTransportOptions;
  /** Set once `startTls()` has begun. */
  #operation: StartTlsOperation | null = null;
  /** TLS in TLS: what carries the layer above. */
  #carrier: TransportCarrier | null = null;

  constructor(wire: Wire, options: SocketTransportOptions) {
    super(wire, options);
    this.#options = options;
  }

  ref(): void {
    this.#options.info.ref();
  }

  unref(): void {
    this.#options.info.unref();
  }

  /** @internal */
  async startTls(request: StartTlsRequest): Promise<Transport> {
    if (this.state === "securing") throw new InvalidStateError("cannot startTls(): another startTls() is in progress");
    if (this.state !== "open") throw new ConnectionLostError("cannot startTls(): the connection is closed", this.#cause);
    if (this.ended.peer || this.ended.ours) throw new InvalidStateError("cannot startTls(): the connection is half-closed");
    const operation = new StartTlsOperation(request, this.#options.host);
    const begunAt = now();
    operation.begin(() => this.getWriteBufferSize()); // may throw, if the signal does
    this.#operation = operation;
    this.wire.pause();
    this.flush(); // which may fail
    try {
      if (!this.moveTo("securing")) throw notSentError(this.error);
      if (request.protocol !== undefined && request.protocol !== this.getProtocol()) this.setProtocol(request.protocol);
      // The TLS engine bypasses the wire's unsent bytes, so they must be sent first. Waits in any case, because `connectionMade()` may be
      // the caller.
      await (this.getWriteBufferSize() > 0 ? this.waitFlushed(operation.signal) : DONE);
      if (this.isClosing() || this.wire.destroyed) throw notSentError(this.error);
      const readAhead = request.takeReadAhead();
      this.uncount(readAhead.length);
      const secured = await operation.secure(() => this.#beneath(), readAhead);
      if (this.isClosing()) {
        secured.destroy();
        throw notSentError(this.error);
      }
      const successor = this.#handOver(secured, request);
      publishSecured(successor, request.role, begunAt);
      return successor;
    } catch (error) {
      operation.destroy();
      this.wire.destroy();
      if (!operation.closed) this.noteError(asError(error, "startTls() was aborted with"));
      this.loseConnection();
      throw operation.closed ? new ConnectionLostError("cannot startTls(): the connection was closed meanwhile", this.#cause) : error;
    } finally {
      operation.end();
    }
  }

  get #cause(): ErrorOptions | undefined {
    return this.error === null ? undefined : { cause: this.error };
  }

  /** Returns what TLS runs over. */
  #beneath(): Beneath {
    if (!this.isTls) return this.wire.release();
    const carrier = new TransportCarrier();
    this.#carrier = carrier;
    const { info, tlsInfo, tlsShutdownTimeout } = this.#options;
    const outer = new SocketTransport(this.wire, { protocol: carrier, info, tlsInfo, tlsShutdownTimeout });
    mute(outer);
    outer.start();
    return carrier;
  }

  #handOver(secured: TLSSocket, request: StartTlsRequest): Transport {
    const carrier = this.#carrier;
    const options = this.yieldConnection({
      host: this.#options.host,
      tlsInfo: new TlsInfo(secured, request.ssl, carrier === null ? undefined : this),
      tlsShutdownTimeout: request.sslShutdownTimeout,
    });
    const successor = new UpgradableTransport(carrier === null ? new NodeWire(secured) : new CarriedWire(secured, carrier), options);
    successor.attach();
    this.moveTo("replaced");
    this.detach();
    request.onSecured(successor);
    if (this.writingPaused) this.call("resumeWriting", () => this.resumeWriting());
    successor.beginReading();
    return successor;
  }

  protected override cut(): void {
    if (this.#operation === null) super.cut();
    else this.#operation.close();
  }

  protected override get lostDuring(): "connection" | "tls-upgrade" {
    return this.#operation === null ? "connection" : "tls-upgrade";
  }
}
