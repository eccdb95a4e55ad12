/** `BaseProtocol`: a base class for protocols. */
import type { Protocol, Transport } from "./connection.js";

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
  dataReceived(_data: Buffer): void {}
  /** Lets the transport close itself. */
  eofReceived(): boolean | void {}
  connectionLost(_error: Error | null): void {}
  pauseWriting(): void {}
  resumeWriting(): void {}
}
