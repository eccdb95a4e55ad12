/**
 * `FrameCodec`: how messages lie in a stream of bytes. And what the codecs of this library share.
 *
 * A codec of ours reads a frame in one attempt on the reader's queue (see `streams/incoming.ts`): header and body are taken together or not at all. That is why
 * an aborted `readFrame()` consumes nothing, and why no other read can come between the two.
 */
import { checkInteger, checkOptions, type Data, invalidType, type SignalOptions, toBytes } from "../base/arguments.js";
import type { Attempt, AttemptTraits, Incoming } from "../streams/incoming.js";
import { StreamReader } from "../streams/reader.js";
import { StreamWriter } from "../streams/writer.js";
import { FrameTooLargeError } from "./frame-errors.js";

/**
 * Reads and writes frames. An object with these two methods is all that a codec of your own needs; it may be shared by any number of connections.
 *
 * @example
 * ```ts
 * const inner = lengthPrefixed({ prefix: 4 });
 * const dates: FrameCodec<Date> = {
 *   async readFrame(reader, options) {
 *     const frame = await inner.readFrame(reader, options);
 *     return frame === null ? null : new Date(frame.toString());
 *   },
 *   writeFrame: (writer, date) => inner.writeFrame(writer, date.toISOString()),
 * };
 * ```
 *
 * @typeParam Read what `readFrame()` gives
 * @typeParam Write what `writeFrame()` takes
 */
export interface FrameCodec<Read, Write = Read> {
  /**
   * Reads the next frame.
   *
   * **If aborted**, nothing is consumed: what has come of the frame is there for the next read. (A codec of your own has to see to that: `peek()` and `unread()` help.)
   *
   * @param reader where to read
   * @param options `signal` ends the wait
   * @returns the frame; `null` at the end of the stream, if that comes between two frames
   * @throws IncompleteReadError if the stream ends inside a frame; `partial` has what there was of it
   * @throws FrameTooLargeError if the frame is larger than it may be, before memory is taken for it
   * @throws InvalidFrameError if what came is not a frame
   * @throws ConcurrentReadError if another read is waiting
   */
  readFrame(reader: StreamReader, options?: SignalOptions): Promise<Read | null>;
  /**
   * Writes a frame, without waiting; `await writer.drain()` wherever much may be written.
   *
   * @param writer where to write
   * @param frame what to write; bytes are not copied: do not change them before they are sent
   * @throws TypeError if `frame` is not what the codec takes; nothing is written then
   * @throws FrameTooLargeError if it is larger than a frame may be; nothing is written then
   * @throws InvalidStateError after `writeEof()`
   */
  writeFrame(writer: StreamWriter, frame: Write): void;
}

/** What every codec takes. */
export interface FrameOptions {
  /** The most bytes of a frame, without its length or delimiter. Default 16,777,216 (16 MiB). */
  readonly maxFrameSize?: number | undefined;
}

/**
 * The default maximum: as much as MySQL and MongoDB let into one message, and so little that a peer who announces it and then trickles cannot
 * take much more memory than it has sent.
 */
const DEFAULT_MAX_FRAME_BYTES = 16 * 1024 * 1024;

/** Nobody else may take bytes while a frame is waited for: its header may be among them. */
const WAITS_ALONE: AttemptTraits = { toEof: true };

/** Checks a codec's options; returns the maximum. */
export function checkMaxFrameSize(options: FrameOptions | undefined): number {
  checkOptions("options", options);
  return options?.maxFrameSize === undefined ? DEFAULT_MAX_FRAME_BYTES : checkInteger("maxFrameSize", options.maxFrameSize, 1);
}

/** Checks where frames are to be read. */
export function checkReader(reader: StreamReader): void {
  if (!(reader instanceof StreamReader)) throw invalidType("reader", "a StreamReader", reader);
}

/** Makes an attempt at a frame, now or when enough has come. */
export function readInOneAttempt<T>(
  reader: StreamReader,
  makeAttempt: (incoming: Incoming) => Attempt<T | null>,
  options: SignalOptions | undefined,
): Promise<T | null> {
  try {
    checkReader(reader);
    return reader.incoming.perform("readFrame", makeAttempt(reader.incoming), options, WAITS_ALONE);
  } catch (error) {
    return Promise.reject(error);
  }
}

/** Checks where a frame is to be written. */
export function checkWriter(writer: StreamWriter): void {
  if (!(writer instanceof StreamWriter)) throw invalidType("writer", "a StreamWriter", writer);
}

/** Checks bytes or text that are to be written as a frame. */
export function frameBytes(frame: Data, maximum: number): Uint8Array {
  const bytes = toBytes("frame", frame);
  if (bytes.length > maximum) throw new FrameTooLargeError(tooLarge("cannot write a frame", bytes.length, maximum), bytes.length, maximum);
  return bytes;
}

/** The message of a `FrameTooLargeError`. */
export function tooLarge(what: string, size: number, maximum: number): string {
  return `${what} of ${Number.isSafeInteger(size) ? size : "2 ** 53 or more"} bytes: the maximum is ${maximum}`;
}
