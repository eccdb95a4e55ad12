/**
 * `MemoryTransport`: a complete transport without a socket, for tests of protocols and of code built on streams.
 *
 * Theory of operation
 *
 * Two transports share two `MemoryLine`s, one for each direction. Written data goes to the line at once, up to its free capacity. The
 * rest is the write buffer, which has the water marks of any transport and moves to the line as the peer reads. Lines deliver in
 * separate turns of the event loop. So no protocol is ever called from within its own call to the transport, and the same program
 * always sees the same order of events: no clock and no kernel is involved.
 *
 * The states are those of `TransportCore`, as with a socket's transport. `close()` waits until the line has taken everything; `abort()`
 * does not. A lost transport ends its outgoing line, so the peer reads the data in transit and then EOF. It abandons its incoming line,
 * so the peer's further writes fail with `EPIPE`.
 */

import { checkError, toBytes, toPieces, unshared } from "../base/arguments.js";
import { ByteQueue } from "../base/byte-queue.js";
import type { NonSharedBuffer } from "../base/bytes.js";
import { InvalidStateError } from "../base/errors.js";
import { HIGH_WATER_BYTES } from "../base/limits.js";
import { setImmediate } from "../base/scheduling.js";
import type { Protocol, Transport, WriteData } from "../contracts/connection.js";
import type { ExtraInfo } from "../contracts/extra-info.js";
import { TransportCore } from "../core/transport-core.js";
import { type MemoryLine, simulatedError } from "./memory-line.js";

/** The parts of a transport in memory. */
export interface MemoryTransportParts {
  readonly protocol: Protocol;
  /** The line that the transport writes to. */
  readonly outgoing: MemoryLine;
  /** The line that the transport reads from. */
  readonly incoming: MemoryLine;
  readonly extraInfo: Readonly<Record<string, unknown>>;
  /** Whether the connection supports half-close. */
  readonly halfClose: boolean;
}

/**
 * One end of a connection in memory, made by `connectMemory()` or `memoryPair()`.
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
  /** Whether written data was dropped before the line took it. */
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
    this.call("connectionMade", (protocol) => protocol.connectionMade?.(this));
  }

  // ---- reading -----------------------------------------------------------------------------------------------------------------

  /** @internal */
  handleData(chunk: NonSharedBuffer): void {
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
    this.#buffer.push(unshared(bytes));
    this.#pump();
  }

  writelines(list: Iterable<WriteData>): void {
    const pieces = toPieces(list);
    if (this.#eofWritten) throw new InvalidStateError("cannot writelines() after writeEof()");
    for (const piece of pieces) this.write(piece);
  }

  /** Moves data to the line as far as there is room, and updates everything that waits for it. */
  #pump(): void {
    if (this.#outgoing.abandoned && this.#buffer.length > 0) {
      this.#failWriting(simulatedError("write", "EPIPE"));
      return;
    }
    try {
      for (let count = this.#nextCount; count > 0; count = this.#nextCount) this.#outgoing.take(this.#buffer.take(count));
    } catch (error) {
      this.abort(error as Error); // the program's memory was transferred before the line had room
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

  /**
   * Marks writing as failed. After the peer's EOF, or while closing, there is nothing left to read either, so the connection is
   * aborted.
   */
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

  /** Does nothing, because written data goes to the line at once. */
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
   * Resets the connection, like a network failure or a crashed peer. Each end loses the connection after it has received the data in
   * transit to it. The data in the write buffers is lost.
   *
   * @param error the error that both protocols receive, default an error with the code `ECONNRESET`
   */
  reset(error: Error = simulatedError("read", "ECONNRESET")): void {
    checkError("error", error);
    this.#outgoing.end(error);
    this.#incoming.end(error);
  }

  protected override defer(callback: () => void): void {
    setImmediate(callback);
  }

  protected override onLost(): void {
    this.#outgoing.end("eof");
    this.#incoming.abandon();
  }

  // ---- extra info --------------------------------------------------------------------------------------------------------------

  getExtraInfo<Key extends keyof ExtraInfo>(name: Key): ExtraInfo[Key] | null;
  /** Returns a fact about the connection; `defaultValue` if it is not known. */
  getExtraInfo<Key extends keyof ExtraInfo, Default>(name: Key, defaultValue: Default): ExtraInfo[Key] | Default;
  /** Returns a fact about the connection for a key that `extraInfo` has added. */
  getExtraInfo<Name extends string>(name: string extends Name ? Name : never, defaultValue?: unknown): unknown;
  getExtraInfo(name: string, defaultValue: unknown = null): unknown {
    return Object.hasOwn(this.#extraInfo, name) ? this.#extraInfo[name] : defaultValue;
  }
}
