/**
 * `TlsSending`: what is written to a TLS engine (Node's `TLSWrap`), one write at a time.
 *
 * Theory of operation
 *
 * The engine aborts the process if it gets a write while another is under way, and no write is done before the next turn of the event loop. So what is written meanwhile is queued, and goes
 * together when the first is done, up to WRITE_BYTES at once. Node itself writes to the engine, too: the end, and what somebody does with the socket of extra info, such as to
 * renegotiate. The methods by which its streams do so are replaced by ones that wait for their turn, when the queue is empty.
 *
 * A write that fails leaves the engine taken for ever, so that nothing more is written; the socket is destroyed.
 *
 * Node: a write may never be done, and nothing tells of it. The engine sends on its own behalf, too (session tickets, keys, alerts); where that fails, because the peer has vanished, it believes
 * to be still at it, and what is written then waits behind it. To see it: Node 26, a client that leaves as soon as it has sent its part of the handshake, a server that then
 * writes. Once the peer has ended nothing can come to its help any more, so from then on a write is watched: it is given up if it stays while the system has nothing left to send.
 */
import type { TLSSocket } from "node:tls";
import { type HandleRequest, libuvError, type StreamHandle, type StreamHandles, UNUSED } from "./stream-handle.js";

/** What is encrypted at once: enough for a system call that pays, little enough not to hold up everybody else. */
const WRITE_BYTES = 262_144;

/** How often a watched write is looked at, and how often in a row the system must have had nothing to send. A turn of the event loop is enough to be done. */
const WATCH_MS = 20;
const WATCHED_TIMES = 5;

const SENDING: unique symbol = Symbol("sending");

/** `SENDING` is set until it is done. */
type WiredRequest = HandleRequest & { [SENDING]?: TlsSending | undefined; data?: unknown; error?: string };

type Done = (error?: Error | null) => void;

type Chunks = Parameters<NonNullable<TLSSocket["_writev"]>>[0];

type GatedSocket = TLSSocket & { readonly [SENDING]: TlsSending };

/** Node's methods. */
const nodeOf = (socket: TLSSocket): TLSSocket => Object.getPrototypeOf(socket) as TLSSocket;

/** What a stream calls to write and to end, in place of Node's. A write comes later, since an empty one makes the engine read, too, which it must not do again within a read. */
const GATES: ThisType<GatedSocket> & Pick<TLSSocket, "_write" | "_writev" | "_final"> = {
  _write(chunk: unknown, encoding: BufferEncoding, done: Done) {
    setImmediate(() => this[SENDING].letNode((finished) => nodeOf(this)._write.call(this, chunk, encoding, finished), done));
  },
  _writev(chunks: Chunks, done: Done) {
    setImmediate(() => this[SENDING].letNode((finished) => nodeOf(this)._writev?.call(this, chunks, finished), done));
  },
  _final(done: Done) {
    this[SENDING].letNode((finished) => nodeOf(this)._final.call(this, finished), done);
  },
};

export class TlsSending {
  readonly #socket: TLSSocket;
  readonly #engine: StreamHandle;
  readonly #carrier: StreamHandle;
  readonly #parts: StreamHandles;
  readonly #onSent: () => void;
  /** The write that is under way. */
  #request: HandleRequest | null = null;
  #requestBytes = 0;
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  /** What Node wants to do with the engine. */
  #nodesTurn: (() => void) | null = null;
  #isNodesTurn = false;
  #peerEnded = false;
  #watch: NodeJS.Timeout | undefined;

  /**
   * @param socket secured, with nothing to write
   * @param engine its handle
   * @param carrier the handle underneath
   * @param onSent called when a write is done
   */
  constructor(socket: TLSSocket, engine: StreamHandle, carrier: StreamHandle, parts: StreamHandles, onSent: () => void) {
    this.#socket = socket;
    this.#engine = engine;
    this.#carrier = carrier;
    this.#parts = parts;
    this.#onSent = onSent;
    Object.assign(socket, { [SENDING]: this, ...GATES });
  }

  /** Bytes that were given to `write()` and are not sent. */
  get unsent(): number {
    return this.#requestBytes + this.#queuedBytes;
  }

