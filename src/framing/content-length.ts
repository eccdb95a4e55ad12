/**
 * `contentLength()`: frames with a `Content-Length` header, as in the Language Server Protocol and the Debug Adapter Protocol.
 * See https://microsoft.github.io/language-server-protocol/specifications/lsp/3.17/specification/#baseProtocol.
 */

import { type Data, invalidValue, show } from "../base/arguments.js";
import type { ByteQueue } from "../base/byte-queue.js";
import type { NonSharedBuffer } from "../base/bytes.js";
import { ConnectionMemoryError, DetachedMemoryError } from "../base/errors.js";
import { type KnownOptions, knownOptions } from "../base/known-options.js";
import { allocate, constant, NO_BYTES } from "../base/memory.js";
import type { ReadEngine } from "../streams/read-engine.js";
import type { StreamWriter } from "../streams/writer.js";
import { checkMaxFrameSize, checkWriter, type FrameCodec, type FrameOptions, frameBytes, InvalidFrameError } from "./codec.js";
import { CountedAttempt, type FrameHeader } from "./counted.js";
import { jsonBytes, textOf } from "./json.js";
import { type FrameAttempt, readFrameBy } from "./reading.js";

/** Options of `contentLength()`. */
export interface ContentLengthOptions extends FrameOptions {
  /**
   * What a frame contains: `"json"`, a JSON value in UTF-8; `"bytes"`, anything; `"base64"`, bytes that are sent as base64. Default
   * `"json"`.
   */
  readonly body?: "json" | "bytes" | "base64" | undefined;
}

const CONTENT_LENGTH_OPTIONS: KnownOptions = knownOptions<ContentLengthOptions>({ maxFrameSize: true, body: true });

/** The longest header, in bytes, with the empty line at its end. Two fields need less than a hundred. */
const MAX_HEADER_BYTES = 4096;

const HEADER_END: Uint8Array = constant("\r\n\r\n");
/** A field of a header: its name, and all behind the colon. Like `LENGTH`, it takes linear time, because a peer chooses the text. */
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):([^\r\n]*)$/;

/** A length in its shortest form, with white space around it. */
const LENGTH = /^[ \t]*(0|[1-9][0-9]*)[ \t]*$/;

/**
 * Whether a text is base64 in its only form: with its padding.
 *
 * Node: an expression that repeats a group overflows the stack on a text of 8 MiB. Bun: it then reports that the text does not match.
 */
function isBase64(text: string): boolean {
  return text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);
}

/** The two directions of a body. */
interface Body<Read, Write> {
  decode(bytes: NonSharedBuffer): Read;
  encode(frame: Write, maximum: number): Uint8Array;
}

const bodies: Readonly<Record<"json" | "bytes" | "base64", Body<unknown, never>>> = {
  json: {
    decode(bytes) {
      const value: unknown = JSON.parse(textOf(bytes));
      if (value === null) throw new SyntaxError("null is reserved for EOF"); // never leaves this file
      return value;
    },
    encode: jsonBytes,
  },
  bytes: { decode: (bytes) => bytes, encode: frameBytes },
  base64: {
    decode(bytes) {
      const text = bytes.toString("latin1");
      if (!isBase64(text)) throw new SyntaxError("a character, the length or the padding is wrong"); // never leaves this file
      const padding = text.endsWith("==") ? 2 : Number(text.endsWith("="));
      const decoded = allocate((text.length / 4) * 3 - padding);
      decoded.write(text, "base64");
      return decoded;
    },
    encode: (frame: Data, maximum: number) => frameBytes(Buffer.from(frameBytes(frame, maximum)).toString("base64"), maximum),
  },
};

/**
 * Makes a codec for frames with a header, as in the Language Server Protocol: `Content-Length: 5`, an empty line, and five bytes.
 *
 * The header may have other fields, which are ignored, and at most 4,096 bytes. A header without `Content-Length`, with two of them, or
 * with one that is not a plain decimal number throws an `InvalidFrameError`, and consumes nothing. A body that is not what `body` says
 * throws one, too, with the parser's error as its `cause`. There the frame is consumed, and the next read returns the next one. The JSON
 * value `null` is refused in both directions, because `readFrame()` returns `null` at the end of the stream.
 *
 * @typeParam T the type of the values; it is not checked
 * @param options `body`: `"json"` (the default), `"bytes"` or `"base64"`; `maxFrameSize`: the maximum size of a body in bytes as it is
 *   sent, default 16 MiB; the reader's limit does not apply
 * @returns a codec of JSON values, or one that reads `Buffer`s, and writes bytes or text
 * @throws TypeError if `body` has another value
 * @throws RangeError `ERR_OUT_OF_RANGE` if `maxFrameSize` is not a positive integer
 *
 * @example
 * ```ts
 * const codec = contentLength<{ id: number; method?: string }>();
 * codec.writeFrame(writer, { id: 1, method: "initialize" });
 * const answer = await codec.readFrame(reader, { timeout: 5_000 });
 * ```
 */
