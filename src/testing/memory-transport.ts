/**
 * `MemoryTransport`: a full transport without a socket, for tests of protocols and of what is built on streams.
 *
 * Theory of operation
 *
 * Two transports share two `MemoryLine`s, one for each direction. What is written goes to the line at once, as far as there is room; the rest is the write buffer, which has
 * the water marks of any transport, and goes on as the peer reads. Lines deliver in turns of the event loop of their own, so that no protocol is ever called from within its
 * own call, and the same program always sees the same order of events: there is no clock and no kernel.
 *
 * The life of a transport goes one way: open -> closing -> lost, as that of a socket's. `close()` waits until the line has taken everything; `abort()` does not. A transport
 * that is lost ends its line, so the peer reads what is on its way, and then EOF; and abandons the other one, so what the peer still writes gives it `EPIPE`.
 */
import { checkError, checkProtocol, toBytes, toPieces } from "../base/arguments.js";
import { ByteQueue } from "../base/byte-queue.js";
import { InvalidStateError, notSentError } from "../base/errors.js";
import { FlowControl } from "../base/flow-control.js";
import { HIGH_WATER_BYTES } from "../base/limits.js";
import { asError, warnOf } from "../base/thrown.js";
import { DONE, type WaitEnd, Waiters } from "../base/waiting.js";
import type { Protocol, Transport, WriteBufferLimits, WriteData } from "../contracts/connection.js";
import type { ExtraInfo } from "../contracts/extra-info.js";
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
export class MemoryTransport implements Transport {
  readonly #outgoing: MemoryLine;
  readonly #incoming: MemoryLine;
  readonly #extraInfo: Readonly<Record<string, unknown>>;
  readonly #halfClose: boolean;
  readonly #buffer = new ByteQueue();
  readonly #written = new Waiters();
  #protocol: Protocol;
  readonly #flow = new FlowControl(HIGH_WATER_BYTES);
  #readingPaused = false;
  #eofWritten = false;
  /** Whether something was written that the line never took. */
  #dropped = false;
  #state: "open" | "closing" | "lost" = "open";
  #losing = false;
  #error: Error | null = null;

  /** @internal */
  constructor(parts: MemoryTransportParts) {
    this.#protocol = parts.protocol;
    this.#outgoing = parts.outgoing;
    this.#incoming = parts.incoming;
    this.#extraInfo = parts.extraInfo;
    this.#halfClose = parts.halfClose;
    this.#outgoing.sender = this;
    this.#incoming.receiver = this;
  }

  /** @internal */
  start(): void {
    this.#call(() => this.#protocol.connectionMade(this));
  }

  // ---- reading -----------------------------------------------------------------------------------------------------------------

  /** @internal */
  handleData(chunk: Buffer): void {
    this.#call(() => this.#protocol.dataReceived(chunk));
  }

