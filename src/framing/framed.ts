/** `frames()` and `Framed`: a codec together with the streams it is used on. */
import { checkOptions, invalidType, type SignalOptions } from "../base/arguments.js";
import { leave } from "../streams/iteration.js";
import type { StreamReader } from "../streams/reader.js";
import type { StreamWriter } from "../streams/writer.js";
import { checkReader, checkWriter, type FrameCodec } from "./codec.js";

/**
 * Iterates over the frames, until the stream ends between two of them. Leaving the loop takes nothing with it: the reader goes on behind the last frame.
 *
 * **If aborted**, the iteration throws the signal's reason, and nothing is consumed.
 *
 * @param reader where to read
 * @param codec how to read
 * @param options `signal` for the whole iteration
 * @throws what `readFrame()` of the codec throws
 *
 * @example
 * ```ts
 * for await (const event of frames(reader, ndjson<{ id: number }>())) console.log(event.id);
 * ```
 */
export function frames<Read>(
  reader: StreamReader,
  codec: Pick<FrameCodec<Read, never>, "readFrame">,
  options?: SignalOptions,
): AsyncIterableIterator<Read, undefined> {
  checkReader(reader);
  checkCodec(codec, "readFrame");
  checkOptions("options", options);
  return {
    async next(): Promise<IteratorResult<Read, undefined>> {
      const frame = await codec.readFrame(reader, options);
      return frame === null ? { done: true, value: undefined } : { done: false, value: frame };
    },
    return: () => leave(reader.incoming),
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/**
 * A connection that speaks in frames: a reader, a writer, and the codec for both.
 *
 * @typeParam Read what is read
 * @typeParam Write what is written
 *
 * @example
 * ```ts
 * const [reader, writer] = await openUnixConnection("/run/app.sock");
 * const connection = new Framed(reader, writer, lengthPrefixed());
 * connection.writeFrame("hello");
 * await connection.drain();
 * for await (const frame of connection) console.log(frame.toString());
 * ```
 */
export class Framed<Read, Write = Read> implements AsyncIterable<Read> {
  /** Where frames are read. */
  readonly reader: StreamReader;
  /** Where frames are written. */
  readonly writer: StreamWriter;
  /** How. */
  readonly codec: FrameCodec<Read, Write>;

  /**
   * Puts them together.
   *
   * @param reader where to read
   * @param writer where to write
   * @param codec how
   * @throws TypeError if `reader` or `writer` is something else, or `codec` has not the two methods of a codec
   */
  constructor(reader: StreamReader, writer: StreamWriter, codec: FrameCodec<Read, Write>) {
    checkReader(reader);
    checkWriter(writer);
    checkCodec(codec, "readFrame");
    checkCodec(codec, "writeFrame");
    this.reader = reader;
    this.writer = writer;
    this.codec = codec;
  }

  /**
   * Reads the next frame.
   *
   * **If aborted**, nothing is consumed.
   *
   * @param options `signal` ends the wait
   * @returns the frame; `null` at the end of the stream
   * @throws what `readFrame()` of the codec throws
   */
  readFrame(options?: SignalOptions): Promise<Read | null> {
    return this.codec.readFrame(this.reader, options);
  }

  /**
   * Writes a frame, without waiting; follow it with `drain()` wherever much may be written.
   *
   * @throws what `writeFrame()` of the codec throws
   */
  writeFrame(frame: Write): void {
    this.codec.writeFrame(this.writer, frame);
  }

  /**
   * Waits while too much is buffered: `StreamWriter.drain()`.
   *
   * **If aborted**, only the wait ends.
   *
   * @param options `signal` ends the wait
   */
  drain(options?: SignalOptions): Promise<void> {
    return this.writer.drain(options);
  }

  /** Iterates over the frames, until the stream ends between two of them. Leaving the loop takes nothing with it. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Read, undefined> {
    return frames(this.reader, this.codec);
  }
}

function checkCodec(codec: unknown, method: "readFrame" | "writeFrame"): void {
  if (typeof (codec as Partial<FrameCodec<unknown>> | null | undefined)?.[method] !== "function") {
    throw invalidType("codec", `an object with a method ${method}()`, codec);
  }
}