export function contentLength(options: ContentLengthOptions & { readonly body: "bytes" | "base64" }): FrameCodec<NonSharedBuffer, Data>;
/**
 * Makes a codec of JSON values.
 *
 * @example
 * ```ts
 * contentLength<{ id: number }>().writeFrame(writer, { id: 1 });
 * ```
 */
export function contentLength<T = unknown>(options?: ContentLengthOptions & { readonly body?: "json" | undefined }): FrameCodec<T>;
export function contentLength(options?: ContentLengthOptions): FrameCodec<unknown, never> {
  const maximum = checkMaxFrameSize("contentLength", options, CONTENT_LENGTH_OPTIONS);
  const { body: kind = "json" } = options ?? {};
  if (!Object.hasOwn(bodies, kind)) throw invalidValue(`body must be "json", "bytes" or "base64", not ${show(kind)}`);
  const body = bodies[kind];
  return {
    readFrame: readFrameBy((engine) => new BodyAttempt(engine, kind, body, maximum)),
    writeFrame(writer: StreamWriter, frame: never): void {
      checkWriter(writer);
      const bytes = body.encode(frame, maximum);
      writer.writelines([`Content-Length: ${bytes.length}\r\n\r\n`, bytes]);
    },
  };
}

/** Takes a frame, and decodes its body. */
class BodyAttempt implements FrameAttempt<unknown> {
  readonly #engine: ReadEngine;
  readonly #kind: string;
  readonly #body: Body<unknown, never>;
  readonly #frames: CountedAttempt;

  constructor(engine: ReadEngine, kind: string, body: Body<unknown, never>, maximum: number) {
    this.#engine = engine;
    this.#kind = kind;
    this.#body = body;
    this.#frames = new CountedAttempt(engine, { maximum, trailer: NO_BYTES, parseHeader, takeFirst: () => undefined });
  }

  get exclusive(): true {
    return true;
  }

  /** Most of the cost is the header's, so there is no other path. */
  atHand(): undefined {
    return undefined;
  }

  get wanted(): number | undefined {
    return this.#frames.wanted;
  }

  run(): unknown {
    if (this.#kind === "bytes") return this.#frames.run();
    const header = this.#frames.find();
    if (header === undefined || header === null) return header;
    const { queue } = this.#engine;
    const offset = queue.taken;
    try {
      return this.#decode(header);
    } catch (cause) {
      // If the memory was the fault and not the frame, it may be read again.
      if (cause instanceof ConnectionMemoryError || cause instanceof DetachedMemoryError) throw cause;
      queue.skip(header.headerSize + header.bodySize);
      const { message } = cause as Error;
      throw new InvalidFrameError(`the frame at byte ${offset} is not ${this.#kind}: ${message}`, offset, { cause });
    }
  }

  runOrLeave(): unknown {
    const header = this.#frames.find(false);
    return header === undefined || header === null ? header : this.#decode(header);
  }

  /** Takes a frame that is there, and returns its value. Takes nothing if it throws. */
  #decode({ headerSize, bodySize }: FrameHeader): unknown {
    const { queue } = this.#engine;
    const end = headerSize + bodySize;
    const value = this.#body.decode(queue.copy(headerSize, end));
    queue.skip(end);
    return value;
  }
}

function parseHeader(queue: ByteQueue): FrameHeader | undefined {
  const end = queue.indexOf(HEADER_END, 0, Math.min(queue.length, MAX_HEADER_BYTES));
  if (end === -1) {
    if (queue.length >= MAX_HEADER_BYTES) throw invalidHeader(queue, `is longer than ${MAX_HEADER_BYTES} bytes`);
    return undefined;
  }
  const lengths = queue
    .copy(0, end)
    .toString("latin1")
    .split("\r\n")
    .map((line) => lengthOf(queue, line));
  const [length, another] = lengths.filter((one) => one !== null);
  if (length === undefined) throw invalidHeader(queue, "has no Content-Length");
  if (another !== undefined) throw invalidHeader(queue, "has two Content-Lengths");
  return { headerSize: end + HEADER_END.length, bodySize: length };
}

/** The length in a line of a header; `null` if the line is another field. */
function lengthOf(queue: ByteQueue, line: string): number | null {
  const [, name, value] = FIELD.exec(line) ?? [];
  if (name === undefined || value === undefined) throw invalidHeader(queue, "has a line that is not a field");
  if (name.toLowerCase() !== "content-length") return null;
  const [, digits] = LENGTH.exec(value) ?? [];
  if (digits === undefined) throw invalidHeader(queue, "has a Content-Length that is not a decimal number");
  return Number(digits);
}

function invalidHeader(queue: ByteQueue, what: string): InvalidFrameError {
  return new InvalidFrameError(`the header at byte ${queue.taken} ${what}`, queue.taken);
}
