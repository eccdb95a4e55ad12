/**
 * `MemoryTransport`: a full transport without a socket, for tests of protocols and of what is built on streams.
 *
 * Theory of operation
 *
 * Two transports share two `MemoryLine`s, one for each direction. What is written goes to the line at once, as far as there is room; the rest is the write buffer, which has
 * the water marks of any transport, and goes on as the peer reads. Lines deliver in turns of the event loop of their own, so that no protocol is ever called from within its
 * own call, and the same program always sees the same order of events: there is no clock and no kernel.
 *
 * The states are `TransportCore`'s, as those of a socket's transport. `close()` waits until the line has taken everything; `abort()` does not. A
 * transport that is lost ends its line, so the peer reads what is on its way, and then EOF; and abandons the other one, so what the peer still
 * writes gives it `EPIPE`.
 */
import { asBuffer, checkError, toBytes, toPieces } from "../base/arguments.js";
import { ByteQueue } from "../base/byte-queue.js";
import { InvalidStateError } from "../base/errors.js";
import { HIGH_WATER_BYTES } from "../base/limits.js";
import type { Protocol, Transport, WriteData } from "../contracts/connection.js";
import type { ExtraInfo } from "../contracts/extra-info.js";
import { TransportCore } from "../core/transport-core.js";
import { type MemoryLine, simulatedError } from "./memory-line.js";
import { nextTurn } from "./turns.js";

/** What a transport in memory is made from. */
export interface MemoryTransportParts {
  readonly protocol: Protocol;
  /** Where it writes to. */
  readonly outgoing: MemoryLine;
  /** Where it reads from. */
  readonly incoming: MemoryLine;
  readonly extraInfo: Readonly<Record<string, unknown>>;
  /** Whether a side can be ended alone. */
  readonly halfClose: boolean;
}

/**
 * One end of a connection in memory. `connectMemory()` and `memoryPair()` make both.
 *
 * @example
 * ```ts
 * import { memoryPair } from "asyncio-streams/testing";
 *
 * const [client, server] = memoryPair();
 * server.transport.reset(); // as a network does; `server.transport.abort()` is what a program does
 * await client.reader.readline().catch((error: NodeJS.ErrnoException) => console.log(error.code)); // ECONNRESET
 * ```
 */
export class MemoryTransport extends TransportCore implements Transport {
  readonly #outgoing: MemoryLine;
  readonly #incoming: MemoryLine;
  readonly #extraInfo: Readonly<Record<string, unknown>>;
  readonly #halfClose: boolean;
  readonly #buffer = new ByteQueue();
  #eofReceived = false;
  #eofWritten = false;
  /** Whether something was written that the line never took. */
  #dropped = false;

  /** @internal */
  constructor(parts: MemoryTransportParts) {
    super(parts.protocol, HIGH_WATER_BYTES);
    this.#outgoing = parts.outgoing;
    this.#incoming = parts.incoming;
    this.#extraInfo = parts.extraInfo;
    this.#halfClose = parts.halfClose;
    this.#outgoing.sender = this;
    this.#incoming.receiver = this;
  }

  /** @internal */
  start(): void {
    this.call((protocol) => protocol.connectionMade?.(this));
  }

  // ---- reading -----------------------------------------------------------------------------------------------------------------

  /** @internal */
  handleData(chunk: Buffer): void {
    this.deliver(chunk);
  }

