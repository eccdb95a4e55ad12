/** What a transport calls: the receiving half of asyncio's split between moving bytes and understanding them. */
import type { Transport } from "./transport.js";

/**
 * The receiver of a connection's events. Python's `asyncio.Protocol`.
 *
 * The order is always: `connectionMade`, then any number of `dataReceived`, then at most one `eofReceived`, then `connectionLost`. A method that
 * throws ends the connection with what it threw.
 */
export interface Protocol {
  /** The connection stands. Called once, before any other method. */
  connectionMade(transport: Transport): void;
  /** Bytes came in; never empty. The protocol may keep them: nobody changes them afterwards. */
  dataReceived(data: Buffer): void;
  /** The peer has ended its side. Return `true` to keep ours open; otherwise the transport closes itself. */
  eofReceived(): boolean | void;
  /** The connection is over: with the error that ended it, or `null` after an orderly end, a `close()` or an `abort()`. Called once. */
  connectionLost(error: Error | null): void;
  /** The transport's write buffer has risen above its high-water mark. */
  pauseWriting(): void;
  /** The transport's write buffer has fallen to its low-water mark. */
  resumeWriting(): void;
  /** The server is shutting down: finish what is at hand. Protocols without it are cut off at the end of the grace period. */
  shutdownRequested?(): void;
}

/** Makes the protocol of a new connection. */
export type ProtocolFactory<P extends Protocol = Protocol> = () => P;

/**
 * A protocol that does nothing: extend it and override what you need.
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
  dataReceived(_data: Buffer): void {}
  /** Lets the transport close itself. */
  eofReceived(): boolean | void {}
  connectionLost(_error: Error | null): void {}
  pauseWriting(): void {}
  resumeWriting(): void {}
}
