/** `lengthPrefixed()`: frames with a length prefix of 1, 2, 3, 4 or 8 bytes or a varint, or with a header that contains a length. */

import { checkInteger, type Data, invalidValue, show } from "../base/arguments.js";
import type { ByteQueue } from "../base/byte-queue.js";
import type { NonSharedBuffer } from "../base/bytes.js";
import { type KnownOptions, knownOptions } from "../base/known-options.js";
import { NO_BYTES } from "../base/memory.js";
import type { StreamWriter } from "../streams/writer.js";
import {
  checkMaxFrameSize,
  checkWriter,
  type FrameCodec,
  type FrameOptions,
  FrameTooLargeError,
  frameBytes,
  InvalidFrameError,
  tooLarge,
  writePieces,
} from "./codec.js";
import { CountedAttempt, type CountedForm, type FrameHeader } from "./counted.js";
import { readFrameBy } from "./reading.js";

/** Options of `lengthPrefixed()`. */
export interface LengthPrefixedOptions extends FrameOptions {
  /**
   * The number of bytes of the length. `"varint"` uses as many as necessary, with 7 bits in each, lowest first, as in Protocol Buffers.
   * Default 4.
   */
  readonly prefix?: 1 | 2 | 3 | 4 | 8 | "varint" | undefined;
  /** The byte order of the length: most significant byte first (`"big"`) or last (`"little"`). Default `"big"`, as in most protocols. */
  readonly endian?: "big" | "little" | undefined;
  /**
   * The size of a header that has more in it than the length, in bytes, at most 1,024. A frame then contains its header: `readFrame()`
   * returns it, and `writeFrame()` takes it and fills in the length. Default: no such header.
   */
  readonly headerSize?: number | undefined;
  /** Where the length begins in the header, in bytes. Default 0. */
  readonly lengthOffset?: number | undefined;
  /**
   * What to add to the length to get the number of bytes behind the header. PostgreSQL counts the four bytes of the length: -4. Default 0.
   */
  readonly lengthAdjustment?: number | undefined;
  /** Where the header has a byte that announces more bytes, beyond the length, such as the padding of FastCGI. Default: there is none. */
  readonly paddingOffset?: number | undefined;
}

const LENGTH_PREFIXED_OPTIONS: KnownOptions = knownOptions<LengthPrefixedOptions>({
  maxFrameSize: true,
  prefix: true,
  endian: true,
  headerSize: true,
  lengthOffset: true,
  lengthAdjustment: true,
  paddingOffset: true,
});

type FixedPrefix = 1 | 2 | 3 | 4 | 8;

/** The options that describe a header. */
const HEADER_OPTIONS = ["lengthOffset", "lengthAdjustment", "paddingOffset"] as const;

/** Protocols have headers of up to a few dozen bytes. */
const MAX_HEADER_BYTES = 1024;

const TWO_TO_32 = 2 ** 32;
/** Protocol Buffers: 64 bits, 7 in each byte. */
const MAX_VARINT_BYTES = 10;

/** Scratch buffer for parsing headers; never held across an await. */
const scratch = Buffer.alloc(MAX_VARINT_BYTES);