  /** Sends, in order; the memory must not be changed before it is sent. There has to be something. */
  write(data: Uint8Array | readonly Uint8Array[]): void {
    if (!(data instanceof Uint8Array)) for (const piece of data) this.#enqueue(piece);
    else if (data.length > WRITE_BYTES || this.#isTaken() || this.#queue.length > 0) this.#enqueue(data);
    else {
      this.#send(data, data.length);
      return;
    }
    this.#goOn();
  }

  #isTaken(): boolean {
    return this.#request !== null || this.#isNodesTurn;
  }

  #enqueue(bytes: Uint8Array): void {
    this.#queuedBytes += bytes.length;
    for (let start = 0; start < bytes.length; start += WRITE_BYTES) this.#queue.push(bytes.subarray(start, start + WRITE_BYTES));
  }

  /** Gives the engine what is next in turn, if it is free. */
  #goOn(): void {
    while ((this.#queue.length > 0 || this.#nodesTurn !== null) && !this.#isTaken() && !this.#socket.destroyed) {
      const turn = this.#nodesTurn;
      if (this.#queue.length > 0 || turn === null) this.#sendQueued();
      else {
        this.#nodesTurn = null;
        turn();
      }
    }
  }

  /** Lets Node act when it is its turn; streams ask for one act at a time. @internal */
  letNode(act: (finished: Done) => void, done: Done): void {
    this.#nodesTurn = () => {
      this.#isNodesTurn = true;
      act((error) => {
        this.#isNodesTurn = false;
        done(error);
        this.#goOn();
      });
    };
    this.#goOn();
  }

  #sendQueued(): void {
    let bytes = 0;
    let count = 0;
    for (const { length } of this.#queue) {
      if (count > 0 && bytes + length > WRITE_BYTES) break;
      bytes += length;
      count += 1;
    }
    const pieces = this.#queue.splice(0, count);
    this.#queuedBytes -= bytes;
    this.#send(count === 1 ? (pieces[0] as Uint8Array) : pieces, bytes);
  }

  #send(data: Uint8Array | readonly Uint8Array[], bytes: number): void {
    const request: WiredRequest = new this.#parts.WriteWrap();
    request[SENDING] = this;
    request.data = data;
    request.oncomplete = onWriteComplete;
    this.#request = request;
    this.#requestBytes = bytes;
    const error = data instanceof Uint8Array ? this.#engine.writeBuffer(request, data) : this.#engine.writev(request, data, true);
    if (error !== 0) this.#fail(libuvError(error, "write", request.error));
    // A failure may have been told already. Done already: not with any Node so far, and nothing would tell of it.
    else if (request.getAsyncId() === UNUSED && request[SENDING] !== undefined) process.nextTick(tellSent, this);
    else if (this.#peerEnded) this.#watchWrite();
  }

  /** @internal */
  handleSent(status: number, detail?: string): void {
    if (status < 0) {
      this.#fail(libuvError(status, "write", detail)); // of no effect if it is destroyed already
      return;
    }
    this.#request = null;
    this.#requestBytes = 0;
    this.#goOn();
    this.#onSent();
  }

  /** May be called from within the call that writes, where the engine cannot be closed. */
  #fail(error: Error): void {
    process.nextTick(destroySocket, this.#socket, error);
  }

  // ---- a write that is never done ----------------------------------------------------------------------------------------------

  /** The peer has ended its side: nothing comes any more. */
  setPeerEnded(): void {
    this.#peerEnded = true;
    if (this.#request !== null) this.#watchWrite();
  }

  #watchWrite(): void {
    clearTimeout(this.#watch);
    let times = 0;
    const look = (): void => {
      if (this.#request === null || this.#socket.destroyed) return;
      times = this.#carrier.writeQueueSize > 0 ? 0 : times + 1;
      if (times < WATCHED_TIMES) this.#watch = setTimeout(look, WATCH_MS);
      else this.#fail(Object.assign(new Error("write EPIPE"), { code: "EPIPE", syscall: "write" }));
    };
    this.#watch = setTimeout(look, WATCH_MS);
  }

  /** The socket is closed. */
  stop(): void {
    clearTimeout(this.#watch);
  }
}

function onWriteComplete(this: WiredRequest, status: number): void {
  const { [SENDING]: sending } = this;
  this[SENDING] = undefined;
  sending?.handleSent(status, this.error);
}

function tellSent(sending: TlsSending): void {
  sending.handleSent(0);
}

function destroySocket(socket: TLSSocket, error: Error): void {
  socket.destroy(error);
}
