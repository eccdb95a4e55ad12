/**
 * `FrameCodec`: the encoding of messages in a byte stream. Also contains the code and the errors that the codecs of this library share.
 *
 * A codec of this library reads a frame in one attempt on the reader's queue (see `reading.ts`): it takes header and body together or
 * not at all. Therefore an aborted `readFrame()` consumes nothing, and no other read can come between header and body.
 */
import { checkInteger, type Data, invalidType, type SignalOptions, toBytes } from "../base/arguments.js";
import { checkKnownOptions, type KnownOptions, knownOptions } from "../base/known-options.js";
import { StreamReader } from "../streams/reader.js";
import { StreamWriter } from "../streams/writer.js";

/**
 * Reads and writes frames. Any object with these two methods is a codec. Any number of connections may share it.
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
 * @typeParam Read the type of the frames that `readFrame()` returns
 * @typeParam Write the type of the frames that `writeFrame()` accepts
 */
export interface FrameCodec<Read, Write = Read> {
  /**
   * Reads the next frame.
   *
   * **If aborted**, nothing is consumed: a partially received frame stays in the reader for the next read. A custom codec must ensure
   * this itself, for example with `peek()` and `unread()`.
   *
   * @param reader the reader to read from
   * @param options `signal` ends the wait
   * @returns the frame; `null` if the stream ends between two frames
   * @throws IncompleteReadError if the stream ends inside a frame; `partial` has the bytes received of it
   * @throws FrameTooLargeError if the frame is larger than the maximum; thrown before memory is allocated for it
   * @throws InvalidFrameError if the received data is not a valid frame
   * @throws ConcurrentReadError if another read is waiting
   */
  readFrame(reader: StreamReader, options?: SignalOptions): Promise<Read | null>;
  /**
   * Writes a frame, without waiting. Call `await writer.drain()` after it wherever much may be written.
   *
   * @param writer the writer to write to
   * @param frame the frame to write. Bytes are not copied: do not change them before they are sent.
   * @throws TypeError if the codec does not accept `frame`; nothing is written then
   * @throws FrameTooLargeError if the frame is larger than the maximum; nothing is written then
   * @throws InvalidStateError after `writeEof()`
   */
  writeFrame(writer: StreamWriter, frame: Write): void;
}

/** The options of every codec. */
export interface FrameOptions {
  /** The maximum size of a frame in bytes, without its length or delimiter. Default 16,777,216 (16 MiB). */
  readonly maxFrameSize?: number | undefined;
}

/**
 * The default maximum size of a frame: as large as MySQL and MongoDB allow for one message, and so small that a peer that announces it
 * and then sends slowly cannot occupy much more memory than it has sent.
 */
const DEFAULT_MAX_FRAME_BYTES = 16 * 1024 * 1024;

const FRAME_OPTIONS: KnownOptions = knownOptions<FrameOptions>({ maxFrameSize: true });

/** Checks a codec's options and returns the maximum. `call` is the function that makes the codec, and `known` its options. */
export function checkMaxFrameSize(call: string, options: FrameOptions | undefined, known: KnownOptions = FRAME_OPTIONS): number {
  checkKnownOptions(call, options, known);
  return options?.maxFrameSize === undefined ? DEFAULT_MAX_FRAME_BYTES : checkInteger("maxFrameSize", options.maxFrameSize, 1);
}

/** Checks that `reader` is a `StreamReader`. */
export function checkReader(reader: StreamReader): void {
  if (!(reader instanceof StreamReader)) throw invalidType("reader", "a StreamReader", reader);
}

/** Checks that `writer` is a `StreamWriter`. */
export function checkWriter(writer: StreamWriter): void {
  if (!(writer instanceof StreamWriter)) throw invalidType("writer", "a StreamWriter", writer);
}

/** Frames up to this many bytes are joined before they are written: the copy costs less than another piece. */
const JOINED_BYTES = 1024;