/**
 * Makes a codec for frames with a length prefix.
 *
 * The length does not include the prefix itself. A varint must have its shortest form. An 8-byte length of 2 ** 53 or more is refused
 * like any other length over the maximum.
 *
 * With `headerSize`, each frame begins with a header of that size, and the length is somewhere in it. The whole message is the frame:
 * read the other parts of the header from it. On writing, the length in it is filled in, in a copy of the header. `maxFrameSize` applies
 * to the whole.
 *
 * @param options `prefix`: 1, 2, 3, 4 (the default), 8 or `"varint"`; `endian`: `"big"` (the default) or `"little"`; `maxFrameSize`: the
 *   maximum size of a frame in bytes, default 16 MiB, and never more than the prefix can express; `headerSize`, `lengthOffset`,
 *   `lengthAdjustment`, `paddingOffset`: the header
 * @returns a codec that reads `Buffer`s, and writes bytes or text. A frame may share memory with the received chunk (up to 64 KiB):
 *   copy small frames that you keep for long.
 * @throws TypeError if `prefix` or `endian` has another value, or an option has no meaning without another one
 * @throws RangeError `ERR_OUT_OF_RANGE` if a number is not an integer in its range
 *
 * @example
 * ```ts
 * const codec = lengthPrefixed({ prefix: 4, maxFrameSize: 1_048_576 });
 * codec.writeFrame(writer, "hello"); // 00 00 00 05 68 65 6c 6c 6f
 * const answer = await codec.readFrame(reader, { signal: AbortSignal.timeout(5_000) });
 *
 * const postgres = lengthPrefixed({ headerSize: 5, lengthOffset: 1, lengthAdjustment: -4 });
 * postgres.writeFrame(writer, "Q....SELECT 1\0"); // the length takes the place of the four dots
 * ```
 */
export function lengthPrefixed(options?: LengthPrefixedOptions): FrameCodec<NonSharedBuffer, Data> {
  const maxFrameSize = checkMaxFrameSize("lengthPrefixed", options, LENGTH_PREFIXED_OPTIONS);
  const { prefix = 4, endian, headerSize } = options ?? {};
  if (![1, 2, 3, 4, 8, "varint"].includes(prefix)) throw invalidValue(`prefix must be 1, 2, 3, 4, 8 or "varint", not ${show(prefix)}`);
  if (endian !== undefined && endian !== "big" && endian !== "little") {
    throw invalidValue(`endian must be "big" or "little", not ${show(endian)}`);
  }
  if (headerSize === undefined) refuseWithoutHeader(options);
  if (prefix === "varint") {
    if (endian !== undefined) throw invalidValue("endian is not meaningful with a varint, whose byte order is fixed");
    if (headerSize !== undefined) throw invalidValue("headerSize is not meaningful with a varint, whose size is not fixed");
    const varintForm: Announcing = {
      parseHeader: parseVarint,
      takeFirst: (queue, first, at) => takeVarint(queue, first, at, maxFrameSize),
    };
    return codecOf(maxFrameSize, varintForm, (frame) => [varint(frame.length), frame]);
  }
  const little = endian === "little";
  const capacity = prefix === 8 ? Number.MAX_SAFE_INTEGER : 256 ** prefix - 1;
  if (headerSize !== undefined) return codecWithHeader(maxFrameSize, { ...checkHeader(headerSize, prefix, options), capacity, little });
  const maximum = Math.min(maxFrameSize, capacity);
  const form: Announcing = {
    parseHeader: (queue) => parseFixed(queue, prefix, little),
    takeFirst: (queue, first, at) => {
      if (at + prefix > first.length) return undefined;
      const size = lengthAt(first, at, prefix, little);
      return size > maximum ? undefined : queue.takePart(prefix + size, prefix, prefix + size);
    },
  };
  return codecOf(maximum, form, (frame) => [fixed(frame.length, prefix, little), frame]);
}

function refuseWithoutHeader(options: LengthPrefixedOptions | undefined): void {
  for (const name of HEADER_OPTIONS) {
    if (options?.[name] !== undefined) throw invalidValue(`${name} is only meaningful with headerSize`);
  }
}

/** A header with a length in it. */
interface HeaderLayout {
  readonly headerSize: number;
  readonly lengthOffset: number;
  readonly lengthAdjustment: number;
  readonly paddingOffset: number | undefined;
  readonly prefix: FixedPrefix;
}