  /** @internal */
  handleEnd(): void {
    this.#call(() => {
      if (this.#protocol.eofReceived() !== true || !this.#halfClose) this.close();
    });
  }

  /** @internal */
  handleError(error: Error): void {
    this.abort(error);
  }

  pauseReading(): void {
    if (this.#state === "open") this.#readingPaused = true;
  }

  resumeReading(): void {
    if (!this.#readingPaused || this.#state !== "open") return;
    this.#readingPaused = false;
    this.#incoming.schedule();
  }

  isReading(): boolean {
    return this.#state === "open" && !this.#readingPaused;
  }

  // ---- writing -----------------------------------------------------------------------------------------------------------------

  write(data: WriteData): void {
    const bytes = toBytes("data", data);
    if (this.#eofWritten) throw new InvalidStateError("cannot write() after writeEof()");
    if (bytes.length === 0) return;
    if (this.#state !== "open") {
      this.#dropped = true;
      return;
    }
    this.#buffer.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
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
      this.#fail(simulatedError("write", "EPIPE"));
      return;
    }
    for (let count = this.#nextCount; count > 0; count = this.#nextCount) this.#outgoing.take(this.#buffer.take(count));
    if (this.#buffer.length === 0) {
      this.#written.wake();
      if (this.#eofWritten) this.#outgoing.end("eof");
      if (this.#state === "closing") this.#loseSoon();
    }
    this.#regulate();
  }

  get #nextCount(): number {
    return Math.min(this.#outgoing.room, this.#buffer.length);
  }

  /** Tells the protocol to pause or to go on, if the buffer's size calls for it. */
  #regulate(): void {
    this.#call(() => this.#flow.check(this.#buffer.length, this.#protocol));
  }

  /** @internal */
  handleRoom(): void {
    if (this.#state !== "lost" && !this.#losing) this.#pump();
  }

  setWriteBufferLimits(limits?: WriteBufferLimits): void {
    this.#flow.setLimits(limits);
    this.#regulate();
  }

  getWriteBufferLimits(): [low: number, high: number] {
    return this.#flow.limits;
  }

  getWriteBufferSize(): number {
    return this.#buffer.length;
  }

  /** @internal */
  flushed(signal: WaitEnd | undefined): Promise<void> {
    if (this.#dropped) return Promise.reject(notSentError(this.#error));
    return this.#buffer.length === 0 ? DONE : this.#written.wait(signal);
  }

  canWriteEof(): boolean {
    return this.#halfClose;
  }

  writeEof(): void {
    if (!this.#halfClose) throw new InvalidStateError("cannot writeEof(): on this transport a side cannot be ended alone");
    if (this.#state !== "open" || this.#eofWritten) return;
    this.#eofWritten = true;
    this.#pump();
  }

  // ---- ending ------------------------------------------------------------------------------------------------------------------

  close(): void {
    if (this.#state !== "open") return;
    this.#state = "closing";
    this.#pump();
  }

  abort(reason?: Error): void {
    if (reason !== undefined) checkError("reason", reason);
    if (this.#state === "lost") return;
    if (reason !== undefined) this.#error ??= reason;
    this.#state = "closing";
    if (this.#buffer.length > 0) this.#dropped = true;
    this.#buffer.skip(this.#buffer.length);
    this.#loseSoon();
  }

  /**
   * Resets the connection, as a network or a peer that crashes does: both ends lose it, each after it has received what was on its way to it. What is in the write buffers is
   * lost.
   *
   * @param error what both protocols are told, default an error with the code `ECONNRESET`
   */
  reset(error: Error = simulatedError("read", "ECONNRESET")): void {
    checkError("error", error);
    this.#outgoing.end(error);
    this.#incoming.end(error);
  }

  isClosing(): boolean {
    return this.#state !== "open";
  }

  /** Ends the connection with an error. */
  #fail(error: unknown): void {
    this.abort(asError(error, "a protocol threw"));
  }

  #loseSoon(): void {
    if (this.#losing) return;
    this.#losing = true;
    nextTurn(() => this.#lose());
  }

  #lose(): void {
    this.#state = "lost";
    this.#written.fail(() => notSentError(this.#error));
    this.#outgoing.end("eof");
    this.#incoming.abandon();
    try {
      this.#protocol.connectionLost(this.#error);
    } catch (error) {
      warnOf(error);
    }
  }

  /** Calls the protocol; what it throws ends the connection. */
  #call(callProtocol: () => void): void {
    try {
      callProtocol();
    } catch (error) {
      this.#fail(error);
    }
  }

  // ---- protocol and extra info -------------------------------------------------------------------------------------------------

  getExtraInfo<Key extends keyof ExtraInfo>(name: Key): ExtraInfo[Key] | null;
  /** The same, with another value than `null` for what is not known. */
  getExtraInfo<Key extends keyof ExtraInfo, Default>(name: Key, defaultValue: Default): ExtraInfo[Key] | Default;
  /** The same, for a key that a transport of your own may have. */
  getExtraInfo(name: string, defaultValue?: unknown): unknown;
  getExtraInfo(name: string, defaultValue: unknown = null): unknown {
    return Object.hasOwn(this.#extraInfo, name) ? this.#extraInfo[name] : defaultValue;
  }

  setProtocol(protocol: Protocol): void {
    checkProtocol("protocol", protocol);
    this.#protocol = protocol;
    if (this.#flow.paused) this.#call(() => protocol.pauseWriting());
  }

  getProtocol(): Protocol {
    return this.#protocol;
  }
}
