/**
 * `TlsCarrier`: a connected socket as a plain stream, for a runtime whose TLS does not handle a socket as it should. On Node and Bun, TLS has the socket itself.
 *
 * Promises: a secured socket that is paused stops the reads from the system, so that a slow reader slows its peer; an error of the socket reaches TLS.
 *
 * Deno: pausing a TLS connection does not stop its reads, so that everything the peer sends piles up in memory; and a reset is told as an ordinary end. It costs
 * half the throughput of TLS there, which is less than what a peer could do.
 */
import type net from "node:net";
import { Duplex, type Readable } from "node:stream";

type Done = (error?: Error | null) => void;

/** What TLS is to run over: the socket, or a carrier over it. */
export function carry(socket: net.Socket): net.Socket | TlsCarrier {
  return process.versions["deno"] === undefined ? socket : new TlsCarrier(socket);
}

/** A stream over a socket, whose reading can be held. */
export class TlsCarrier extends Duplex {
  readonly #socket: net.Socket;
  #held = false;
  #wanted = false;

  /** @param socket connected and paused */
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

  /** Reads only while the secured socket is not paused. */
  follow(secured: Readable): void {
    const hold = (): void => {
      this.#held = secured.isPaused();
      this.#regulate();
    };
    // 'resume' comes late, perhaps when it has been paused again.
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
