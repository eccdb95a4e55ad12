/**
 * `MemoryLine`: one direction of a connection in memory. It is to a memory transport what the kernel is to a socket.
 *
 * It takes bytes up to its capacity, and delivers them in later turns of the event loop, in order, one chunk a turn, while the receiver reads. Then it tells of the end, or
 * of the error that ended it. What a `Hostile` does, is done here.
 */
import { isError } from "../base/arguments.js";
import { ByteQueue } from "../base/byte-queue.js";
import { ownCopy } from "../base/memory.js";
import { checkCut, type Hostile } from "./hostile.js";
import { nextTurn } from "./turns.js";

/** The most bytes of a chunk, as sockets have it. */
const CHUNK_BYTES = 65_536;

/** Who writes to a line. */
export interface LineSender {
  /** The line has room again, or nobody is there any more to take what it held. */
  handleRoom(): void;
  /** The connection is reset, once what is on its way to the sender has arrived. */
  reset(error: Error): void;
}

/** Who reads from a line. */
export interface LineReceiver {
  isReading(): boolean;
  isClosing(): boolean;
  handleData(chunk: Buffer): void;
  handleEnd(): void;
  handleError(error: Error): void;
}

/** An error like those that Node makes of the system's: `"ECONNRESET"` for a connection that was reset, `"EPIPE"` for one whose peer is gone. */
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
  /** A delivery is on its way. */
  #busy = false;

  /** @param capacity bytes that it holds */
  constructor(capacity: number, hostile: Hostile) {
    this.#capacity = capacity;
    this.#hostile = hostile;
    this.#left = hostile.resetAfter ?? Infinity;
  }

  /** How many bytes it can take now. */
  get room(): number {
    return this.#end === null ? this.#capacity - this.#queue.length : 0;
  }

  /** Whether its receiver is gone. */
  get abandoned(): boolean {
    return this.#abandoned;
  }

  /** Takes bytes, not more than there is room for. They are copied: the sender may change its own. */
  take(bytes: Uint8Array): void {
    this.#queue.push(ownCopy(bytes));
    this.schedule();
  }

  /** Nothing more will be sent: the receiver hears of it after what is here, as the end or as an error. */
  end(end: "eof" | Error): void {
    if (this.#end === null) this.#end = end;
    else if (this.#end === "eof" && end !== "eof") {
      // A reset may follow the end, and tells more than it.
      this.#end = end;
      this.#endTold = false;
    }
    this.schedule();
  }

  /** The receiver is gone, and takes nothing any more. */
  abandon(): void {
    if (this.#abandoned) return;
    this.#abandoned = true;
    this.#queue.skip(this.#queue.length);
    this.sender.handleRoom();
  }

  /** Begins a delivery, if there is anything to deliver and somebody who wants it. */
  schedule(): void {
    if (this.#busy || !this.#isWanted) return;
    this.#busy = true;
    nextTurn(() => {
      if (this.#queue.length === 0 || this.#hostile.delay === undefined) this.#deliver();
      else this.#hostile.delay().then(this.#deliver, (error: Error) => this.#break(error));
    });
  }

  get #isWanted(): boolean {
    const hasMore = this.#queue.length > 0 || (this.#end !== null && !this.#endTold);
    return hasMore && !this.#abandoned && (this.receiver.isReading() || this.#endsClosing);
  }

  /** A receiver that closes takes no data any more, but still hears of a reset. */
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
    let chunk: Buffer;
    try {
      size = Math.min(this.#left, this.#hostile.cut === undefined ? available : checkCut(this.#hostile.cut(available), available));
      // A copy: the receiver may give its memory away, and the rest of what was taken with it is still on its way.
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

  /** Loses what is on its way, and the connection with it. */
  #break(error: Error): void {
    this.#busy = false;
    this.#queue.skip(this.#queue.length);
    this.sender.reset(error);
  }
}
