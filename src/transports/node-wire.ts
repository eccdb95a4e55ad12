/** `NodeWire`: a wire over a `net.Socket` or a `tls.TLSSocket`, by what Node documents. Works on every runtime, and with any socket. */
import type net from "node:net";
import type { SocketFacts, Wire, WireEvents } from "./wire.js";

const WIRE: unique symbol = Symbol("wire");

/** A socket with its wire, so that the handlers can be shared by all connections. */
type WiredSocket = net.Socket & { [WIRE]?: NodeWire };

export class NodeWire implements Wire {
  readonly #socket: WiredSocket;
  #events: WireEvents | null = null;
  #reading = false;
  /** Writes that the socket is not done with. */
  #pending = 0;
  readonly #onWritten = (error?: Error | null): void => {
    // A socket that is destroyed reports its writes as done, too: they were dropped. Deno: reports the error before it destroys the socket.
    if (error || this.#socket.destroyed) return;
    this.#pending -= 1;
    this.#events?.handleWritten();
  };

  /** @param socket connected; it belongs to the wire from now on */
  constructor(socket: net.Socket) {
    this.#socket = socket;
    socket.on("error", ignore);
  }

  get unsent(): number {
    return this.#socket.writableLength;
  }

  get dropped(): boolean {
    return this.#pending > 0 && this.#socket.destroyed;
  }

  get destroyed(): boolean {
    return this.#socket.destroyed;
  }

  get errored(): Error | null {
    return this.#socket.errored ?? null;
  }

  get facts(): SocketFacts {
    return this.#socket;
  }

  listen(events: WireEvents): void {
    this.#events = events;
    this.#socket[WIRE] = this;
    this.#socket.off("error", ignore).on("error", onSocketError).on("close", onSocketClose);
  }

  /** @internal */
  get events(): WireEvents | null {
    return this.#events;
  }

  resume(): void {
    const socket = this.#socket;
    if (!this.#reading) {
      this.#reading = true;
      socket.on("end", onSocketEnd).on("data", onSocketData);
      if (socket.readableEnded) this.#events?.handleEnd();
    }
    if (socket.isPaused()) socket.resume();
  }

  pause(): void {
    this.#socket.pause();
  }

  write(data: Uint8Array | readonly Uint8Array[]): boolean {
    const socket = this.#socket;
    this.#pending += data instanceof Uint8Array ? 1 : data.length;
    if (data instanceof Uint8Array) socket.write(data, this.#onWritten);
    else {
      socket.cork();
      for (const piece of data) socket.write(piece, this.#onWritten);
      socket.uncork();
    }
    return false; // when Node lets go of the memory, nobody knows
  }

  end(): void {
    this.#socket.end();
  }

  endSecured(): void {
    this.resume();
    this.#socket.end();
  }

  destroySoon(): void {
    this.#socket.pause();
    this.#socket.destroySoon();
  }

  destroy(): void {
    // Bun, Deno: tell of a write some turns after the system has taken it.
    if (!this.#socket.destroyed && this.#socket.writableLength === 0) this.#pending = 0;
    this.#socket.destroy();
  }

  /* c8 ignore start -- Bun and Deno: on Node what is secured later is a HandleWire */
  release(): net.Socket {
    this.#events = null;
    return this.#socket
      .off("data", onSocketData)
      .off("end", onSocketEnd)
      .off("error", onSocketError)
      .off("close", onSocketClose)
      .on("error", ignore);
  }
}

function ignore(): void {}
/* c8 ignore stop */

function onSocketData(this: WiredSocket, chunk: Buffer): void {
  this[WIRE]?.events?.handleData(chunk);
}

function onSocketEnd(this: WiredSocket): void {
  this[WIRE]?.events?.handleEnd();
}

function onSocketError(this: WiredSocket, error: Error): void {
  this[WIRE]?.events?.handleError(error);
}

function onSocketClose(this: WiredSocket): void {
  this[WIRE]?.events?.handleClose();
}