/** Writes a frame that consists of several pieces. */
export function writePieces(writer: StreamWriter, pieces: readonly Uint8Array[]): void {
  let length = 0;
  for (const piece of pieces) length += piece.length;
  if (length > JOINED_BYTES) {
    writer.writelines(pieces);
    return;
  }
  const joined = Buffer.allocUnsafe(length);
  let at = 0;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.length;
  }
  writer.write(joined);
}

/** Checks bytes or text to be written as a frame. */
export function frameBytes(frame: Data, maximum: number): Uint8Array {
  const bytes = toBytes("frame", frame);
  if (bytes.length > maximum) throw new FrameTooLargeError(tooLarge("cannot write a frame", bytes.length, maximum), bytes.length, maximum);
  return bytes;
}

/** Makes the message of a `FrameTooLargeError`. */
export function tooLarge(what: string, size: number, maximum: number): string {
  return `${what} of ${Number.isSafeInteger(size) ? size : "2 ** 53 or more"} bytes: the maximum is ${maximum}`;
}

/* The errors of framing: a frame that is too large, and an invalid frame. */

/**
 * A frame is larger than the codec's maximum. Thrown when its size is known, before memory is allocated for it.
 *
 * Nothing of the frame is consumed, so the next read throws the same error again. Close the connection, unless the program can skip the
 * frame.
 *
 * @example
 * ```ts
 * try {
 *   frame = await codec.readFrame(reader);
 * } catch (error) {
 *   if (error instanceof FrameTooLargeError) writer.write(`413 ${error.size} bytes, at most ${error.maximum}\n`);
 *   throw error;
 * }
 * ```
 */
export class FrameTooLargeError extends Error {
  static {
    Object.defineProperty(FrameTooLargeError.prototype, "name", { value: "FrameTooLargeError", configurable: true, writable: true });
  }

  /** Always `"ERR_FRAME_TOO_LARGE"`. */
  readonly code = "ERR_FRAME_TOO_LARGE";
  /**
   * The size of the frame in bytes. With a length, the announced size, rounded if it exceeds the safe integers. With a delimiter, the
   * number of bytes searched before giving up.
   */
  readonly size: number;
  /** The maximum size of a frame in bytes. */
  readonly maximum: number;

  /**
   * Makes the error.
   *
   * @param message describes the frame that is too large
   * @param size the size of the frame in bytes
   * @param maximum the maximum size of a frame in bytes
   * @param options `cause`, as for every `Error`
   */
  constructor(message: string, size: number, maximum: number, options?: ErrorOptions) {
    super(message, options);
    this.size = size;
    this.maximum = maximum;
  }
}

/** Options of an `InvalidFrameError`. */
export interface InvalidFrameErrorOptions extends ErrorOptions {
  /** The number of the invalid line, from 1. */
  readonly line?: number | undefined;
}

/**
 * The received data is not a frame of the codec, for example a length in a form that is not allowed, or a line that is not JSON.
 *
 * An invalid line of NDJSON is consumed, and so is a body of `contentLength()` that is not JSON or base64: the next read returns the next
 * frame. Otherwise nothing is consumed, because the beginning of the next frame is unknown: close the connection.
 */
export class InvalidFrameError extends Error {
  static {
    Object.defineProperty(InvalidFrameError.prototype, "name", { value: "InvalidFrameError", configurable: true, writable: true });
  }

  /** Always `"ERR_INVALID_FRAME"`. */
  readonly code = "ERR_INVALID_FRAME";
  /** The position of the frame: the number of bytes read from the reader before it. */
  readonly offset: number;
  /** NDJSON: the number of the line, from 1, counted from the codec's first use on the reader. `null` for other codecs. */
  readonly line: number | null;

  /**
   * Makes the error.
   *
   * @param message describes what is invalid
   * @param offset the number of bytes read before the frame
   * @param options `line` of NDJSON; `cause`, as for every `Error`
   */
  constructor(message: string, offset: number, options?: InvalidFrameErrorOptions) {
    super(message, options);
    this.offset = offset;
    this.line = options?.line ?? null;
  }
}
