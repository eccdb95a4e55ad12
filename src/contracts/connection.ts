/**
 * The two halves of an asyncio connection: a transport moves bytes, and a protocol receives its events. They share a file because each
 * refers to the other. Also contains `BaseProtocol` and the interface to the server that owns a transport.
 */
import type { NonSharedBuffer } from "../base/bytes.js";
import type { Cancellation } from "../base/waiting.js";
import type { ExtraInfo, SocketAddress, SSLClient, SSLServer, TransportSocket } from "./extra-info.js";

/** Data that can be written: bytes, or text that is sent as UTF-8. */
export type WriteData = Uint8Array | string;

/** The water marks of a write buffer, in bytes. */
export interface WriteBufferLimits {
  /** When the buffer rises above this, the protocol's `pauseWriting()` is called. */
  readonly high?: number;
  /** When the buffer falls to this or below, the protocol's `resumeWriting()` is called. */
  readonly low?: number;
}

/**
 * The sending side and the control of a connection. Python's `asyncio.Transport`. No method waits.
 *
 * `Address` is the type of the addresses: `string` for a Unix socket, a tuple for TCP. The overloads of `getExtraInfo()` that name it have
 * no other type parameter where possible, because TypeScript can then call the method of a transport that is one or the other.
 */
export interface Transport<out Address extends SocketAddress = SocketAddress> {
  /**
   * Sends bytes in order, without waiting. Bytes that the system does not accept at once are buffered; do not change them before they
   * are sent. Does nothing after the connection is closed or lost.
   *
   * @throws TypeError if `data` is neither bytes nor text
   * @throws InvalidStateError after `writeEof()`
   */
  write(data: WriteData): void;
  /** Sends several pieces as if they were joined. */
  writelines(list: Iterable<WriteData>): void;
  /** Ends the writing side after the buffered data (half-close). The peer's side stays open. */
  writeEof(): void;
  /** Returns whether `writeEof()` is possible. */
  canWriteEof(): boolean;
  /** Closes the connection after sending the buffered data. Nothing more is received. */
  close(): void;
  /** Closes the connection at once and drops the buffered data. `reason`, if given, is the error that `connectionLost()` receives. */
  abort(reason?: Error): void;
  /** Returns whether the connection is closed or closing. */
  isClosing(): boolean;
  /** Stops `dataReceived()` until `resumeReading()`. */
  pauseReading(): void;
  /** Resumes calling `dataReceived()` after `pauseReading()`. */
  resumeReading(): void;
  /** Returns whether data is being received: the transport is neither paused nor closing. */
  isReading(): boolean;
  /**
   * Sets the water marks, in bytes. A missing `low` is a quarter of `high`; a missing `high` is four times `low`.
   *
   * @throws RangeError if `low` is greater than `high`, or either is negative
   */
  setWriteBufferLimits(limits?: WriteBufferLimits): void;
  /** Returns the water marks in bytes, in Python's order: `[low, high]`. */
  getWriteBufferLimits(): [low: number, high: number];
  /** Returns the number of bytes written that the system has not accepted yet. */
  getWriteBufferSize(): number;
  /** Lets the connection keep the process alive, which is the default. The transports of sockets have this method. */
  ref?(): void;
  /**
   * Lets the process end although the connection is open. A wait with a time-out, or data that is being sent, still keeps it alive. The
   * transports of sockets have this method.
   */
  unref?(): void;
  /** Returns an address of the connection; `null` if it is not known. */
  getExtraInfo(name: "peername" | "sockname"): Address | null;
  /** Returns the socket of the connection; `null` if it has none. */
  getExtraInfo(name: "socket"): TransportSocket<Address> | null;
  /** Returns an address of the connection; `defaultValue` if it is not known. */
  getExtraInfo<Default>(name: "peername" | "sockname", defaultValue: Default): Address | Default;
  /** Returns a fact about the connection; `null` if it is not known. */
  getExtraInfo<Key extends keyof ExtraInfo>(name: Key): ExtraInfo[Key] | null;
  /** Returns a fact about the connection; `defaultValue` if it is not known. */
  getExtraInfo<Key extends keyof ExtraInfo, Default>(name: Key, defaultValue: Default): ExtraInfo[Key] | Default;
  /**
   * Returns a fact about the connection for a key that only a custom transport has. The key must be a `string` variable: a misspelt
   * literal, such as `"peernam"`, does not compile.
   */
  getExtraInfo<Name extends string>(name: string extends Name ? Name : never, defaultValue?: unknown): unknown;
  /**
   * Replaces the protocol, from the next event on. `connectionMade()` is not called again.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE` if `protocol` has no `dataReceived()`. CPython: accepts any value and fails when data is
   *   received.
   */
  setProtocol(protocol: Protocol): void;
  /** Returns the current protocol. */
  getProtocol(): Protocol;
  /**
   * Waits until the system has accepted everything. Rejects if the connection is lost before. Called by `StreamWriter.flush()`.
   *
   * @internal
   */
  flushed?(signal: Cancellation | undefined): Promise<void>;
  /**
   * Upgrades the connection to TLS and moves it to a new transport; this one has no connection afterwards. Called by
   * `StreamWriter.startTls()`.
   *
   * @internal
   */
  startTls?(upgrade: StartTlsRequest): Promise<Transport>;
}