function checkHeader(headerSize: number, prefix: FixedPrefix, options: LengthPrefixedOptions | undefined): HeaderLayout {
  const { lengthOffset = 0, lengthAdjustment = 0, paddingOffset, maxFrameSize } = options ?? {};
  checkInteger("headerSize", headerSize, prefix, MAX_HEADER_BYTES);
  if (maxFrameSize !== undefined) checkInteger("maxFrameSize", maxFrameSize, headerSize); // else every frame would be refused
  return {
    headerSize,
    lengthOffset: checkInteger("lengthOffset", lengthOffset, 0, headerSize - prefix),
    lengthAdjustment: checkInteger("lengthAdjustment", lengthAdjustment, -MAX_HEADER_BYTES, MAX_HEADER_BYTES),
    paddingOffset: paddingOffset === undefined ? undefined : checkPaddingOffset(paddingOffset, headerSize, lengthOffset, prefix),
    prefix,
  };
}

function checkPaddingOffset(paddingOffset: number, headerSize: number, lengthOffset: number, prefix: FixedPrefix): number {
  checkInteger("paddingOffset", paddingOffset, 0, headerSize - 1);
  const lengthEnd = lengthOffset + prefix;
  if (paddingOffset < lengthOffset || paddingOffset >= lengthEnd) return paddingOffset;
  throw invalidValue(
    `paddingOffset must be outside the length, which has the bytes ${lengthOffset} to ${lengthEnd - 1}, not ${paddingOffset}`,
  );
}

function codecWithHeader(
  maxFrameSize: number,
  layout: HeaderLayout & { readonly capacity: number; readonly little: boolean },
): FrameCodec<NonSharedBuffer, Data> {
  const { headerSize, lengthOffset, lengthAdjustment, paddingOffset, prefix, capacity, little } = layout;
  /** Bytes of a frame that the length does not count. */
  const notCounted = (header: Uint8Array, at: number = 0): number =>
    headerSize + lengthAdjustment + (paddingOffset === undefined ? 0 : (header[at + paddingOffset] as number));
  const header = Buffer.alloc(headerSize); // scratch, never held across an await
  const parseHeader = (queue: ByteQueue): FrameHeader | undefined => {
    if (queue.length < headerSize) return undefined;
    queue.copyTo(header, headerSize);
    const length = fixedAt(header, lengthOffset, prefix, little);
    const bodySize = length + notCounted(header);
    if (bodySize >= headerSize) return { headerSize: 0, bodySize };
    throw new InvalidFrameError(`the frame at byte ${queue.taken} has a length of ${length}, which is too small`, queue.taken);
  };
  const takeFirst = (queue: ByteQueue, first: NonSharedBuffer, at: number): NonSharedBuffer | undefined => {
    if (at + headerSize > first.length) return undefined;
    const size = lengthAt(first, at + lengthOffset, prefix, little) + notCounted(first, at);
    return size < headerSize || size > maxFrameSize ? undefined : queue.takePart(size, 0, size);
  };
  return codecOf(maxFrameSize, { parseHeader, takeFirst }, (frame) => {
    if (frame.length < headerSize)
      throw invalidValue(`frame must begin with its header of ${headerSize} bytes, not be ${frame.length} long`);
    const own = Buffer.from(frame.subarray(0, headerSize));
    const length = frame.length - notCounted(own);
    if (length < 0) throw invalidValue(`frame must be as long as its header says, not ${-length} bytes shorter`);
    if (length > capacity) {
      const maximum = frame.length - length + capacity;
      throw new FrameTooLargeError(tooLarge("cannot write a frame", frame.length, maximum), frame.length, maximum);
    }
    own.set(fixed(length, prefix, little), lengthOffset);
    return [own, frame.subarray(headerSize)];
  });
}

/** How the size of a frame is announced. */
type Announcing = Pick<CountedForm, "parseHeader" | "takeFirst">;

function codecOf(
  maximum: number,
  announcing: Announcing,
  addLength: (frame: Uint8Array) => readonly Uint8Array[],
): FrameCodec<NonSharedBuffer, Data> {
  const form: CountedForm = { ...announcing, maximum, trailer: NO_BYTES };
  return {
    readFrame: readFrameBy((engine) => new CountedAttempt(engine, form)),
    writeFrame(writer: StreamWriter, frame: Data): void {
      checkWriter(writer);
      writePieces(writer, addLength(frameBytes(frame, maximum)));
    },
  };
}

