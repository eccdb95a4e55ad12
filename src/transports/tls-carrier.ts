/**
 * `TlsCarrier`: a connected socket as a plain stream, for a runtime whose TLS does not handle sockets correctly. On Node and Bun, TLS uses
 * the socket itself.
 *
 * Promises: pausing a secured socket stops the reads from the system, so that a slow reader slows its peer. An error of the socket reaches
 * TLS.
 *
 * Deno: pausing a TLS connection does not stop its reads, so everything that the peer sends accumulates in memory; and a reset is reported
 * as an ordinary EOF. The carrier costs half the throughput of TLS on Deno, which is less than the damage that a peer could do.
 */
import type net from "node:net";
import { Duplex, type Readable } from "node:stream";

import type { TransportCarrier } from "./transport-carrier.js";

type Done = (error?: Error | null) => void;

/** A connection to run TLS over: a socket, or the transport of a connection that uses TLS already. */
export type Beneath = net.Socket | TransportCarrier;

/** A stream that TLS can run over. */
export type Carrier = net.Socket | TlsCarrier | TransportCarrier;

/** Returns the stream that TLS runs over: the socket, or a carrier over it. */
export function carry(socket: Beneath): Carrier {
  return process.versions["deno"] === undefined || "follow" in socket ? socket : new TlsCarrier(socket);
}

/** What counts the bytes that it has received. */
interface Counted {
  readonly bytesRead: number;
}

/** A secured socket's property: the socket that TLS runs over. A `WeakMap` would cost each garbage collection some work. */
const BELOW: unique symbol = Symbol("below");

/** Remembers the socket that TLS runs over. */
export function noteSocketBelow(secured: object, socket: Partial<Counted>): void {
  if (typeof socket.bytesRead === "number") (secured as { [BELOW]?: Counted })[BELOW] = socket as Counted; // a Duplex has none
}

/** Returns the socket that TLS runs over, whose counts are those of the encrypted bytes; the secured socket itself if it is not known. */
export function socketBelow(secured: net.Socket): Counted {
  return (secured as { [BELOW]?: Counted })[BELOW] ?? secured;
}

/** A stream over a socket whose reading can be stopped. */
export class TlsCarrier extends Duplex {
  readonly #socket: net.Socket;
  #held = false;
  #wanted = false;

  /** @param socket a connected, paused socket */
  constructor(socket: net.Socket) {
    super({ allowHalfOpen: false });
    this.#socket = socket;
    socket.allowHalfOpen = true;
    socket.on("data", (chunk: Buffer) => {
      this.#wanted = this.push(chunk);
      this.#regulate();
    });
    socket.on("end", () => this.push(null));
    socket.on("error", (error) => this.destroy(error));
    socket.on("close", () => this.destroy());
    this.#regulate();
  }

  /** From now on, reads only while the secured socket is not paused. */
  follow(secured: Readable): void {
    const hold = (): void => {
      this.#held = secured.isPaused();
      this.#regulate();
    };
    // 'resume' is emitted late, possibly after the socket has been paused again.
    secured.on("pause", hold).on("resume", hold);
  }

  #regulate(): void {
    if (this.#wanted && !this.#held) this.#socket.resume();
    else this.#socket.pause();
  }

  override _read(): void {
    this.#wanted = true;
    this.#regulate();
  }

  override _write(chunk: Buffer, _encoding: unknown, done: Done): void {
    this.#socket.write(chunk, done);
  }

  override _writev(pieces: readonly { readonly chunk: Buffer }[], done: Done): void {
    const last = pieces.length - 1;
    this.#socket.cork();
    for (const [index, { chunk }] of pieces.entries()) this.#socket.write(chunk, index === last ? done : undefined);
    this.#socket.uncork();
  }

  override _final(done: Done): void {
    this.#socket.end(() => done());
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#socket.destroy();
    done(error);
  }
}
