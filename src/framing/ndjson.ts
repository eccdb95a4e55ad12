/** `ndjson()`: one JSON value on each line. See https://github.com/ndjson/ndjson-spec. */

import type { SignalOptions } from "../base/arguments.js";
import { NEWLINE } from "../base/memory.js";
import { LINE_END } from "../streams/attempts.js";
import type { Attempt, ReadEngine } from "../streams/read-engine.js";
import type { StreamReader } from "../streams/reader.js";
import type { StreamWriter } from "../streams/writer.js";
import { checkMaxFrameSize, checkWriter, type FrameCodec, type FrameOptions, InvalidFrameError, readInOneAttempt } from "./codec.js";
import { delimitedAttempt } from "./delimiter.js";
import { jsonBytes, textOf } from "./json.js";

/** The number of lines read from a reader, for errors. */
interface LineCount {
  lines: number;
}

/**
 * Makes a codec for newline-delimited JSON: one value on each line.
 *
 * A line that is not JSON or not UTF-8 is consumed and throws an `InvalidFrameError` with its `line`, its `offset` and the parser's
 * error as `cause`; the next read returns the next line. Blank lines are skipped. A last line without a newline may be incomplete, and
 * throws an `IncompleteReadError` with the line as `partial`. The value `null` is refused in both directions, because `readFrame()`
 * returns `null` at the end of the stream: wrap it in an object or an array.
 *
 * @typeParam T the type of the values; it is not checked
 * @param options `maxFrameSize`: the maximum size of a line in bytes, default 16 MiB; the reader's limit does not apply
 * @throws RangeError `ERR_OUT_OF_RANGE` if `maxFrameSize` is not a positive integer
 *
 * @example
 * ```ts
 * const codec = ndjson<{ id: number; text: string }>();
 * codec.writeFrame(writer, { id: 1, text: "hello" });
 * const answer = await codec.readFrame(reader);
 * ```
 */
export function ndjson<T = unknown>(options?: FrameOptions): FrameCodec<T> {
  const maximum = checkMaxFrameSize("ndjson", options);
  const counts = new WeakMap<StreamReader, LineCount>();
  const countOf = (reader: StreamReader): LineCount => {
    let count = counts.get(reader);
    if (count === undefined) {
      count = { lines: 0 };
      counts.set(reader, count);
    }
    return count;
  };
  return {
    readFrame(reader: StreamReader, readOptions?: SignalOptions): Promise<T | null> {
      return readInOneAttempt(reader, (engine) => valueAttempt<T>(engine, maximum, countOf(reader)), readOptions);
    },
    writeFrame(writer: StreamWriter, frame: T): void {
      checkWriter(writer);
      writer.writelines([jsonBytes(frame, maximum), NEWLINE]);
    },
  };
}

function valueAttempt<T>(engine: ReadEngine, maximum: number, count: LineCount): Attempt<T | null> {
  const lines = delimitedAttempt(engine, LINE_END, maximum);
  const run = (): T | null | undefined => {
    for (;;) {
      const offset = engine.queue.taken;
      const line = lines.run();
      if (line === undefined || line === null) return line;
      count.lines += 1;
      const value = parseLine(line, offset, count.lines);
      if (value !== undefined) return value as T;
    }
  };
  return { exclusive: true, run };
}

/** Returns the value of a line; `undefined` if the line is blank. */
function parseLine(bytes: Uint8Array, offset: number, line: number): unknown {
  let value: unknown;
  try {
    const text = textOf(bytes);
    if (text.trim() === "") return undefined;
    value = JSON.parse(text);
  } catch (cause) {
    throw new InvalidFrameError(`line ${line}, at byte ${offset}, is not JSON: ${(cause as Error).message}`, offset, { line, cause });
  }
  if (value !== null) return value;
  throw new InvalidFrameError(`line ${line}, at byte ${offset}, is null, which is reserved for EOF`, offset, { line });
}
