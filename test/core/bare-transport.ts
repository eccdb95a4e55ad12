/** `TransportCore` with nothing underneath: the test plays the part of the network. Everything that is protected can be called. */

import type { TransportState } from "#src/core/transport-core.js";
import { TransportCore } from "#src/core/transport-core.js";

export class BareTransport extends TransportCore {
  bufferSize = 0;
  droppedWrites = false;
  /** What `abort()` was called with. */
  readonly aborts: (Error | undefined)[] = [];
  /** How often `onLost()` was called. */
  losses = 0;
  /** How often `flush()` was called. */
  flushes = 0;
  /** What waits for the end of the call that is under way. */
  readonly #deferred: (() => void)[] = [];

  abort(reason?: Error): void {
    this.aborts.push(reason);
    if (reason !== undefined) this.noteError(reason);
    this.moveTo("closing");
  }

  getWriteBufferSize(): number {
    return this.bufferSize;
  }

  protected flush(): void {
    this.flushes += 1;
  }

  protected get dropped(): boolean {
    return this.droppedWrites;
  }

  protected defer(callback: () => void): void {
    this.#deferred.push(callback);
  }

  protected onLost(): void {
    this.losses += 1;
  }

  /** Makes the calls that were deferred. */
  runDeferred(): void {
    for (const callback of this.#deferred.splice(0)) callback();
  }

  // ---- what is protected --------------------------------------------------------------------------------------------------------

  move(next: TransportState): boolean {
    return this.moveTo(next);
  }

  made(): void {
    this.call("connectionMade", (protocol) => protocol.connectionMade?.(this as never));
  }

  receive(data: string): void {
    this.deliver(Buffer.from(data));
  }

  receiveEnd(): boolean {
    return this.deliverEnd();
  }

  lose(): void {
    this.loseConnection();
  }

  loseInAMoment(): void {
    this.loseSoon();
  }

  failToWrite(error: Error): void {
    this.failWriting(error);
  }

  break(error: Error): void {
    this.breakOff(error);
  }

  note(error: Error): void {
    this.noteError(error);
  }

  /** Fills or empties the write buffer, as the system does. */
  setBufferSize(size: number): void {
    this.bufferSize = size;
    this.regulate();
  }

  sentEverything(): void {
    this.bufferSize = 0;
    this.wakeFlushed();
  }

  pause(): boolean {
    return this.markPaused();
  }

  resume(): boolean {
    return this.markResumed();
  }

  get losing(): boolean {
    return this.isLosing;
  }

  get firstError(): Error | null {
    return this.error;
  }
}
