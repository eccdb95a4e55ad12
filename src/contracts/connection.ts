/**
 * The two halves of asyncio's split between moving bytes and understanding them: a transport moves them, a protocol hears of it. In one file, since
 * each names the other.
 */
import type { WaitEnd } from "../base/waiting.js";
import type { ExtraInfo } from "./extra-info.js";
import type { SSLClient, SSLServer } from "./tls.js";

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
  /** Closes the connection at once; what is buffered is dropped. The protocol hears of `reason`, an `Error`, if one is given, as what ended it. */
  abort(reason?: Error): void;
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
  /** The same, with another value than `null` for what is not known. */
  getExtraInfo<Key extends keyof ExtraInfo, Default>(name: Key, defaultValue: Default): ExtraInfo[Key] | Default;
  /** The same, for a key that a transport of your own may have. */
  getExtraInfo(name: string, defaultValue?: unknown): unknown;
  /**
   * Gives the connection to another protocol, from the next event on. `connectionMade` is not called again.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE` if it has no `dataReceived()`. CPython: takes anything, and fails when something is received.
   */
  setProtocol(protocol: Protocol): void;
  /** The current protocol. */
  getProtocol(): Protocol;
  /**
   * Waits until the system has taken everything; rejects if the connection is lost before. `StreamWriter.flush()` is the way to call it.
   *
   * @internal
   */
  flushed?(signal: WaitEnd | undefined): Promise<void>;
  /**
   * Changes over to TLS: `StreamWriter.startTls()` is the way to call it. This transport has no connection afterwards; the new one has.
   *
   * @internal
   */
  startTls?(upgrade: TlsUpgrade): Promise<Transport>;
}

/** What a transport needs to change over to TLS. */
export interface TlsUpgrade {
  /** What to speak, and in which role. All checked. */
  readonly role: "client" | "server";
  readonly ssl: SSLClient | SSLServer;
  /** Whose certificate a client expects; `""`: anybody's; `undefined`: that of the host it is connected to. */
  readonly serverHostname: string | undefined;
  readonly sslHandshakeTimeout: number;
  readonly sslShutdownTimeout: number;
  /** Gives up the bytes that were received but not read: they are the beginning of the handshake. Called once, when reading has stopped. */
  readonly takeReadAhead: () => Buffer;
  /** Told of the new transport before anything is received on it. */
  readonly onSecured: (transport: Transport) => void;
}

/**
 * The receiver of a connection's events. Python's `asyncio.Protocol`.
 *
 * The order is always: `connectionMade`, then any number of `dataReceived`, then at most one `eofReceived`, then `connectionLost`. A method that
 * throws ends the connection with what it threw.
 */
export interface Protocol {
  /** The connection stands. Called once, before any other method. */
  connectionMade(transport: Transport): void;
  /** Bytes came in; never empty. The protocol may keep them: they never change, and their memory is its own. */
  dataReceived(data: Buffer): void;
  /** The peer has ended its side. Return `true` to keep ours open; otherwise the transport closes itself. */
  eofReceived(): boolean | void;
  /** The connection is over: with the error that ended it, or `null` after an orderly end, a `close()` or an `abort()`. Called once. */
  connectionLost(error: Error | null): void;
  /** The transport's write buffer has risen above its high-water mark. */
  pauseWriting(): void;
  /** The transport's write buffer has fallen to its low-water mark. */
  resumeWriting(): void;
  /**
   * Where the next bytes should be read to, by a transport that can; asked after `dataReceived()`. They come to `dataReceived()` as the beginning of
   * that memory. Python's `BufferedProtocol.get_buffer()`. The name is one that no protocol of a program has by chance: the system reads into what
   * it returns.
   *
   * @internal
   */
  "asyncio-streams:nextMemory"?(): Buffer | null;
  /**
   * Nothing can be sent any more, because of an error; `connectionLost()` will follow, perhaps much later. Called as soon as that is known, which may
   * be within a call that writes.
   *
   * @internal
   */
  "asyncio-streams:writingFailed"?(error: Error, muchLater: boolean): void;
  /** The server is shutting down: finish what is at hand. Protocols without it are cut off at the end of the grace period. */
  shutdownRequested?(): void;
}

/** Makes the protocol of a new connection. */
export type ProtocolFactory<P extends Protocol = Protocol> = () => P;
