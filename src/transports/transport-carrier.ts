/**
 * `TransportCarrier`: a transport as a plain stream, for TLS within a connection that already has a transport (TLS in TLS).
 *
 * Theory of operation
 *
 * The carrier is the protocol of the transport below. Received data is pushed into the stream, and pausing the stream pauses the transport.
 * A written chunk completes when the system has accepted it, so the layer above knows how much is unsent.
 *
 * Ending. The layers end from the inside out. TLS above ends its writing side with close_notify. The transport below stays open for it,
 * because the peer's close_notify must still arrive through it. When the secured socket has closed in order, the transport below is closed
 * too, and exchanges its own close_notify. In every other case it is aborted. `CarriedWire` (`carried-wire.ts`) reports its end only after
 * that of the transport below.
 *
 * A loss of the transport below ends the stream with its error, after the data received before.
 */

import { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import type { NonSharedBuffer } from "../base/bytes.js";
import { ignore } from "../base/errors.js";
import type { Protocol, Transport } from "../contracts/connection.js";

type Done = (error?: Error | null) => void;

/** A transport whose `flushed()` is known to exist. */
type CarryingTransport = Transport & Required<Pick<Transport, "flushed">>;

export class TransportCarrier extends Duplex implements Protocol {
  #transport: CarryingTransport | null = null;
  #secured: TLSSocket | null = null;
  #wanted = false;
  #held = false;
  #lost = false;
  #isCut = false;
  /** Number of bytes received, as a socket counts them. */
  bytesRead = 0;
  /** Called when the transport is lost, once the stream is being destroyed. */
  #onLost: (() => void) | null = null;
  /** Called when the system has accepted a chunk. */
  onWritten: () => void = ignore;
  /** Called when nothing more can be sent. */
  onWritingFailed: (error: Error) => void = ignore;

  constructor() {
    super({ allowHalfOpen: true });
  }

  /** Follows the secured socket: reads only while it is not paused, and ends with it. */
  follow(secured: TLSSocket): void {
    this.#secured = secured;
    const hold = (): void => {
      this.#held = secured.isPaused();
      this.#regulate();
    };
    // 'resume' is emitted late, possibly after the socket has been paused again.
    secured.on("pause", hold).on("resume", hold);
    // Bun, Deno: may leave the stream open.
    secured.on("close", () => this.destroy());
  }

  #regulate(): void {
    if (this.#wanted && !this.#held) this.#transport?.resumeReading();
    else this.#transport?.pauseReading();
  }

  // ---- the protocol of the transport below ----------------------------------------------------------------------------------------

  connectionMade(transport: Transport): void {
    this.#transport = transport as CarryingTransport;
    this.#regulate();
  }

  dataReceived(data: NonSharedBuffer): void {
    this.bytesRead += data.length;
    this.#wanted = this.push(data);
    this.#regulate();
  }

  eofReceived(): void {
    this.push(null);
  }

  connectionLost(error: Error | null): void {
    this.#lost = true;
    const onLost = this.#onLost;
    if (onLost !== null) onLost();
    else this.#destroyAfterData(error);
  }

  "asyncio-streams:writingFailed"(error: Error): void {
    this.onWritingFailed(error);
  }

  pauseWriting(): void {}
  resumeWriting(): void {}

  #destroyAfterData(error: Error | null): void {
    const destroyIfRead = (): void => {
      if (this.readableLength === 0) this.destroy(error ?? undefined);
    };
    destroyIfRead();
    if (!this.destroyed) this.on("data", destroyIfRead);
  }

  // ---- the stream -----------------------------------------------------------------------------------------------------------------

  override _read(): void {
    this.#wanted = true;
    this.#regulate();
  }

  override _write(chunk: NonSharedBuffer, _encoding: unknown, done: Done): void {
    this.#transport?.write(chunk);
    this.#whenFlushed(done);
  }

  override _writev(pieces: readonly { readonly chunk: NonSharedBuffer }[], done: Done): void {
    this.#transport?.writelines(pieces.map(({ chunk }) => chunk));
    this.#whenFlushed(done);
  }

  #whenFlushed(done: Done): void {
    const onFlushed = (): void => {
      done();
      this.onWritten();
    };
    // A failed write has been reported already, and must not destroy the stream: reading continues.
    this.#transport?.flushed(undefined).then(onFlushed, ignore);
  }

  /** Sends nothing: see "Ending". */
  override _final(done: Done): void {
    done();
  }

  override _destroy(error: Error | null, done: Done): void {
    if (this.#lost || this.#transport === null) {
      done(error);
      return;
    }
    this.#onLost = () => done(error);
    if (error === null && !this.#isCut && this.#secured !== null && !this.#secured.errored) this.#transport.close();
    else this.#transport.abort();
  }

  /** Aborts the transport below. */
  cut(): void {
    this.#isCut = true;
    if (!this.#lost) this.#transport?.abort();
  }
}
