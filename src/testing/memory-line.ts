/**
 * `MemoryLine`: one direction of a connection in memory. It has the role that the kernel has for a socket.
 *
 * The line takes bytes up to its capacity. While the receiver reads, it delivers them in order in later turns of the event loop, one
 * chunk per turn. After them it delivers the end or the error. It also applies the faults of a `Hostile`.
 */

import { isError } from "../base/arguments.js";
import { ByteQueue } from "../base/byte-queue.js";
import type { NonSharedBuffer } from "../base/bytes.js";
import { CHUNK_BYTES } from "../base/limits.js";
import { ownCopy } from "../base/memory.js";
import { setImmediate } from "../base/scheduling.js";
import { checkCut, type Hostile } from "./hostile.js";

/** The writing side of a line. */
export interface LineSender {
  /** Called when the line has room again, or its receiver is gone. */
  handleRoom(): void;
  /** Resets the connection, after the data in transit to the sender. */
  reset(error: Error): void;
}

/** The reading side of a line. */
export interface LineReceiver {
  isReading(): boolean;
  isClosing(): boolean;
  handleData(chunk: NonSharedBuffer): void;
  handleEnd(): void;
  handleError(error: Error): void;
}

/** Makes an error like Node's system errors: `"ECONNRESET"` for a reset connection, `"EPIPE"` for one whose peer is gone. */
export function simulatedError(syscall: "read" | "write", code: "ECONNRESET" | "EPIPE"): Error {
  return Object.assign(new Error(`${syscall} ${code}`), { code, syscall });
}

export class MemoryLine {
  sender!: LineSender;
  receiver!: LineReceiver;
  readonly #queue = new ByteQueue();
  readonly #capacity: number;
  readonly #hostile: Hostile;
  #left: number;
  #end: "eof" | Error | null = null;
  #endTold = false;
  #abandoned = false;
  /** Whether a delivery is scheduled. */
  #busy = false;

  /** @param capacity the number of bytes that the line holds */
  constructor(capacity: number, hostile: Hostile) {
    this.#capacity = capacity;
    this.#hostile = hostile;
    this.#left = hostile.resetAfter ?? Infinity;
  }

  /** The number of bytes that the line can take now. */
  get room(): number {
    return this.#end === null ? this.#capacity - this.#queue.length : 0;
  }

  /** Whether the receiver is gone. */
  get abandoned(): boolean {
    return this.#abandoned;
  }

  /** Takes bytes, at most `room`. Copies them, because the sender may change its own. */
  take(bytes: Uint8Array): void {
    this.#queue.push(ownCopy(bytes));
    this.schedule();
  }

  /** Ends the line. The receiver gets the end or the error after the data in transit. */
  end(end: "eof" | Error): void {
    if (this.#end === null) this.#end = end;
    else if (this.#end === "eof" && end !== "eof") {
      // A reset may follow the end, and replaces it.
      this.#end = end;
      this.#endTold = false;
    }
    this.schedule();
  }

  /** Marks the receiver as gone and drops the data in transit. */
  abandon(): void {
    if (this.#abandoned) return;
    this.#abandoned = true;
    this.#queue.skip(this.#queue.length);
    this.sender.handleRoom();
  }

  /** Schedules a delivery, if there is something to deliver and the receiver accepts it. */
  schedule(): void {
    if (this.#busy || !this.#isWanted) return;
    this.#busy = true;
    setImmediate(() => {
      if (this.#queue.length === 0 || this.#hostile.delay === undefined) this.#deliver();
      else this.#hostile.delay().then(this.#deliver, (error: Error) => this.#break(error));
    });
  }

  get #isWanted(): boolean {
    const hasMore = this.#queue.length > 0 || (this.#end !== null && !this.#endTold);
    return hasMore && !this.#abandoned && (this.receiver.isReading() || this.#endsClosing);
  }

  /** Whether only a reset can be delivered: a closing receiver accepts no data, but still gets an error. */
  get #endsClosing(): boolean {
    return isError(this.#end) && this.receiver.isClosing();
  }

  readonly #deliver = (): void => {
    this.#busy = false;
    if (!this.#isWanted) return;
    if (this.#queue.length > 0 && !this.#endsClosing) this.#deliverChunk();
    else this.#tellEnd();
    this.schedule();
  };

  #deliverChunk(): void {
    const available = Math.min(this.#queue.length, CHUNK_BYTES);
    if (this.#left === 0) {
      this.#break(simulatedError("read", "ECONNRESET"));
      return;
    }
    let size: number;
    let chunk: NonSharedBuffer;
    try {
      size = Math.min(this.#left, this.#hostile.cut === undefined ? available : checkCut(this.#hostile.cut(available), available));
      // A copy, because the receiver may transfer its memory, which the data still in transit shares.
      chunk = this.#queue.copy(0, size);
    } catch (error) {
      this.#break(error as Error);
      return;
    }
    this.#queue.skip(size);
    this.#left -= size;
    this.sender.handleRoom();
    this.receiver.handleData(chunk);
    if (this.#left === 0) this.#break(simulatedError("read", "ECONNRESET"));
  }

  #tellEnd(): void {
    this.#endTold = true;
    if (this.#end === "eof") this.receiver.handleEnd();
    else this.receiver.handleError(this.#end as Error);
  }

  /** Drops the data in transit and resets the connection. */
  #break(error: Error): void {
    this.#busy = false;
    this.#queue.skip(this.#queue.length);
    this.sender.reset(error);
  }
}