function parseFixed(queue: ByteQueue, prefix: FixedPrefix, little: boolean): FrameHeader | undefined {
  if (queue.length < prefix) return undefined;
  queue.copyTo(scratch, prefix);
  return { headerSize: prefix, bodySize: fixedAt(scratch, 0, prefix, little) };
}

/** Reads a length; rounded if it exceeds the safe integers. */
function fixedAt(header: NonSharedBuffer, offset: number, prefix: FixedPrefix, little: boolean): number {
  if (prefix < 8) return little ? header.readUIntLE(offset, prefix) : header.readUIntBE(offset, prefix);
  const [first, second] = little
    ? [header.readUInt32LE(offset + 4), header.readUInt32LE(offset)]
    : [header.readUInt32BE(offset), header.readUInt32BE(offset + 4)];
  return first * TWO_TO_32 + second;
}

/** Reads a length like `fixedAt()`, without the checks and the view that this takes. */
function lengthAt(bytes: NonSharedBuffer, at: number, prefix: FixedPrefix, little: boolean): number {
  let length = 0;
  for (let index = 0; index < prefix; index += 1)
    length = length * 0x100 + (bytes[little ? at + prefix - 1 - index : at + index] as number);
  return length;
}

function fixed(size: number, prefix: FixedPrefix, little: boolean): Uint8Array {
  const header = Buffer.allocUnsafe(prefix);
  if (prefix < 8) {
    if (little) header.writeUIntLE(size, 0, prefix);
    else header.writeUIntBE(size, 0, prefix);
    return header;
  }
  const high = Math.floor(size / TWO_TO_32);
  const low = size % TWO_TO_32;
  if (little) header.writeUInt32LE(high, header.writeUInt32LE(low, 0));
  else header.writeUInt32BE(low, header.writeUInt32BE(high, 0));
  return header;
}

function takeVarint(queue: ByteQueue, first: NonSharedBuffer, at: number, maximum: number): NonSharedBuffer | undefined {
  const stop = Math.min(first.length, at + MAX_VARINT_BYTES);
  let size = 0;
  for (let index = at, factor = 1; index < stop; index += 1, factor *= 0x80) {
    const byte = first[index] as number;
    size += (byte & 0x7f) * factor;
    if (byte >= 0x80) continue;
    const headerSize = index + 1 - at;
    if (size > maximum || (byte === 0 && headerSize > 1)) return undefined;
    return queue.takePart(headerSize + size, headerSize, headerSize + size);
  }
  return undefined;
}

function parseVarint(queue: ByteQueue): FrameHeader | undefined {
  const count = Math.min(queue.length, MAX_VARINT_BYTES);
  queue.copyTo(scratch, count);
  let bodySize = 0;
  for (let index = 0; index < count; index += 1) {
    const byte = scratch[index] as number;
    bodySize += (byte & 0x7f) * 2 ** (7 * index); // no shifts, because they are limited to 32 bits
    if (byte >= 0x80) continue;
    if (byte === 0 && index > 0) throw invalidVarint(queue, "is not in its shortest form");
    return { headerSize: index + 1, bodySize };
  }
  if (count === MAX_VARINT_BYTES) throw invalidVarint(queue, `is longer than ${MAX_VARINT_BYTES} bytes`);
  return undefined;
}

function invalidVarint(queue: ByteQueue, what: string): InvalidFrameError {
  return new InvalidFrameError(`the varint at byte ${queue.taken} ${what}`, queue.taken);
}

function varint(size: number): Uint8Array {
  const bytes: number[] = [];
  let left = size;
  for (; left >= 0x80; left = Math.floor(left / 0x80)) bytes.push((left % 0x80) + 0x80);
  return Uint8Array.of(...bytes, left);
}
