/** `lengthPrefixed()`: frames with a length prefix of 1, 2, 4 or 8 bytes or a varint. */
import { type Data, invalidValue, type SignalOptions, show } from "../base/arguments.js";
import type { ByteQueue } from "../base/byte-queue.js";
import { type KnownOptions, knownOptions } from "../base/known-options.js";
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
import { countedAttempt, type FrameHeader, type HeaderParser } from "./counted.js";

/** Options of `lengthPrefixed()`. */
export interface LengthPrefixedOptions extends FrameOptions {
  /**
   * The number of bytes of the length. `"varint"` uses as many as necessary, with 7 bits in each, lowest first, as in Protocol Buffers.
   * Default 4.
   */
  readonly prefix?: 1 | 2 | 4 | 8 | "varint" | undefined;
  /** The byte order of the length: most significant byte first (`"big"`) or last (`"little"`). Default `"big"`, as in most protocols. */
  readonly endian?: "big" | "little" | undefined;
}

const LENGTH_PREFIXED_OPTIONS: KnownOptions = knownOptions<LengthPrefixedOptions>({ maxFrameSize: true, prefix: true, endian: true });

const TWO_TO_32 = 2 ** 32;
const NOTHING = new Uint8Array(0);

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
 * @param options `prefix`: 1, 2, 4 (the default), 8 or `"varint"`; `endian`: `"big"` (the default) or `"little"`; `maxFrameSize`: the
 *   maximum size of a frame in bytes, default 16 MiB, and never more than the prefix can express
 * @returns a codec that reads `Buffer`s, and writes bytes or text. A frame may share memory with the received chunk (up to 64 KiB):
 *   copy small frames that you keep for long.
 * @throws TypeError if `prefix` or `endian` has another value, or `endian` is given for a varint
 * @throws RangeError `ERR_OUT_OF_RANGE` if `maxFrameSize` is not a positive integer
 *
 * @example
 * ```ts
 * const codec = lengthPrefixed({ prefix: 4, maxFrameSize: 1_048_576 });
 * codec.writeFrame(writer, "hello"); // 00 00 00 05 68 65 6c 6c 6f
 * const answer = await codec.readFrame(reader, { signal: AbortSignal.timeout(5_000) });
 * ```
 */
export function lengthPrefixed(options?: LengthPrefixedOptions): FrameCodec<Buffer, Data> {
  const maxFrameSize = checkMaxFrameSize("lengthPrefixed", options, LENGTH_PREFIXED_OPTIONS);
  const { prefix = 4, endian } = options ?? {};
  if (![1, 2, 4, 8, "varint"].includes(prefix)) throw invalidValue(`prefix must be 1, 2, 4, 8 or "varint", not ${show(prefix)}`);
  if (endian !== undefined && endian !== "big" && endian !== "little") {
    throw invalidValue(`endian must be "big" or "little", not ${show(endian)}`);
  }
  if (prefix === "varint") {
    if (endian !== undefined) throw invalidValue("endian is not meaningful with a varint, whose byte order is fixed");
    return codecOf(maxFrameSize, parseVarint, varint);
  }
  const little = endian === "little";
  const maximum = prefix === 8 ? maxFrameSize : Math.min(maxFrameSize, 256 ** prefix - 1);
  return codecOf(
    maximum,
    (queue) => parseFixed(queue, prefix, little),
    (size) => fixed(size, prefix, little),
  );
}

function codecOf(maximum: number, parseHeader: HeaderParser, makeHeader: (size: number) => Uint8Array): FrameCodec<Buffer, Data> {
  return {
    readFrame(reader: StreamReader, options?: SignalOptions): Promise<Buffer | null> {
      return readInOneAttempt(reader, (engine) => countedAttempt(engine, parseHeader, maximum, NOTHING), options);
    },
    writeFrame(writer: StreamWriter, frame: Data): void {
      checkWriter(writer);
      const body = frameBytes(frame, maximum);
      writer.writelines([makeHeader(body.length), body]);
    },
  };
}

function parseFixed(queue: ByteQueue, prefix: 1 | 2 | 4 | 8, little: boolean): FrameHeader | undefined {
  if (queue.length < prefix) return undefined;
  queue.copyTo(scratch, prefix);
  if (prefix < 8) return { headerSize: prefix, bodySize: little ? scratch.readUIntLE(0, prefix) : scratch.readUIntBE(0, prefix) };
  const [high, low] = little ? [scratch.readUInt32LE(4), scratch.readUInt32LE(0)] : [scratch.readUInt32BE(0), scratch.readUInt32BE(4)];
  return { headerSize: prefix, bodySize: high * TWO_TO_32 + low };
}

function fixed(size: number, prefix: 1 | 2 | 4 | 8, little: boolean): Uint8Array {
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
