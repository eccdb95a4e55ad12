/** `delimited()`: frames that end in a delimiter. */

import { asBuffer, type Data, invalidValue, toBytes } from "../base/arguments.js";
import type { NonSharedBuffer } from "../base/bytes.js";
import { IncompleteReadError } from "../base/errors.js";
import { ownCopy } from "../base/memory.js";
import { type Match, SeparatorSearch } from "../base/separator-search.js";
import { Separators } from "../base/separators.js";
import type { ReadEngine } from "../streams/read-engine.js";
import type { StreamWriter } from "../streams/writer.js";
import { checkMaxFrameSize, checkWriter, type FrameCodec, type FrameOptions, FrameTooLargeError, frameBytes, tooLarge } from "./codec.js";
import { type FrameAttempt, readFrameBy } from "./reading.js";

/** Takes a frame and its delimiter, and returns the frame without it. */
class DelimitedAttempt implements FrameAttempt<NonSharedBuffer> {
  readonly #engine: ReadEngine;
  readonly #delimiter: Separators;
  readonly #maximum: number;
  /** Created when a frame is not at hand. */
  #search: DelimiterSearch | null = null;

  constructor(engine: ReadEngine, delimiter: Separators, maximum: number) {
    this.#engine = engine;
    this.#delimiter = delimiter;
    this.#maximum = maximum;
  }

  get exclusive(): true {
    return true;
  }

  atHand(): NonSharedBuffer | undefined {
    return this.#engine.queue.takeThrough(this.#delimiter, this.#maximum, false);
  }

  run(): NonSharedBuffer | null | undefined {
    return this.#take(true);
  }

  runOrLeave(): NonSharedBuffer | null | undefined {
    return this.#take(false);
  }

  #take(mayTakeRest: boolean): NonSharedBuffer | null | undefined {
    this.#search ??= new DelimiterSearch(this.#engine, this.#delimiter, this.#maximum);
    const match = this.#search.find(mayTakeRest);
    if (match === undefined || match === null) return match;
    const { queue } = this.#engine;
    const frame = queue.take(match.start);
    queue.skip(match.end - match.start);
    return frame;
  }
}

/** Finds the end of each frame, and remembers how far it has searched. */
export class DelimiterSearch {
  readonly #engine: ReadEngine;
  readonly #search: SeparatorSearch;
  readonly #maximum: number;

  constructor(engine: ReadEngine, delimiter: Separators, maximum: number) {
    this.#engine = engine;
    this.#search = new SeparatorSearch(delimiter);
    this.#maximum = maximum;
  }

  /**
   * Returns where the delimiter of the next frame is; `null` at EOF, `undefined` if more data is needed. Takes nothing, unless the stream
   * has ended inside the frame and the rest `mayBeTaken`.
   */
  find(mayBeTaken: boolean): Match | null | undefined {
    const { eof, queue } = this.#engine;
    if (queue.length === 0) return eof ? null : undefined;
    const match = this.#search.find(queue);
    if (match) {
      this.#check(match.start);
      return match;
    }
    if (match === null) this.#check(this.#search.offset);
    if (eof && mayBeTaken) throw new IncompleteReadError(queue.takeAll(), null);
    return undefined;
  }

  #check(size: number): void {
    const maximum = this.#maximum;
    if (size > maximum) throw new FrameTooLargeError(tooLarge("cannot read a frame", size, maximum), size, maximum);
  }
}

/**
 * Makes a codec for frames that end in a delimiter, which they must not contain.
 *
 * @param delimiter bytes or text, at least one byte
 * @param options `maxFrameSize`: the maximum size of a frame in bytes, without its delimiter, default 16 MiB; the reader's limit does
 *   not apply
 * @returns a codec that reads `Buffer`s without the delimiter, and writes bytes or text. `writeFrame()` throws a `TypeError` for a
 *   frame that contains the delimiter, or whose end would form one together with it.
 * @throws TypeError if `delimiter` is empty, or neither bytes nor text
 * @throws RangeError `ERR_OUT_OF_RANGE` if `maxFrameSize` is not a positive integer
 *
 * @example
 * ```ts
 * const codec = delimited("\0");
 * codec.writeFrame(writer, "hello");
 * for await (const frame of frames(reader, codec)) console.log(frame.toString());
 * ```
 */
export function delimited(delimiter: Data, options?: FrameOptions): FrameCodec<NonSharedBuffer, Data> {
  // a copy, because the caller's bytes may change while the codec is in use
  const ownDelimiter = ownCopy(toBytes("delimiter", delimiter));
  if (ownDelimiter.length === 0) throw invalidValue("delimiter must be at least one byte, not empty");
  const separators = new Separators([ownDelimiter]);
  const maximum = checkMaxFrameSize("delimited", options);
  return {
    readFrame: readFrameBy((engine) => new DelimitedAttempt(engine, separators, maximum)),
    writeFrame(writer: StreamWriter, frame: Data): void {
      checkWriter(writer);
      const body = frameBytes(frame, maximum);
      if (wouldEndEarly(body, ownDelimiter)) throw invalidValue("frame must not contain the delimiter, nor form an earlier one with it");
      writer.writelines([body, ownDelimiter]);
    },
  };
}

/** Whether the peer would find a delimiter before the one written at the end of the frame. */
function wouldEndEarly(body: Uint8Array, delimiter: NonSharedBuffer): boolean {
  if (asBuffer(body).includes(delimiter)) return true;
  const seam = body.subarray(Math.max(0, body.length - delimiter.length + 1));
  return Buffer.concat([seam, delimiter]).indexOf(delimiter) !== seam.length;
}