/** A transport's parameters for an upgrade to TLS. */
export interface StartTlsRequest {
  /** The role of this end. All fields have been checked. */
  readonly role: "client" | "server";
  readonly ssl: SSLClient | SSLServer;
  /** The name that a client expects in the certificate. `""` accepts any name; `undefined` means the host it is connected to. */
  readonly serverHostname: string | undefined;
  readonly sslHandshakeTimeout: number;
  readonly sslShutdownTimeout: number;
  /**
   * Removes and returns the bytes received but not read: they are the beginning of the handshake. Called once, when reading has
   * stopped.
   */
  readonly takeReadAhead: () => NonSharedBuffer;
  /** Called with the new transport before it receives anything. */
  readonly onSecured: (transport: Transport) => void;
  /** Receives the events of the connection from now on. Default: the protocol that it has. */
  readonly protocol?: Protocol | undefined;
  /** Ends the operation, and the connection, when it is aborted. */
  readonly signal: AbortSignal | undefined;
}

/**
 * The receiver of a connection's events. Python's `asyncio.Protocol`.
 *
 * The order of events is always: `connectionMade`, any number of `dataReceived`, at most one `eofReceived`, `connectionLost`. If a
 * method throws, the connection ends with that error.
 */
export interface Protocol {
  /** Called once when the connection is made, before any other method. */
  connectionMade(transport: Transport): void;
  /** Called when data is received; `data` is never empty. The protocol owns the memory and may keep it: it never changes. */
  dataReceived(data: NonSharedBuffer): void;
  /** Called when the peer has ended its side (EOF). Return `true` to keep this side open; otherwise the transport closes itself. */
  eofReceived(): boolean | void;
  /**
   * Called once when the connection has ended. `error` is what ended it; `null` after an orderly end, a `close()` or an `abort()`
   * without reason.
   */
  connectionLost(error: Error | null): void;
  /** Called when the transport's write buffer rises above its high-water mark. */
  pauseWriting(): void;
  /** Called when the transport's write buffer falls to its low-water mark or below. */
  resumeWriting(): void;
  /**
   * Returns the memory that the next bytes should be read into, if the transport supports it. Called after `dataReceived()`; the next
   * `dataReceived()` gets the beginning of that memory. Python's `BufferedProtocol.get_buffer()`. The system reads into the returned
   * memory, so the method's name is one that no program's protocol has by accident.
   *
   * @internal
   */
  "asyncio-streams:nextMemory"?(): NonSharedBuffer | null;
  /**
   * Called when an error makes sending impossible. `connectionLost()` follows, possibly much later (`muchLater`). The call may come
   * from within a call that writes.
   *
   * @internal
   */
  "asyncio-streams:writingFailed"?(error: Error, muchLater: boolean): void;
  /**
   * Called when the server shuts down: the protocol should finish its current work. Protocols without this method are aborted at the
   * end of the grace period.
   */
  shutdownRequested?(): void;
}

/** The source of a reader made by `StreamReader.from()`. It takes the place of a connection's transport. */
export interface Source extends Pick<Transport, "pauseReading" | "resumeReading"> {
  /** Stops feeding and releases the source. Resolves when the source has cleaned up, which may never happen. */
  cancel(reason: unknown): Promise<void>;
}

/** Creates the protocol of a new connection. */
export type ProtocolFactory<P extends Protocol = Protocol> = () => P;

/* `BaseProtocol`: a base class for protocols. */

/**
 * A protocol whose methods do nothing. Extend it and override what you need.
 *
 * @example
 * ```ts
 * class Discard extends BaseProtocol {
 *   override dataReceived(data: Buffer): void {
 *     console.log(`dropped ${data.length} bytes`);
 *   }
 * }
 * ```
 */
export class BaseProtocol implements Protocol {
  connectionMade(_transport: Transport): void {}
  dataReceived(_data: NonSharedBuffer): void {}
  /** Lets the transport close itself. */
  eofReceived(): boolean | void {}
  connectionLost(_error: Error | null): void {}
  pauseWriting(): void {}
  resumeWriting(): void {}
}

/* `TransportOwner`: the interface through which a transport reports to its server. */

/** The byte counts of a connection, before encryption. */
export interface ByteCounts {
  /** Bytes received by the program. */
  readonly bytesRead: number;
  /** Bytes that the program has handed to the socket. */
  readonly bytesWritten: number;
}

/** Keeps track of its transports. Python's `Server._attach` and `Server._detach`. */
export interface TransportOwner {
  /** Called when the connection is made. */
  attach(transport: Transport & ByteCounts): void;
  /** Called when the connection has ended. */
  detach(transport: Transport & ByteCounts): void;
}
