/** `ndjson()`: one JSON value on each line. See https://github.com/ndjson/ndjson-spec. */

import { invalidType, invalidValue, type SignalOptions } from "../base/arguments.js";
import { NEWLINE } from "../base/memory.js";
import { LINE_END } from "../streams/attempts.js";
import type { Attempt, ReadEngine } from "../streams/read-engine.js";
import type { StreamReader } from "../streams/reader.js";
import type { StreamWriter } from "../streams/writer.js";
import {
  checkMaxFrameSize,
  checkWriter,
  type FrameCodec,
  type FrameOptions,
  frameBytes,
  InvalidFrameError,
  readInOneAttempt,
} from "./codec.js";
import { delimitedAttempt } from "./delimiter.js";

/** Throws for bytes that are not UTF-8, instead of replacing them with U+FFFD. */
const utf8 = new TextDecoder("utf-8", { fatal: true });

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
  const maximum = checkMaxFrameSize(options);
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
      const text = jsonOf(frame);
      if (text === undefined || text === "null") throw invalidType("frame", "a JSON value other than null", frame);
      writer.writelines([frameBytes(text, maximum), NEWLINE]);
    },
  };
}

/** Returns a value as JSON; `undefined` if JSON has no form for it. */
function jsonOf(frame: unknown): string | undefined {
  try {
    return JSON.stringify(frame);
  } catch (error) {
    const bigint = findBigint(frame); // rethrows if a toJSON() throws
    if (bigint !== null) throw invalidType(bigint.place, "a JSON value", bigint.value);
    throw Object.assign(invalidValue(`cannot write the frame as JSON: ${(error as Error).message}`), { cause: error });
  }
}

/** Returns the first bigint in a value, for which JSON has no form, and its place, such as `frame["list"][2]`. */
function findBigint(frame: unknown): { readonly place: string; readonly value: bigint } | null {
  let found: { place: string; value: bigint } | null = null;
  const places = new Map<unknown, string>();
  JSON.stringify(frame, function (this: unknown, key: string, value: unknown) {
    const holder = places.get(this);
    const place = holder === undefined ? "frame" : `${holder}[${Array.isArray(this) ? key : JSON.stringify(key)}]`;
    if (typeof value === "bigint") found ??= { place, value };
    if (typeof value !== "object" || value === null || places.has(value)) return null; // visits each object once, which also ends cycles
    places.set(value, place);
    return value;
  });
  return found;
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
    const text = utf8.decode(bytes);
    if (text.trim() === "") return undefined;
    value = JSON.parse(text);
  } catch (cause) {
    throw new InvalidFrameError(`line ${line}, at byte ${offset}, is not JSON: ${(cause as Error).message}`, offset, { line, cause });
  }
  if (value !== null) return value;
  throw new InvalidFrameError(`line ${line}, at byte ${offset}, is null, which is reserved for EOF`, offset, { line });
}
