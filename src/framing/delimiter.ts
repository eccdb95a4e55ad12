/** `delimited()`: frames that end in a delimiter. */
import { asBuffer, type Data, invalidValue, type SignalOptions, toBytes } from "../base/arguments.js";
import { LimitOverrunError } from "../base/errors.js";
import { Separators } from "../base/separators.js";
import { messageAttempt } from "../streams/attempts.js";
import type { Attempt, ReadEngine } from "../streams/read-engine.js";
import type { StreamReader } from "../streams/reader.js";
import type { StreamWriter } from "../streams/writer.js";
import {
  checkMaxFrameSize,
  checkWriter,
  type FrameCodec,
  type FrameOptions,
  FrameTooLargeError,
  frameBytes,
  readInOneAttempt,
  tooLarge,
} from "./codec.js";

/** Takes a frame and its delimiter, and returns the frame without it. */
export function delimitedAttempt(engine: ReadEngine, delimiter: Separators, maximum: number): Attempt<Buffer | null> {
  const message = messageAttempt(engine, delimiter, { limit: maximum, keepSeparator: false });
  const run = (): Buffer | null | undefined => {
    if (engine.eof && engine.queue.length === 0) return null;
    try {
      return message.run();
    } catch (error) {
      if (!(error instanceof LimitOverrunError)) throw error;
      const { consumed: size } = error;
      throw new FrameTooLargeError(tooLarge("cannot read a frame", size, maximum), size, maximum);
    }
  };
  return { exclusive: true, run };
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
export function delimited(delimiter: Data, options?: FrameOptions): FrameCodec<Buffer, Data> {
  // a copy, because the caller's bytes may change while the codec is in use
  const ownDelimiter = Buffer.from(toBytes("delimiter", delimiter));
  if (ownDelimiter.length === 0) throw invalidValue("delimiter must be at least one byte, not empty");
  const separators = new Separators([ownDelimiter]);
  const maximum = checkMaxFrameSize(options);
  return {
    readFrame(reader: StreamReader, readOptions?: SignalOptions): Promise<Buffer | null> {
      return readInOneAttempt(reader, (engine) => delimitedAttempt(engine, separators, maximum), readOptions);
    },
    writeFrame(writer: StreamWriter, frame: Data): void {
      checkWriter(writer);
      const body = frameBytes(frame, maximum);
      if (wouldEndEarly(body, ownDelimiter)) throw invalidValue("frame must not contain the delimiter, nor form an earlier one with it");
      writer.writelines([body, ownDelimiter]);
    },
  };
}

/** Whether the peer would find a delimiter before the one written at the end of the frame. */
function wouldEndEarly(body: Uint8Array, delimiter: Buffer): boolean {
  if (asBuffer(body).includes(delimiter)) return true;
  const seam = body.subarray(Math.max(0, body.length - delimiter.length + 1));
  return Buffer.concat([seam, delimiter]).indexOf(delimiter) !== seam.length;
}