  /** @internal */
  handleEnd(): void {
    this.#eofReceived = true;
    if (this.state === "failing") this.loseSoon();
    else if (!this.deliverEnd() || !this.#halfClose) this.close();
  }

  /** @internal */
  handleError(error: Error): void {
    this.breakOff(error);
    this.abort();
  }

  pauseReading(): void {
    this.markPaused();
  }

  resumeReading(): void {
    if (this.markResumed()) this.#incoming.schedule();
  }

  // ---- writing -----------------------------------------------------------------------------------------------------------------

  write(data: WriteData): void {
    const bytes = toBytes("data", data);
    if (this.#eofWritten) throw new InvalidStateError("cannot write() after writeEof()");
    if (bytes.length === 0) return;
    if (this.state !== "open") {
      this.#dropped = true;
      return;
    }
    this.#buffer.push(asBuffer(bytes));
    this.#pump();
  }

  writelines(list: Iterable<WriteData>): void {
    const pieces = toPieces(list);
    if (this.#eofWritten) throw new InvalidStateError("cannot writelines() after writeEof()");
    for (const piece of pieces) this.write(piece);
  }

  /** Gives the line what it has room for, and sees to what waits for that. */
  #pump(): void {
    if (this.#outgoing.abandoned && this.#buffer.length > 0) {
      this.#failWriting(simulatedError("write", "EPIPE"));
      return;
    }
    try {
      for (let count = this.#nextCount; count > 0; count = this.#nextCount) this.#outgoing.take(this.#buffer.take(count));
    } catch (error) {
      this.abort(error as Error); // memory of the program's that was given away before the line had room
      return;
    }
    if (this.#buffer.length === 0) {
      this.wakeFlushed();
      if (this.#eofWritten) this.#outgoing.end("eof");
      if (this.state === "closing") this.loseSoon();
    }
    this.regulate();
  }

  get #nextCount(): number {
    return Math.min(this.#outgoing.room, this.#buffer.length);
  }

  /** Nothing can be sent any more. After the peer's end, and while it closes, nothing is left to be read, either. */
  #failWriting(error: Error): void {
    this.#drop();
    if (this.state === "open") this.failWriting(error);
    if (this.state !== "failing" || this.#eofReceived) this.abort(error);
  }

  #drop(): void {
    if (this.#buffer.length > 0) this.#dropped = true;
    this.#buffer.clear();
  }

  /** @internal */
  handleRoom(): void {
    if (this.state !== "failing" && !this.isLosing) this.#pump();
  }

  /** What is written goes to the line at once. */
  protected override flush(): void {}

  protected override get dropped(): boolean {
    return this.#dropped;
  }

  getWriteBufferSize(): number {
    return this.#buffer.length;
  }

  canWriteEof(): boolean {
    return this.#halfClose;
  }

  writeEof(): void {
    if (!this.#halfClose) throw new InvalidStateError("cannot writeEof(): this transport does not support half-close");
    if (this.state !== "open" || this.#eofWritten) return;
    this.#eofWritten = true;
    this.#pump();
  }

  // ---- ending ------------------------------------------------------------------------------------------------------------------

  close(): void {
    if (this.state === "failing") this.abort();
    else if (this.moveTo("closing")) this.#pump();
  }

  abort(reason?: Error): void {
    if (reason !== undefined) checkError("reason", reason);
    if (this.state === "lost") return;
    if (reason !== undefined) this.noteError(reason);
    this.#drop();
    this.loseSoon();
  }

  /**
   * Resets the connection, as a network or a peer that crashes does: both ends lose it, each after it has received what was on its way to it. What
   * is in the write buffers is lost.
   *
   * @param error what both protocols are told, default an error with the code `ECONNRESET`
   */
  reset(error: Error = simulatedError("read", "ECONNRESET")): void {
    checkError("error", error);
    this.#outgoing.end(error);
    this.#incoming.end(error);
  }

  protected override defer(callback: () => void): void {
    nextTurn(callback);
  }

  protected override onLost(): void {
    this.#outgoing.end("eof");
    this.#incoming.abandon();
  }

  // ---- extra info --------------------------------------------------------------------------------------------------------------

  getExtraInfo<Key extends keyof ExtraInfo>(name: Key): ExtraInfo[Key] | null;
  /** The same, with another value than `null` for what is not known. */
  getExtraInfo<Key extends keyof ExtraInfo, Default>(name: Key, defaultValue: Default): ExtraInfo[Key] | Default;
  /** The same, for a key that a transport of your own may have. */
  getExtraInfo(name: string, defaultValue?: unknown): unknown;
  getExtraInfo(name: string, defaultValue: unknown = null): unknown {
    return Object.hasOwn(this.#extraInfo, name) ? this.#extraInfo[name] : defaultValue;
  }
}
