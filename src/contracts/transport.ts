/** What moves the bytes: the sending half of asyncio's split between moving bytes and understanding them. */
import type { ExtraInfo } from "./extra-info.js";
import type { Protocol } from "./protocol.js";

/** What can be written: bytes, or text that is sent as UTF-8. */
export type WriteData = Uint8Array | string;

/** The water marks of a write buffer, in bytes. */
export interface WriteBufferLimits {
  /** Above this the protocol's `pauseWriting()` is called. */
  readonly high?: number;
  /** At this or below the protocol's `resumeWriting()` is called. */
  readonly low?: number;
}

/** A connection, as its protocol sees it. Python's `asyncio.Transport`. No method waits. */
export interface Transport {
  /**
   * Sends bytes, in order, without waiting: what the system does not take at once is buffered. The bytes must not be changed until they are
   * sent. After the connection is closed or lost, does nothing.
   *
   * @throws TypeError if `data` is neither bytes nor text
   * @throws InvalidStateError after `writeEof()`
   */
  write(data: WriteData): void;
  /** Sends several pieces, as if they were joined. */
  writelines(list: Iterable<WriteData>): void;
  /** Ends our side of the connection once the buffer is sent; the peer's side stays open. */
  writeEof(): void;
  /** Whether `writeEof()` is possible. */
  canWriteEof(): boolean;
  /** Closes the connection: what is buffered is sent first, nothing more is received. */
  close(): void;
  /** Closes the connection at once; what is buffered is dropped. */
  abort(): void;
  /** Whether the connection is closed or closing. */
  isClosing(): boolean;
  /** Stops `dataReceived()` until `resumeReading()`. */
  pauseReading(): void;
  /** Goes on after `pauseReading()`. */
  resumeReading(): void;
  /** Whether data is being received: neither paused nor closing. */
  isReading(): boolean;
  /**
   * Sets the water marks, in bytes. A missing `low` is a quarter of `high`; a missing `high` is four times `low`.
   *
   * @throws RangeError if `low` is greater than `high`, or one is negative
   */
  setWriteBufferLimits(limits?: WriteBufferLimits): void;
  /** The water marks in bytes: `[low, high]`, in Python's order. */
  getWriteBufferLimits(): [low: number, high: number];
  /** Bytes written that the system has not taken yet. */
  getWriteBufferSize(): number;
  /** What is known of the connection; `defaultValue` (`null`) for what is not. */
  getExtraInfo<Key extends keyof ExtraInfo>(name: Key): ExtraInfo[Key] | null;
  getExtraInfo<Key extends keyof ExtraInfo, Default>(name: Key, defaultValue: Default): ExtraInfo[Key] | Default;
  getExtraInfo(name: string, defaultValue?: unknown): unknown;
  /** Gives the connection to another protocol, from the next event on. `connectionMade` is not called again. */
  setProtocol(protocol: Protocol): void;
  /** The current protocol. */
  getProtocol(): Protocol;
}
