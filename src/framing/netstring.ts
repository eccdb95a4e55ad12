/** `netstring()`: frames in the form `5:hello,`. See https://cr.yp.to/proto/netstrings.txt. */

import type { Data } from "../base/arguments.js";
import type { ByteQueue } from "../base/byte-queue.js";
import type { NonSharedBuffer } from "../base/bytes.js";
import { constant } from "../base/memory.js";
import type { StreamWriter } from "../streams/writer.js";
import { checkMaxFrameSize, checkWriter, type FrameCodec, type FrameOptions, frameBytes, InvalidFrameError } from "./codec.js";
import { CountedAttempt, type CountedForm, type FrameHeader } from "./counted.js";
import { readFrameBy } from "./reading.js";

/** A length with this many digits exceeds 2 ** 53, so it is refused without waiting for its end. */
const TOO_MANY_DIGITS = 17;

const ZERO = 0x30;
const COLON = 0x3a;
const COMMA_BYTE = 0x2c;
const COMMA: Uint8Array = constant(",");

/** Scratch buffer for parsing headers; never held across an await. */
const scratch = Buffer.alloc(TOO_MANY_DIGITS);

/**
 * Makes a codec for netstrings: the length in decimal, a colon, the bytes, a comma.
 *
 * A length with leading zeros is refused, as the specification requires.
 *
 * @param options `maxFrameSize`: the maximum size of a frame in bytes, default 16 MiB
 * @returns a codec that reads `Buffer`s, and writes bytes or text
 * @throws RangeError `ERR_OUT_OF_RANGE` if `maxFrameSize` is not a positive integer
 *
 * @example
 * ```ts
 * const codec = netstring();
 * codec.writeFrame(writer, "hello"); // 5:hello,
 * ```
 */
export function netstring(options?: FrameOptions): FrameCodec<NonSharedBuffer, Data> {
  const maximum = checkMaxFrameSize("netstring", options);
  const form: CountedForm = {
    maximum,
    trailer: COMMA,
    parseHeader: parseLength,
    takeFirst: (queue, first, at) => takeFirst(queue, first, at, maximum),
  };
  return {
    readFrame: readFrameBy((engine) => new CountedAttempt(engine, form)),
    writeFrame(writer: StreamWriter, frame: Data): void {
      checkWriter(writer);
      const body = frameBytes(frame, maximum);
      writer.writelines([`${body.length}:`, body, COMMA]);
    },
  };
}

function takeFirst(queue: ByteQueue, first: NonSharedBuffer, at: number, maximum: number): NonSharedBuffer | undefined {
  const stop = Math.min(first.length, at + TOO_MANY_DIGITS);
  let size = 0;
  let index = at;
  for (; index < stop; index += 1) {
    const digit = (first[index] as number) - ZERO;
    if (digit < 0 || digit > 9) break;
    size = size * 10 + digit;
  }
  const headerSize = index + 1 - at;
  const bodyEnd = headerSize + size;
  if (headerSize < 2 || (first[at] === ZERO && headerSize > 2) || first[index] !== COLON) return undefined;
  if (size > maximum || first[at + bodyEnd] !== COMMA_BYTE) return undefined;
  return queue.takePart(bodyEnd + 1, headerSize, bodyEnd);
}

function parseLength(queue: ByteQueue): FrameHeader | undefined {
  const count = Math.min(queue.length, TOO_MANY_DIGITS);
  queue.copyTo(scratch, count);
  let bodySize = 0;
  for (let index = 0; index < count; index += 1) {
    const byte = scratch[index] as number;
    if (byte === COLON && index > 0) return { headerSize: index + 1, bodySize };
    const digit = byte - ZERO;
    if (digit < 0 || digit > 9) throw invalidLength(queue, "has a length that is not a decimal number");
    if (index === 1 && scratch[0] === ZERO) throw invalidLength(queue, "has a length with a leading zero");
    bodySize = bodySize * 10 + digit;
  }
  return count === TOO_MANY_DIGITS ? { headerSize: count, bodySize } : undefined;
}

function invalidLength(queue: ByteQueue, what: string): InvalidFrameError {
  return new InvalidFrameError(`the netstring at byte ${queue.taken} ${what}`, queue.taken);
}
