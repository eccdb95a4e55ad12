/** `ndjson()`: one JSON value on each line. See https://github.com/ndjson/ndjson-spec. */

import { NEWLINE_BYTE } from "../base/memory.js";
import { LINE_END } from "../streams/attempts.js";
import type { ReadEngine } from "../streams/read-engine.js";
import type { StreamReader } from "../streams/reader.js";
import { REPLACEMENT, TextLines } from "../streams/text-lines.js";
import type { StreamWriter } from "../streams/writer.js";
import { checkMaxFrameSize, checkWriter, type FrameCodec, type FrameOptions, InvalidFrameError } from "./codec.js";
import { DelimiterSearch } from "./delimiter.js";
import { jsonLine, textOf } from "./json.js";
import { type FrameAttempt, readFrameBy } from "./reading.js";

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
  const attempts = new WeakMap<StreamReader, ValueAttempt<T>>();
  const attemptOf = (engine: ReadEngine, reader: StreamReader): ValueAttempt<T> => {
    let attempt = attempts.get(reader);
    if (attempt === undefined) {
      attempt = new ValueAttempt<T>(engine, maximum);
      attempts.set(reader, attempt);
    }
    return attempt;
  };
  return {
    readFrame: readFrameBy(attemptOf),
    writeFrame(writer: StreamWriter, frame: T): void {
      checkWriter(writer);
      writer.write(jsonLine(frame, maximum));
    },
  };
}

const SPACE = 0x20;

/** Reads the values of one reader, and counts its lines. */
class ValueAttempt<T> implements FrameAttempt<T> {
  readonly #engine: ReadEngine;
  readonly #maximum: number;
  readonly #text: TextLines;
  readonly #search: DelimiterSearch;
  /** The number of lines taken, for errors. */
  #lines = 0;
  /** The size of the line that `#peek()` returned, with its newline, in bytes. */
  #size = 0;

  constructor(engine: ReadEngine, maximum: number) {
    this.#engine = engine;
    this.#maximum = maximum;
    this.#text = new TextLines(engine.queue, maximum, "utf8", true);
    this.#search = new DelimiterSearch(engine, LINE_END, maximum);
  }

  get exclusive(): true {
    return true;
  }

  atHand(): T | undefined {
    for (;;) {
      const text = this.#peek();
      if (text === undefined || this.#size - 1 > this.#maximum) return undefined;
      const isBlank = text.charCodeAt(0) <= SPACE && text.trim() === "";
      const value = isBlank ? undefined : valueOf(text);
      if ((value === undefined || value === null) && !isBlank) return undefined;
      if (!this.#engine.queue.trySkip(this.#size)) return undefined;
      this.#lines += 1;
      if (!isBlank) return value as T;
    }
  }

  /** Returns the next line with its newline, if it lies in the first chunk and is UTF-8 for certain. Takes nothing. */
  #peek(): string | undefined {
    const { queue } = this.#engine;
    const decoded = this.#text.peek();
    if (decoded !== undefined) {
      this.#size = decoded.length;
      return decoded;
    }
    const { first, firstOffset } = queue;
    const end = first === undefined ? -1 : first.indexOf(NEWLINE_BYTE, firstOffset);
    this.#size = end + 1 - firstOffset;
    if (first === undefined || end === -1 || this.#size - 1 > this.#maximum) return undefined;
    const text = first.toString("utf8", firstOffset, end + 1);
    return text.includes(REPLACEMENT) ? undefined : text;
  }

  run(): T | null | undefined {
    return this.#take(true);
  }

  runOrLeave(): T | null | undefined {
    return this.#take(false);
  }

  /** @param mayTakeBroken whether a line that is not JSON, or the rest of an incomplete one, is taken, and throws */
  #take(mayTakeBroken: boolean): T | null | undefined {
    const { queue } = this.#engine;
    for (;;) {
      const match = this.#search.find(mayTakeBroken);
      if (match === undefined || match === null) return match;
      const value = parseLine(queue.copy(0, match.start), queue.taken, this.#lines + 1);
      if (value instanceof InvalidFrameError && !mayTakeBroken) return undefined;
      queue.skip(match.end);
      this.#lines += 1;
      if (value instanceof InvalidFrameError) throw value;
      if (value !== undefined) return value as T;
    }
  }
}

/** Parses JSON; `undefined` if it is not JSON. The regular attempt makes the error. */
function valueOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Returns the value of a line; `undefined` if the line is blank, an error if it is not JSON. */
function parseLine(bytes: Uint8Array, offset: number, line: number): unknown {
  let value: unknown;
  try {
    const text = textOf(bytes);
    if (text.trim() === "") return undefined;
    value = JSON.parse(text);
  } catch (cause) {
    return new InvalidFrameError(`line ${line}, at byte ${offset}, is not JSON: ${(cause as Error).message}`, offset, { line, cause });
  }
  if (value !== null) return value;
  return new InvalidFrameError(`line ${line}, at byte ${offset}, is null, which is reserved for EOF`, offset, { line });
}
