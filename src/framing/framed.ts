/** `frames()` and `Framed`: combine a codec with streams. */
import { invalidType, type SignalOptions } from "../base/arguments.js";
import { checkKnownOptions, WAIT_OPTIONS } from "../base/known-options.js";
import { leave, ReadIterator } from "../streams/attempts.js";
import { engineOf } from "../streams/base-reader.js";
import type { StreamReader } from "../streams/reader.js";
import { Taker } from "../streams/taker.js";
import type { StreamWriter } from "../streams/writer.js";
import { checkReader, checkWriter, type FrameCodec } from "./codec.js";
import { FrameBatch, FrameIterator, makerOf } from "./reading.js";

/**
 * Iterates over the frames until the stream ends between two of them. Leaving the loop consumes nothing more: the reader continues
 * after the last frame.
 *
 * **If aborted**, the iteration throws the signal's reason, and nothing is consumed.
 *
 * @param reader the reader to read from
 * @param codec the codec to read with
 * @param options `signal` for the whole iteration
 * @throws the errors of the codec's `readFrame()`
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
  checkKnownOptions("frames", options, WAIT_OPTIONS);
  const makeAttempt = makerOf(codec);
  if (makeAttempt !== undefined) {
    const engine = engineOf(reader);
    return new FrameIterator(engine, makeAttempt(engine, reader), options);
  }
  return iteratorOf(reader, () => codec.readFrame(reader, options));
}

/** Iterates over what a codec of the program reads. */
function iteratorOf<T>(reader: StreamReader, read: () => Promise<T | null>): AsyncIterableIterator<T, undefined> {
  const engine = engineOf(reader);
  let hasTaken = false;
  /** The step that waits. */
  let current: { isLeft: boolean } | null = null;
  return {
    async next(): Promise<IteratorResult<T, undefined>> {
      // A loop that asks for a frame meanwhile is ahead of the program (`streams/securing.ts`).
      const isAhead = hasTaken;
      if (isAhead) engine.securing.noteTaker("frames", 1);
      const step = { isLeft: false };
      current = step;
      try {
        const value = await read();
        hasTaken = true;
        return value === null ? { done: true, value: undefined } : { done: false, value };
      } catch (error) {
        if (step.isLeft) return { done: true, value: undefined };
        throw error;
      } finally {
        if (current === step) current = null;
        if (isAhead) engine.securing.noteTaker("frames", -1);
      }
    },
    return() {
      // The read that waits is the codec's: it is the only one that may read while it reads a frame.
      if (current !== null) {
        current.isLeft = true;
        engine.failRead(new DOMException("the loop over the frames was left", "AbortError"));
      }
      return leave(engine, this);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/**
 * Iterates over the frames in batches: arrays of all frames that have arrived, at least one. Much cheaper than `frames()` if frames
 * arrive in numbers. Leaving the loop consumes nothing more than the batches it got. `startTls()` is refused inside the loop, because a
 * batch may hold frames behind the one that asked for TLS.
 *
 * A frame that is not correct ends the batch before it, and the next step throws its error. A codec of your own is asked for one frame
 * at a time, so each of its batches has one frame.
 *
 * **If aborted**, the iteration throws the signal's reason, and nothing is consumed.
 *
 * @param reader the reader to read from
 * @param codec the codec to read with
 * @param options `signal` for the whole iteration
 * @throws the errors of the codec's `readFrame()`
 *
 * @example
 * ```ts
 * for await (const batch of frameBatches(reader, ndjson<{ id: number }>())) console.log(batch.length);
 * ```
 */
export function frameBatches<Read>(
  reader: StreamReader,
  codec: Pick<FrameCodec<Read, never>, "readFrame">,
  options?: SignalOptions,
): AsyncIterableIterator<Read[], undefined> {
  checkReader(reader);
  checkCodec(codec, "readFrame");
  checkKnownOptions("frameBatches", options, WAIT_OPTIONS);
  const makeAttempt = makerOf(codec);
  if (makeAttempt === undefined) {
    return iteratorOf(reader, async () => {
      const batch = await readOne(reader, codec, options);
      return batch.length === 0 ? null : batch;
    });
  }
  const engine = engineOf(reader);
  const batch = new FrameBatch(makeAttempt(engine, reader));
  const step = { atHand: () => undefined, attempt: () => batch, convert: (frames: Read[]) => frames };
  return new ReadIterator<Read[], Read[]>(engine, step, options ?? {}, new Taker(engine, "frameBatches"));
}

/** Reads a batch of one frame: whether a codec of the program would have to wait for another one is unknown. */
async function readOne<Read>(
  reader: StreamReader,
  codec: Pick<FrameCodec<Read, never>, "readFrame">,
  options: SignalOptions | undefined,
): Promise<Read[]> {
  const frame = await codec.readFrame(reader, options);
  return frame === null ? [] : [frame];
}

/**
 * A connection of frames: a reader, a writer, and the codec for both.
 *
 * @typeParam Read the type of the frames to read
 * @typeParam Write the type of the frames to write
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
  /** The reader of the frames. */
  readonly reader: StreamReader;
  /** The writer of the frames. */
  readonly writer: StreamWriter;
  /** The codec of the frames. */
  readonly codec: FrameCodec<Read, Write>;

  /**
   * Combines a reader, a writer and a codec.
   *
   * @param reader the reader to read from
   * @param writer the writer to write to
   * @param codec the codec for both
   * @throws TypeError if `reader` is not a `StreamReader`, `writer` not a `StreamWriter`, or `codec` lacks a method of a codec
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
   * @throws the errors of the codec's `readFrame()`
   */
  readFrame(options?: SignalOptions): Promise<Read | null> {
    return this.codec.readFrame(this.reader, options);
  }

  /**
   * Reads all frames that have arrived, at least one. Much cheaper than a call for each frame if frames arrive in numbers.
   *
   * The frames are those that `readFrame()` returns, one after the other. A frame that is not correct ends the list before it, and the next
   * call throws its error. A codec of your own is asked for one frame.
   *
   * **If aborted**, nothing is consumed.
   *
   * @param options `signal` ends the wait
   * @returns the frames; an empty array at the end of the stream
   * @throws the errors of the codec's `readFrame()`
   *
   * @example
   * ```ts
   * const connection = new Framed(reader, writer, lengthPrefixed());
   * for (const frame of await connection.readFrames()) connection.writeFrame(frame);
   * await connection.drain();
   * ```
   */
  readFrames(options?: SignalOptions): Promise<Read[]> {
    const { codec, reader } = this;
    const makeAttempt = makerOf(codec);
    if (makeAttempt === undefined) return readOne(reader, codec, options);
    const engine = engineOf(reader);
    return engine.perform("readFrames", new FrameBatch(makeAttempt(engine, reader)), options);
  }

  /**
   * Iterates over the frames in batches, like the function `frameBatches()`.
   *
   * **If aborted**, the iteration throws the signal's reason, and nothing is consumed.
   *
   * @param options `signal` for the whole iteration
   */
  frameBatches(options?: SignalOptions): AsyncIterableIterator<Read[], undefined> {
    return frameBatches(this.reader, this.codec, options);
  }

  /**
   * Writes a frame, without waiting. Call `await drain()` after it wherever much may be written.
   *
   * @throws the errors of the codec's `writeFrame()`
   */
  writeFrame(frame: Write): void {
    this.codec.writeFrame(this.writer, frame);
  }

  /**
   * Waits until the write buffer has room, like `StreamWriter.drain()`.
   *
   * **If aborted**, only the wait ends.
   *
   * @param options `signal` ends the wait
   */
  drain(options?: SignalOptions): Promise<void> {
    return this.writer.drain(options);
  }

  /** Iterates over the frames until the stream ends between two of them. Leaving the loop consumes nothing more. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Read, undefined> {
    return frames(this.reader, this.codec);
  }
}

function checkCodec(codec: unknown, method: "readFrame" | "writeFrame"): void {
  if (typeof (codec as Partial<FrameCodec<unknown>> | null | undefined)?.[method] !== "function") {
    throw invalidType("codec", `an object with a method ${method}()`, codec);
  }
}
