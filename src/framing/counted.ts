/** The attempt of frames with a size header, shared by length prefixes, netstrings and `Content-Length`. */

import type { ByteQueue } from "../base/byte-queue.js";
import type { NonSharedBuffer } from "../base/bytes.js";
import { IncompleteReadError } from "../base/errors.js";
import { MAX_KEPT_ALIVE_FACTOR, makeView } from "../base/memory.js";
import type { ReadEngine } from "../streams/read-engine.js";
import { FrameTooLargeError, InvalidFrameError, tooLarge } from "./codec.js";
import type { FrameAttempt } from "./reading.js";

/** The header of a frame. */
export interface FrameHeader {
  /** The size of the header in bytes. */
  readonly headerSize: number;
  /** The size of the announced body in bytes; rounded if it exceeds the safe integers. */
  readonly bodySize: number;
}

/** How the frames are announced. */
export interface CountedForm {
  /** The maximum size of a body in bytes. */
  readonly maximum: number;
  /** What follows each body. */
  readonly trailer: Uint8Array;
  /** Parses the header at the front of the queue. Returns `undefined` if it is incomplete. Throws `InvalidFrameError`. */
  parseHeader(queue: ByteQueue): FrameHeader | undefined;
  /**
   * Takes a correct frame that lies in the first chunk, header and trailer included, and returns its body. Otherwise takes nothing and
   * returns `undefined`. `first` is that chunk, and its bytes from `at` on are in the queue. Its memory may be detached.
   */
  takeFirst(queue: ByteQueue, first: NonSharedBuffer, at: number): NonSharedBuffer | undefined;
}

/**
 * Takes a frame: header, body, and a required trailer.
 *
 * A parsed header is kept until its frame is taken. Otherwise a peer that sends a long header, and then the body byte by byte, would have
 * the header parsed again for every byte. Another header may come to the front by `unread()` or by another read: `taken` and `putBack` of
 * the queue change then.
 */
export class CountedAttempt implements FrameAttempt<NonSharedBuffer> {
  readonly #engine: ReadEngine;
  readonly #form: CountedForm;
  /** The header that was parsed last; `undefined` before the first. */
  #header: FrameHeader | undefined;
  /** What `taken` and `putBack` of the queue were then. */
  #headerTaken = 0;
  #headerPutBack = 0;

  constructor(engine: ReadEngine, form: CountedForm) {
    this.#engine = engine;
    this.#form = form;
  }

  get exclusive(): true {
    return true;
  }

  /**
   * The size of the frame that is awaited, as soon as a quarter of it has come: the rest is then read into the memory of the frame. A size
   * that a peer has merely announced occupies no memory.
   */
  get wanted(): number | undefined {
    const { queue } = this.#engine;
    const header = this.#knownHeader(queue);
    if (header === undefined) return undefined;
    const size = this.#sizeOf(header);
    return size <= queue.length * MAX_KEPT_ALIVE_FACTOR ? size : undefined;
  }

  atHand(): NonSharedBuffer | undefined {
    const { queue } = this.#engine;
    const { first } = queue;
    return first === undefined ? undefined : this.#form.takeFirst(queue, first, queue.firstOffset);
  }

  run(): NonSharedBuffer | null | undefined {
    const header = this.find();
    if (header === undefined || header === null) return header;
    // In one step: if memory for the body is lacking, the header must stay in front of it.
    const frame = this.#engine.queue.take(this.#sizeOf(header));
    return header.bodySize === frame.length ? frame : makeView(frame, header.headerSize, header.bodySize);
  }

  runOrLeave(): NonSharedBuffer | null | undefined {
    return this.find(false) === undefined ? undefined : this.run();
  }

  /**
   * Returns the header of the next frame if all of the frame is there; `null` at EOF, `undefined` if more data is needed. Takes nothing,
   * unless the stream has ended inside the frame and the rest `mayBeTaken`.
   */
  find(mayBeTaken: boolean = true): FrameHeader | null | undefined {
    const { eof, queue } = this.#engine;
    const { maximum, trailer } = this.#form;
    if (queue.length === 0) return eof ? null : undefined;
    const header = this.#parseHeader(queue);
    if (header !== undefined && header.bodySize > maximum) {
      throw new FrameTooLargeError(tooLarge("cannot read a frame", header.bodySize, maximum), header.bodySize, maximum);
    }
    const wholeSize = header === undefined ? null : this.#sizeOf(header);
    if (header === undefined || wholeSize === null || queue.length < wholeSize) {
      if (eof && mayBeTaken) throw new IncompleteReadError(queue.takeAll(), wholeSize);
      return undefined;
    }
    if (trailer.length > 0 && !queue.matches(trailer, header.headerSize + header.bodySize)) {
      throw new InvalidFrameError(`the frame at byte ${queue.taken} does not end in "${Buffer.from(trailer).toString()}"`, queue.taken);
    }
    return header;
  }

  #sizeOf({ headerSize, bodySize }: FrameHeader): number {
    return headerSize + bodySize + this.#form.trailer.length;
  }

  #parseHeader(queue: ByteQueue): FrameHeader | undefined {
    const known = this.#knownHeader(queue);
    if (known !== undefined) return known;
    this.#header = this.#form.parseHeader(queue);
    this.#headerTaken = queue.taken;
    this.#headerPutBack = queue.putBack;
    return this.#header;
  }

  /** Returns the header at the front of the queue, if it was parsed before. */
  #knownHeader({ taken, putBack }: ByteQueue): FrameHeader | undefined {
    return this.#headerTaken === taken && this.#headerPutBack === putBack ? this.#header : undefined;
  }
}
