/** A protocol to start from. */
import type { Protocol, Transport } from "./connection.js";

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
